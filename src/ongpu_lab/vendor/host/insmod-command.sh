#!/bin/sh
# insmod PATH
[ -e "${1:-}" ] || { echo "insmod: ERROR: could not load module ${1:-}: No such file or directory" >&2; exit 1; }
said=$(/usr/lib/ongpu-lab/insert "$1" 2>&1) || { echo "insmod: ERROR: could not insert module $1: $said" >&2; exit 1; }
