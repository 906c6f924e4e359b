"""A program that is not Ollama's computes on the first GPU: the driver cannot be reloaded under it."""

from __future__ import annotations

from ongpu_lab.faults.base import Target

_UNIT = "trainer.service"


def apply(target: Target) -> None:
    target.sh(f"""
[ -d /sys/module/nvidia ] || {{ echo "no driver runs on this host yet" >&2; exit 1; }}
cat >/usr/local/bin/trainer <<'END'
#!/bin/sh
set -- $(cut -d ')' -f 2- "/proc/$$/stat")
printf 'start %s\\n0 1024 trainer\\n' "${{20}}" >"/run/ongpu-lab/procs/$$"
systemd-notify --ready
exec sleep infinity
END
chmod 0755 /usr/local/bin/trainer
systemd-run --quiet --collect --unit={_UNIT} --property=Type=notify --property=NotifyAccess=all /usr/local/bin/trainer
""")


def clear(target: Target) -> None:
    target.sh(f"systemctl stop {_UNIT} 2>/dev/null || :")
