#!/bin/sh
# modprobe of a lab host. Names, aliases, dependencies, blacklists and messages are those of the real program, which
# is asked what it would insert; the insertion itself is simulated (the lab's kernel is the machine's own).
set -eu
. /usr/lib/ongpu-lab/common.sh
real=$lab/real/modprobe

remove=''
all=''
for argument; do
  case $argument in
    -r | --remove) remove=yes ;;
    -a | --all) all=yes ;;
    -n | --dry-run | --show | -D | --show-depends | -c | --showconfig | --show-config | -R | --resolve-alias | \
      -V | --version | -h | --help | --show-modversions | --dump-modversions) exec "$real" "$@" ;;
  esac
done

names=''
options=''
for argument; do
  case $argument in
    -r | --remove | -a | --all | -v | --verbose) ;;
    -*) options="$options $argument" ;;
    *) if [ -z "$names" ] || [ "$all$remove" ]; then names="$names $argument"; fi ;;
  esac
done
[ "$names" ] || exec "$real" "$@"

if [ "$remove" ]; then
  failed=0
  for name in $names; do
    is_loaded "$(printf %s "$name" | tr - _)" || continue
    "$lab/rmmod" modprobe "$name" || failed=1
  done
  exit "$failed"
fi

failed=0
for name in $names; do
  # shellcheck disable=SC2086 # a list of options
  if ! steps=$("$real" --show-depends $options "$name" 2>/dev/null); then
    # Says why, in its own words. With -q an unknown module is an error without a word.
    # shellcheck disable=SC2086
    "$real" --show-depends $options "$name" >/dev/null || failed=1
    continue
  fi
  while read -r verb path rest; do
    [ "$verb" = insmod ] || continue
    if ! said=$("$lab/insert" "$path" 2>&1); then
      # The one that was asked for is last; what it depends on comes before it.
      last=$(printf '%s\n' "$steps" | awk '$1 == "insmod" { path = $2 } END { print path }')
      echo "modprobe: ERROR: could not insert '$(basename "$last" .ko | tr - _)': $said" >&2
      failed=1
      break
    fi
  done <<END
$steps
END
done
exit "$failed"
