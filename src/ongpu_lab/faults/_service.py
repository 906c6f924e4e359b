"""What several faults do to the Ollama service: drop-ins of somebody else, and knobs of the stand-in."""

from __future__ import annotations

from ongpu_lab.faults.base import Target

UNIT = "ollama.service"
_NO_WAIT = f"/run/systemd/system/{UNIT}.d/99-lab.conf"
KNOBS = "/etc/ongpu-lab/ollama.ini"  # see ongpu_lab.ollama.standin.lab.Knobs
# The socket is open before Ollama has looked for GPUs; it answers only afterwards.
_WAIT_FOR_API = """
for i in $(seq 300); do
  curl --silent --fail --output /dev/null http://127.0.0.1:11434/api/version && exit 0
  systemctl --quiet is-active ollama.service || { echo "ollama.service is not active" >&2; exit 1; }
  sleep 0.1
done
echo "Ollama does not answer on 127.0.0.1:11434" >&2
exit 1
"""
_RESTART = f"""
systemctl daemon-reload
systemctl --quiet is-active ollama.service || exit 0
systemctl restart ollama.service
{_WAIT_FOR_API}
"""


def require(target: Target) -> None:
    """Raises LabError on a host that has no Ollama yet."""
    target.sh(f"systemctl --quiet cat {UNIT} >/dev/null 2>&1 || {{ echo 'no {UNIT} on this host yet' >&2; exit 1; }}")


def start(target: Target) -> None:
    """Start it and wait until it answers."""
    target.sh(f"systemctl start {UNIT}\n{_WAIT_FOR_API}")


def drop_in(target: Target, name: str, environment: str) -> None:
    """A later drop-in than ongpu's own, as an administrator may leave behind; the service runs with it at once."""
    require(target)
    target.write(f"/etc/systemd/system/{UNIT}.d/{name}.conf", f"[Service]\nEnvironment={environment}\n")
    restart(target)


def remove_drop_in(target: Target, name: str) -> None:
    target.sh(f"rm -f /etc/systemd/system/{UNIT}.d/{name}.conf")
    restart(target)


def restart(target: Target) -> None:
    """Restart it if it runs, and wait until it answers."""
    target.sh(_RESTART)


def restart_at_once(target: Target) -> None:
    """The same, also if it is down, as on a host where nothing waits for the driver at its start."""
    require(target)
    target.write(_NO_WAIT, "[Service]\nExecStartPre=\n")
    target.sh(f"systemctl daemon-reload\nsystemctl restart {UNIT}\n{_WAIT_FOR_API}")
    target.sh(f"rm -f {_NO_WAIT}\nsystemctl daemon-reload")


def knob(target: Target, section: str, key: str, value: str | None) -> None:
    """For the loads to come: what is loaded is unloaded by a restart."""
    if value is not None:
        require(target)
    target.knob(KNOBS, section, key, value)
    restart(target)
