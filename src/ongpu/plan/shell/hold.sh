# hold_driver VERSION (or the beginning of it, 580): every installed package of this driver release, as one set
hold_driver() {
  # shellcheck disable=SC2016 # dpkg's own format
  names=$(dpkg-query -W -f '${binary:Package} ${Version} ${db:Status-Abbrev}\n' | awk -v v="$1" '
    { sub(/^[0-9]+:/, "", $2); sub(/[-+~].*/, "", $2) } # less 590-2 is no driver
    $2 ~ /^[0-9]+\.[0-9.]+$/ && ($2 == v || index($2, v ".") == 1) && $3 ~ /^[a-z]i/ { print $1 }')
  # shellcheck disable=SC2086 # a list of names
  [ -z "$names" ] || apt-mark hold $names >/dev/null
}
