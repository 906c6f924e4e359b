# UNIT
systemctl daemon-reload
systemctl enable --quiet "$UNIT"
systemctl restart "$UNIT" && exit 0
said=$(journalctl -u "$UNIT" -n 20 -o cat --no-pager 2>/dev/null |
  grep -v -e '^All done' -e '^Terminating early' -e '^Start' -e '^Failed to start' -e "^$UNIT:" | tail -n 1)
die "nvidia-smi does not take the settings: ${said:-see journalctl -u $UNIT}"
