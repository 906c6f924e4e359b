#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
/usr/lib/dkms/common.postinst nvidia @VERSION@
