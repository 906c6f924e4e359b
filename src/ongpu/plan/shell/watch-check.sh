# Waits for the check's end. What it found on hosts is no failure of the check.
since=$(date +%s)
systemctl start ongpu-drift.service ||
  die "the drift check fails: $(journalctl -u ongpu-drift.service --since "@$since" -o cat -n 3 --no-pager | tail -n 3)"
