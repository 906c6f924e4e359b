# USER HOME_DIR
if ! getent passwd "$USER" >/dev/null; then
  shell=/usr/sbin/nologin
  [ -x $shell ] || shell=/bin/false
  if getent group "$USER" >/dev/null; then set -- --gid "$USER"; else set -- --user-group; fi
  useradd --system --shell $shell --create-home --home-dir "$HOME_DIR" "$@" "$USER"
fi
for group in render video $GROUPS_WANTED; do
  ! getent group "$group" >/dev/null || usermod --append --groups "$group" "$USER"
done
