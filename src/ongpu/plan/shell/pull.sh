# API MODEL NAME (as the API lists it) BODY (JSON) DIGEST (without sha256:, may be empty) STORE (directory of the
# models) SECONDS_LIMIT TRIES PAUSE (seconds before the second try) VERSION (of Ollama) PROGRESS (a file)
END=$(($(date +%s) + SECONDS_LIMIT))
trap 'rm -f "$PROGRESS"' EXIT
mkdir -p "${PROGRESS%/*}"
rm -f "$PROGRESS" # of a pull that was killed
# number TEXT NAME: the integer after "NAME":
number() { n=${1#*\""$2"\":}; n=${n%%[!0-9]*}; printf '%s' "${n:-0}"; }
again() { printf '%s\n' "$*" >&2; exit 75; }
# refused WORDS: Ollama's own error. Only what another try may change is tried again.
refused() {
  case $1 in
    'pull model manifest: file does not exist'*) die "the registry knows no model $MODEL: check its name and its tag" ;;
    'file does not exist'*) die "the registry has no such file as $MODEL names: it is damaged there ($1)" ;;
    *': 412:'* | *'newer version of Ollama'*)
      die "$MODEL needs a newer Ollama than $VERSION: raise ollama.release (the registry says: $1)" ;;
    *': 401:'* | *': 403:'* | *unauthorized* | *'realm host'*) die "the registry does not let this host pull $MODEL: $1" ;;
    *'no space left on device'*)
      die "disk full: $STORE has no room for the rest of $MODEL; what has come stays, so make room and run again" ;;
    *'requires MLX'*) die "$MODEL is a safetensors model, which only Ollama's MLX engine loads: declare a GGUF variant" ;;
    'http: no Location header'*) die "the registry cannot serve Ollama: it gives no Location for $MODEL's files ($1)" ;;
    'digest mismatch'*) again "what came of $MODEL was damaged on its way ($1)" ;;
    *'dial tcp'* | *'no such host'* | *'connection refused'*) again "the registry cannot be reached from this host: $1" ;;
    'pull model manifest: 5'*) again "the registry is down: $1" ;;
    *) again "Ollama says: $1" ;;
  esac
}
# told LINE: how far the layer is, for who watches; not at every one of its lines, of which there are 16 a second.
told() {
  [ "$((lines % 16))" = 1 ] || return 0
  all=$(number "$1" total); part=0
  case $1 in *'"completed":'*) part=$(number "$1" completed) ;; esac
  [ "$all" -ge 1048576 ] || return 0
  printf '%s: %s of %s MiB\n' "$MODEL" "$((part / 1048576))" "$((all / 1048576))" >"$PROGRESS.new"
  mv -f "$PROGRESS.new" "$PROGRESS"
}
# Errors come with HTTP 200 in the stream; only a last line `success` is one.
attempt() {
  free=$(df -Pk "$(nearest "$STORE")" | awk 'NR == 2 { print $4 }')
  free=$((free * 1024))
  left=$((END - $(date +%s)))
  [ "$left" -gt 0 ] || die "not finished within $SECONDS_LIMIT s; run again to go on from here"
  {
    curl --noproxy '*' --globoff --silent --show-error --no-buffer --connect-timeout 10 --max-time "$left" \
      --header 'Content-Type: application/json' --data "$BODY" "$API/api/pull" 2>&1 && rc=0 || rc=$?
    printf '\n@@curl %s\n' "$rc"
  } | {
    last=
    layer=
    rc=
    lines=0
    while IFS= read -r line; do
      case $line in
        '@@curl '*) rc=${line#@@curl } ;;
        '') ;;
        *'"total":'*)
          last=$line
          lines=$((lines + 1))
          told "$line"
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
        refused "${said%\"*}"
        ;;
      *'"success"'*) ;;
      *)
        case $rc in
          7) again "the Ollama API at $API is down" ;;
          28) die "not finished within $SECONDS_LIMIT s; run again to go on from here" ;;
          *) again "the pull ended before it was complete (curl $rc): ${last:-no answer}" ;;
        esac
        ;;
    esac
  }
}
try=1
while :; do
  why=$(attempt 2>&1) && break || rc=$?
  [ "$rc" = 75 ] || die "$why"
  [ "$try" -lt "$TRIES" ] || die "$why ($TRIES tries; run again to go on from what has come)"
  printf '%s\n' "$why"
  sleep "$PAUSE"
  PAUSE=$((PAUSE * 2)) try=$((try + 1))
done
[ -n "$DIGEST" ] || exit 0
got=$(curl --noproxy '*' --globoff --fail --silent --max-time 30 "$API/api/tags" | tr '{' '\n' |
  grep -iF "\"name\":\"$NAME\"" | sed -n 's/.*"digest":"\([0-9a-f]*\)".*/\1/p' | head -n 1)
[ "$got" = "$DIGEST" ] || die "the registry's $MODEL is sha256:${got:-unknown}, the inventory says sha256:$DIGEST"
