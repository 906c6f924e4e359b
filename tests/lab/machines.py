"""A lab host as tests see it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field

from ongpu_lab import faults
from ongpu_lab.lab import Lab


@dataclass
class Host:
    """One booted host. Commands go through its namespaces, not through ssh: they never show up in `ssh_count`."""

    lab: Lab
    name: str
    _cursor: str = field(default="", repr=False)

    def run(self, command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """A shell command as root; exit code unchecked."""
        return self.lab.run(self.name, "sh", "-c", command, timeout=timeout)

    def out(self, command: str, timeout: float = 120) -> str:
        """What a command that must succeed writes, without the newline at its end."""
        done = self.run(command, timeout)
        assert done.returncode == 0, (
            f"{self.name}: `{command}` exited with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
        return done.stdout.rstrip("\n")

    def reset(self) -> None:
        """A blank host, freshly booted; its faults are forgotten."""
        faults.forget(self.lab, self.name)
        self._settled(self.lab.ask("reset", self.name))

    def reboot(self) -> None:
        self._settled(self.lab.ask("reboot", self.name))

    def start(self) -> None:
        self._settled(self.lab.ask("start", self.name))

    def status(self) -> dict[str, object]:
        return next(host for host in self.lab.status()["hosts"] if host["host"] == self.name)

    def boot_id(self) -> str:
        return self.out("cat /proc/sys/kernel/random/boot_id")

    def ssh_mark(self) -> None:
        """Count ssh sessions from here on."""
        self.out("journalctl --sync")
        last = self.out("journalctl --lines=0 --show-cursor --quiet")
        self._cursor = last.rpartition("-- cursor: ")[2]

    def ssh_sessions(self, user: str = "ops") -> list[str]:
        """sshd's lines about commands, shells and subsystems that `user` has started since the mark (sshd_config
        LogLevel VERBOSE): `Starting session: command for ops from 10.77.0.1 port 51442 id 0`."""
        self.out("journalctl --sync")
        lines = self.out(f"journalctl --quiet --output=cat --after-cursor='{self._cursor}' -t sshd -t sshd-session")
        return [
            line for line in lines.splitlines() if line.startswith("Starting session:") and f" for {user} from" in line
        ]

    def ssh_count(self, user: str = "ops") -> int:
        return len(self.ssh_sessions(user))

    def evidence(self) -> str:
        """The ends of its console and journal, for the report of a failed test."""
        directory = self.lab.dir.host(self.name)
        try:
            console = (directory / "console.log").read_text(errors="replace")[-2000:]
        except OSError as error:
            console = str(error)
        argv = ["journalctl", "--no-pager", "--quiet", "--lines=80", f"--directory={directory / 'journal'}"]
        journal = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
        return f"console:\n{console}\njournal:\n{journal.stdout}{journal.stderr}"

    @staticmethod
    def _settled(status: dict[str, object]) -> None:
        assert status["state"] == "running", status
