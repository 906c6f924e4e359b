#!/bin/sh
set -e
if [ ! -e /etc/ongpu-lab/host.ini ]; then
  echo "@PACKAGE@: this is a stand-in of the ongpu lab and drives no GPU; it installs on lab hosts only" \
    "(/etc/ongpu-lab/host.ini is missing)." >&2
  exit 1
fi
