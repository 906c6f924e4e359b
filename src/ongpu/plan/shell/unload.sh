# API MODELS (one a line)
printf '%s\n' "$MODELS" | while read -r model; do
  curl --noproxy '*' --globoff --fail --silent --show-error --output /dev/null --max-time 60 \
    --data "{\"model\": \"$model\", \"keep_alive\": 0}" "$API/api/generate" || die "could not unload $model"
done
