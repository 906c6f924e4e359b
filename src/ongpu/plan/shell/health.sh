# UNIT WANTED (version) GPUS (how many must be found with CUDA; may be empty) DECLARED (full names of the models)
# KEEP (seconds that a model stays by itself, -1: for ever) CONTEXT (default context so far, may be empty) LOAD_LIMIT (s)
# TRY_LIMIT (s)

version_of() { ask --max-time 5 "$1/api/version" | sed -n 's/.*"version" *: *"\([^"]*\)".*/\1/p'; }

# residents API: a line per loaded model: name, size, size on GPUs, context, expiry (0 and - where it is not said)
residents() { entries "$1/api/ps"; }

entries() {
  ask --fail --max-time 20 "$1" | tr -d '\n' | sed 's/"name" *:/\n&/g' | awk '
    function word(key, s) {
      if (!match($0, "\"" key "\" *: *\"[^\"]*\"")) return "-"
      s = substr($0, RSTART, RLENGTH - 1)
      sub(/^"[^"]*" *: *"/, "", s)
      return s
    }
    function number(key, s) {
      if (!match($0, "\"" key "\" *: *[0-9]+")) return 0
      s = substr($0, RSTART, RLENGTH)
      sub(/^.*: */, "", s)
      return s
    }
    /^"name"/ { print word("name"), number("size"), number("size_vram"), number("context_length"), word("expires_at") }'
}

# discovered: how many devices with CUDA this start of the service has found, and how many of all kinds. None of any
# kind: the lines are not in the journal, so nobody knows.
discovered() {
  journalctl --sync >/dev/null 2>&1 || :
  id=$(systemctl show --property InvocationID --value "$UNIT" 2>/dev/null || :)
  journalctl --quiet --output cat "_SYSTEMD_INVOCATION_ID=${id:-none}" 2>/dev/null | awk '
    /msg="inference compute"/ { all++; if (tolower($0) ~ / library=cuda /) cuda++ }
    END { print cuda + 0, all + 0 }'
}

# DECLARED is in lower case: Ollama compares names so
is_declared() { case " $DECLARED " in *" $(printf '%s' "$1" | tr '[:upper:]' '[:lower:]') "*) return 0 ;; *) return 1 ;; esac; }

# state API: the service in few words, for people
state() {
  words="ollama $(version_of "$1")"
  # shellcheck disable=SC2046 # two numbers
  set -- "$1" $(discovered)
  [ "$3" = 0 ] || words="$words with $2 of ${GPUS:-$3} GPUs"
  list=$(residents "$1" | awk '{ print $1 ($2 == $3 && $2 > 0 ? " on the GPU" : " with " int(100 * $3 / ($2 > 0 ? $2 : 1)) " % on the GPU") }' | tr '\n' ',')
  list=${list%,}
  printf '%s\n' "$words${list:+, $list}" | sed 's/,\([^ ]\)/, \1/g'
}

# load API NAME CONTEXT EXPIRES: as it was, or the reason in `failed`
load() {
  case $2 in *[!A-Za-z0-9._:/-]*) return 0 ;; esac
  stay=
  case $4 in
    - | 0001-*) ;;
    [3-9]* | 2[1-9]*) stay=-1 ;; # Ollama's "for ever" is centuries away
    *)
      left=$(($(date -d "$4" +%s 2>/dev/null || date +%s) - $(date +%s)))
      [ "$left" -gt 0 ] || return 0 # it was about to go
      # Not longer than by itself: it then has no duration of its own.
      if [ "$KEEP" -lt 0 ] || [ "$left" -gt $((KEEP + 2)) ]; then stay=$left; fi
      ;;
  esac
  context=
  if [ -n "$CONTEXT" ] && [ "$3" != 0 ] && [ "$3" != "$CONTEXT" ] && ! is_declared "$2"; then context=$3; fi
  body="{\"model\":\"$2\"${stay:+,\"keep_alive\":$stay}${context:+,\"options\":{\"num_ctx\":$context\}}}"
  said=$(ask --show-error --max-time "$LOAD_LIMIT" --header 'Content-Type: application/json' --data "$body" "$1/api/generate" 2>&1) || :
  case $said in *'does not support generate'*)
    said=$(ask --show-error --max-time "$LOAD_LIMIT" --header 'Content-Type: application/json' --data "$body" "$1/api/embed" 2>&1) || : ;;
  esac
  case $said in
    *'"done":true'* | *'"embeddings"'*) ;;
    *'not found'*) ;;
    *'"error"'*) failed=${said#*\"error\":\"}; failed=${failed%%\"*}; return 1 ;;
    *) failed="no answer within $LOAD_LIMIT s"; return 1 ;;
  esac
}

# smallest API: of the declared models in the store the one that loads soonest; nothing where there is none
smallest() {
  entries "$1/api/tags" | sort -k 2,2n | while read -r name size rest; do
    # A cloud model is a few hundred bytes.
    if [ "$size" -lt 1000000 ] || ! is_declared "$name"; then continue; fi
    printf '%s\n' "$name"
    break
  done
}

# load_again API LINES: what was resident, declared models first. One that does not load is judged by `judge`.
load_again() {
  unloaded=
  for turn in declared others; do
    while read -r name size vram context expires; do
      [ -n "$name" ] || continue
      if is_declared "$name"; then [ $turn = declared ] || continue; else [ $turn = others ] || continue; fi
      load "$1" "$name" "$context" "$expires" || unloaded="$unloaded$name: $failed; "
    done <<EOF_LINES
$2
EOF_LINES
  done
}

# judge API: what is not as it should be in `ill`; `worse` where it was better before
judge() {
  ill=
  worse=
  version=$(version_of "$1")
  if [ -n "$WANTED" ] && [ "$version" != "$WANTED" ]; then ill="it answers as ollama ${version:-unknown}, not $WANTED; " worse=yes; fi
  # shellcheck disable=SC2046 # two numbers
  set -- "$1" $(discovered)
  if [ -n "$GPUS" ] && [ "$3" -gt 0 ] && [ "$2" -lt "$GPUS" ]; then
    ill="${ill}it found $2 of $GPUS GPUs with CUDA; "
    [ -n "$found_before" ] && [ "$found_before" -le "$2" ] || worse=yes
  fi
  load_again "$1" "$before"
  after=$(residents "$1" || :)
  while read -r name size vram context expires; do
    if [ -z "$name" ] || ! is_declared "$name" || [ "$size" != "$vram" ] || [ "$size" = 0 ]; then continue; fi
    # shellcheck disable=SC2046 # a size and a size
    set -- $(printf '%s\n' "$after" | awk -v name="$name" '$1 == name { print $2, $3 }')
    if [ $# = 0 ]; then
      case $unloaded in *"$name: "*) ill="$ill$unloaded" worse=yes ;; esac
    elif [ "$1" != "$2" ]; then
      ill="$ill$name has $(($2 / 1048576)) of $(($1 / 1048576)) MiB on the GPU, all of it before; "
      worse=yes
    fi
  done <<EOF_LINES
$before
EOF_LINES
  ill=${ill%; }
}
