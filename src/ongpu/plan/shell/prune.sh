# API NAME (as the API lists it) BODY (JSON)
loaded=$(curl --noproxy '*' --globoff --fail --silent --show-error --max-time 20 "$API/api/ps" 2>&1) ||
  die "cannot tell whether it is in use: $loaded"
case $loaded in *'"models":'*) ;; *) die "cannot tell whether it is in use: /api/ps says $loaded" ;; esac
if printf '%s' "$loaded" | grep -qiF "\"name\":\"$NAME\""; then die "it is loaded now: it was left alone"; fi
code=$(curl --noproxy '*' --globoff --silent --show-error --max-time 60 --output /dev/null --write-out '%{http_code}' \
  --request DELETE --header 'Content-Type: application/json' --data "$BODY" "$API/api/delete" 2>&1) || :
case $code in 200 | 404) ;; *) die "the Ollama API answered $code" ;; esac
