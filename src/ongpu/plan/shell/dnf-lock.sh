# lock NAME...: each at its installed version, and nothing else of that name in the list
lock() {
  dnf versionlock list >/dev/null 2>&1 || dnf_run install python3-dnf-plugin-versionlock ||
    die "the versions cannot be held without dnf's plugin versionlock: ${why#Error: }"
  if is_dnf5; then
    for name in "$@"; do dnf -q versionlock delete "$name" >/dev/null 2>&1 || :; done
    dnf_run versionlock add "$@" || die "${why#Error: }"
    return
  fi
  # One entry may be of a version that is gone, which `delete NAME` does not find: so by the whole entry.
  old=$(dnf -q versionlock list 2>/dev/null | awk -v names=" $* " '
    { name = $1; sub(/-[0-9*]+:.*/, "", name); if (index(names, " " name " ")) print $1 }')
  # shellcheck disable=SC2086 # a list of entries
  [ -z "$old" ] || dnf_run versionlock delete $old || die "${why#Error: }"
  # shellcheck disable=SC2046 # a list of entries
  dnf_run versionlock add --raw $(rpm -q --queryformat '%{NAME}-%{EPOCHNUM}:%{VERSION}-%{RELEASE}.*\n' "$@") ||
    die "${why#Error: }"
}

# of_release VERSION (or the beginning of it, 580; empty: any): every installed package of this driver release
of_release() {
  rpm -qa --queryformat '%{NAME} %{VERSION}\n' | awk -v v="$1" '
    { sub(/_.*/, "", $2) }
    $2 ~ /^[0-9][0-9][0-9]\.[0-9.]+$/ && (v == "" || $2 == v || index($2, v ".") == 1) { print $1 }' | sort -u
}
