#!/bin/sh
set -e
[ -z "$(dkms status -m nvidia -v @VERSION@ 2>/dev/null)" ] || dkms remove -m nvidia -v @VERSION@ --all
