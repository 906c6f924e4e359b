# get URL FILE: resumes FILE. Sets rc (curl's exit code, see curl(1)) and http.
get() {
  rc=0
  http=$(curl --fail --location --globoff --silent --show-error --retry 3 --retry-delay 1 --connect-timeout 10 \
    --speed-limit 1024 --speed-time 60 --continue-at - --output "$2" --write-out '%{http_code}' "$1" 2>"$2.err") || rc=$?
}

size_of() { if [ -f "$1" ]; then wc -c <"$1" | tr -d ' '; else echo 0; fi; }

# fetch URL FILE: or one sentence about why not
fetch() {
  before=$(size_of "$2")
  get "$1" "$2"
  # 33: the server cannot resume. 416: what we have is not shorter than the file.
  if [ "$rc" = 33 ] || [ "$http" = 416 ]; then rm -f "$2"; get "$1" "$2"; fi
  # 18, 56, 92: cut off on the way. Goes on from there as long as something arrives.
  while [ "$rc" = 18 ] || [ "$rc" = 56 ] || [ "$rc" = 92 ]; do
    after=$(size_of "$2")
    [ "$after" -gt "$before" ] || break
    before=$after
    get "$1" "$2"
    if [ "$rc" = 33 ]; then rm -f "$2"; get "$1" "$2"; break; fi
  done
  said=$(tail -n 1 "$2.err" 2>/dev/null || :)
  rm -f "$2.err"
  server=${1#*://}
  server=${server%%/*}
  case $rc in
    0) return 0 ;;
    6) die "the name $server does not resolve, so $1 cannot be fetched" ;;
    7) die "the server $server is down or unreachable, so $1 cannot be fetched" ;;
    18 | 56 | 92) die "the transfer of $1 was cut off; run again to go on from here" ;;
    22) die "the server answered HTTP $http for $1" ;;
    23)
      rm -f "$2" # it must not keep the disk full
      die "disk full or not writable: ${2%/*} cannot hold $1"
      ;;
    28) die "the server $server is too slow or does not answer (time limit), while fetching $1" ;;
    35 | 60) die "the TLS certificate of $server is not accepted on this host: $said" ;;
    37) die "no such file: $1" ;;
    *) die "fetching $1 failed: $said" ;;
  esac
}

# length_of URL: Content-Length in bytes, or nothing when the server does not say
length_of() {
  curl --head --fail --location --globoff --silent --connect-timeout 10 --max-time 30 "$1" 2>/dev/null |
    tr -d '\r' | awk 'tolower($1) == "content-length:" { n = $2 } END { if (n ~ /^[0-9]+$/) print n }' || :
}
