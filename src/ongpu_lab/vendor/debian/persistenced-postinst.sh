#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
getent passwd nvidia-persistenced >/dev/null ||
  useradd --system --user-group --no-create-home --home-dir /var/run/nvpd --shell /usr/sbin/nologin \
    --comment "NVIDIA Persistence Daemon" nvidia-persistenced
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl enable --quiet nvidia-persistenced.service
  # Without a driver it could not start; udev starts it when the module is loaded.
  [ ! -e /proc/driver/nvidia/version ] || systemctl restart nvidia-persistenced.service || :
fi
