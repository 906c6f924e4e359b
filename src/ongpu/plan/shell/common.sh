die() { printf '%s\n' "$*" >&2; exit 1; }

# room DIRECTORY BYTES: or one sentence about how much is missing
room() {
  kib=$(df -Pk "$1" | awk 'NR == 2 { print $4 }')
  [ "$kib" -ge $(($2 / 1024)) ] ||
    die "disk full: $1 has $((kib / 1024)) MiB free and $(($2 / 1048576)) MiB are needed"
}

# nearest DIRECTORY: itself or the first parent that exists
nearest() {
  at=$1
  while [ ! -d "$at" ]; do at=${at%/*}; [ -n "$at" ] || at=/; done
  printf '%s\n' "$at"
}

checksum() { sha256sum <"$1" | cut -c 1-64; }
