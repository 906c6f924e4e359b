#!/bin/sh
# gpu ADDRESS KEY: a value of the simulated GPU at a PCI address
tail=${1#????}
awk -v address="$tail" -v key="$2" '
  function trim(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }
  /^\[/ { section = $0; gsub(/[][]/, "", section); next }
  /^[^#;].*=/ {
    at = index($0, "="); name = trim(substr($0, 1, at - 1)); value = trim(substr($0, at + 1))
    values[section, name] = value
    if (name == "bus_id" && tolower(substr(value, length(value) - length(address) + 1)) == address) mine = section
  }
  END { print ((mine, key) in values) ? values[mine, key] : values["defaults", key] }
' /etc/ongpu-lab/gpus.ini
