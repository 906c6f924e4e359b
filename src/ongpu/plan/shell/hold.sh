# hold_driver VERSION (or the beginning of it, 580) NAME...: every installed package of this driver release, modules that
# were prebuilt for any kernel, and NAMEs: as one set
hold_driver() {
  version=$1
  shift
  # shellcheck disable=SC2016 # dpkg's own format
  names=$(dpkg-query -W -f '${binary:Package} ${Version} ${db:Status-Abbrev}\n' | awk -v v="$version" -v also=" $* " '
    { sub(/^[0-9]+:/, "", $2); sub(/[-+~].*/, "", $2) } # less 590-2 is no driver
    $3 !~ /^[a-z]i/ { next }
    $1 ~ /^linux-modules-nvidia-/ || index(also, " " $1 " ") { print $1; next }
    $2 ~ /^[0-9]+\.[0-9.]+$/ && ($2 == v || index($2, v ".") == 1) { print $1 }')
  # shellcheck disable=SC2086 # a list of names
  [ -z "$names" ] || apt-mark hold $names >/dev/null
}
