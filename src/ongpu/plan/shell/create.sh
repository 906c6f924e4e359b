# API MODEL NAME (as the API lists it) BASE (the same of the base model) BODY (JSON) DEFINITION RECORD (a file) HEADER
answer=$(curl --noproxy '*' --globoff --silent --show-error --connect-timeout 10 --max-time 600 \
  --header 'Content-Type: application/json' --data "$BODY" "$API/api/create" 2>&1) || die "the Ollama API at $API: $answer"
last=$(printf '%s\n' "$answer" | grep . | tail -n 1)
case $last in
  *'"error":"'*)
    said=${last#*\"error\":\"}
    die "Ollama says: ${said%\"*}"
    ;;
  *'"success"'*) ;;
  *) die "Ollama did not finish it: ${last:-no answer}" ;;
esac
tags=$(curl --noproxy '*' --globoff --fail --silent --max-time 30 "$API/api/tags" | tr '{' '\n')
digest() { printf '%s\n' "$tags" | grep -iF "\"name\":\"$1\"" | sed -n 's/.*"digest":"\([0-9a-f]*\)".*/\1/p' | head -n 1; }
made=$(digest "$NAME")
of=$(digest "$BASE")
[ -n "$made" ] || die "Ollama says that it made $MODEL, but does not list it"
# What it was made of, so that a later look can tell whether it still is what is declared.
mkdir -p "${RECORD%/*}"
{
  printf '# %s\n' "$HEADER"
  if [ -f "$RECORD" ]; then grep -v -e '^#' -e "^$NAME " "$RECORD" || :; fi
  printf '%s %s %s %s\n' "$NAME" "$made" "$DEFINITION" "$of"
} >"$RECORD.ongpu-new"
mv -f "$RECORD.ongpu-new" "$RECORD"
