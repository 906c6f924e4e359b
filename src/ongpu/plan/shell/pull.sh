# API MODEL BODY (JSON) DIGEST (without sha256:, may be empty) STORE (directory of the models) SECONDS_LIMIT
free=$(df -Pk "$(nearest "$STORE")" | awk 'NR == 2 { print $4 }')
free=$((free * 1024))
# number TEXT NAME: the integer after "NAME":
number() { n=${1#*\""$2"\":}; n=${n%%[!0-9]*}; printf '%s' "${n:-0}"; }
# Errors come with HTTP 200 in the stream; only a last line `success` is one.
{
  curl --noproxy '*' --globoff --silent --show-error --no-buffer --connect-timeout 10 --max-time "$SECONDS_LIMIT" \
    --header 'Content-Type: application/json' --data "$BODY" "$API/api/pull" 2>&1 && rc=0 || rc=$?
  printf '\n@@curl %s\n' "$rc"
} | {
  last=
  layer=
  rc=
  while IFS= read -r line; do
    case $line in
      '@@curl '*) rc=${line#@@curl } ;;
      '') ;;
      *'"total":'*)
        last=$line
        digest=${line#*\"digest\":\"}
        digest=${digest%%\"*}
        # Once for each layer: what it still needs.
        if [ "$digest" != "$layer" ]; then
          layer=$digest
          need=$(number "$line" total)
          case $line in *'"completed":'*) need=$((need - $(number "$line" completed))) ;; esac
          [ "$need" -le "$free" ] ||
            die "disk full: $MODEL needs $((need / 1048576)) MiB more and $STORE has $((free / 1048576)) MiB free"
          free=$((free - need))
        fi
        ;;
      *) last=$line ;;
    esac
  done
  case $last in
    *'"error":"'*)
      said=${last#*\"error\":\"}
      die "Ollama says: ${said%\"*}"
      ;;
    *'"success"'*) ;;
    *)
      case $rc in
        7) die "the Ollama API at $API is down" ;;
        28) die "not finished within $SECONDS_LIMIT s; run again to go on from here" ;;
        *) die "the pull ended before it was complete (curl $rc): ${last:-no answer}" ;;
      esac
      ;;
  esac
}
[ -n "$DIGEST" ] || exit 0
got=$(curl --noproxy '*' --globoff --fail --silent --max-time 30 "$API/api/tags" | tr '{' '\n' |
  grep -F "\"name\":\"$MODEL\"" | sed -n 's/.*"digest":"\([0-9a-f]*\)".*/\1/p' | head -n 1)
[ "$got" = "$DIGEST" ] || die "the registry's $MODEL is sha256:${got:-unknown}, the inventory says sha256:$DIGEST"
