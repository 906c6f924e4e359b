"""How to reach a host, from its pyinfra data (connectors/ssh.py of pyinfra 3.10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Global arguments of pyinfra that change how a command is run, and that only pyinfra knows how to.
_ONLY_PYINFRA = (
    "ssh_paramiko_connect_kwargs", "_sudo_password", "_use_sudo_login", "_use_sudo_password", "_preserve_sudo_env",
    "_su_user", "_use_su_login", "_preserve_su_env", "_su_shell", "_doas", "_doas_user", "_dzdo", "_dzdo_user",
    "_dzdo_password", "_shell_executable", "_env", "_chdir", "_get_pty",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`None` and empty = as ssh_config says, else as OpenSSH does. `ssh_strict_host_key_checking` is not among these:
    a host's key is always verified."""

    name: str
    hostname: str
    user: str | None = None
    port: int | None = None
    key: str | None = None
    key_password: str | None = None
    password: str | None = None
    config: str | None = None
    known_hosts: str | None = None
    use_agent: bool = True
    look_for_keys: bool = True
    retries: int = 0
    sudo: bool = False
    sudo_user: str | None = None

    @property
    def command(self) -> str:
        """What sshd is asked to run; the script comes on its standard input. sudo never asks for a password."""
        if self.sudo_user:
            return f"sudo -H -n -u {self.sudo_user} sh -s"
        return "sudo -H -n sh -s" if self.sudo else "sh -s"


def target_of(name: str, data: Mapping[str, Any]) -> Target | None:
    """None: only pyinfra can do what this data asks for."""
    if any(data.get(key) for key in _ONLY_PYINFRA):
        return None
    sudo_user = data.get("_sudo_user")
    if sudo_user is not None and not str(sudo_user).replace("-", "").replace("_", "").isalnum():
        return None
    return Target(
        name=name,
        hostname=str(data.get("ssh_hostname") or name),
        user=_text(data.get("ssh_user")),
        port=int(data["ssh_port"]) if data.get("ssh_port") else None,
        key=_text(data.get("ssh_key")),
        key_password=_text(data.get("ssh_key_password")),
        password=_text(data.get("ssh_password")),
        config=_text(data.get("ssh_config_file")),
        known_hosts=_text(data.get("ssh_known_hosts_file")),
        use_agent=bool(data.get("ssh_allow_agent", True)),
        look_for_keys=bool(data.get("ssh_look_for_keys", True)),
        retries=int(data.get("ssh_connect_retries") or 0),
        sudo=bool(data.get("_sudo")),
        sudo_user=_text(sudo_user),
    )


def _text(value: object) -> str | None:
    return str(value) if value else None
