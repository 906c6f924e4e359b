#!/bin/sh
# lsmod of a lab host: the simulated modules
. /usr/lib/ongpu-lab/common.sh
printf '%-24s%8s  %s\n' Module Size 'Used by'
for directory in "$loaded"/*; do
  [ -e "$directory/holders" ] || continue # built into the kernel
  read -r count <"$directory/refcnt"
  # shellcheck disable=SC2012 # names of modules
  printf '%-20s%12s  %s\n' "${directory##*/}" 16384 "$count $(ls "$directory/holders" | paste -s -d,)" | sed 's/ *$//'
done
