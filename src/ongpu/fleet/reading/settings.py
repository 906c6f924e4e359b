"""A host's connection settings for asyncssh: from its data, its ssh_config, known_hosts and keys.

asyncssh 2.24 reads ssh_config too, but each time in full, takes `UserKnownHostsFile none` for "do not verify", gives
`Match exec` no tokens, splits a ProxyCommand itself instead of giving it to a shell, and opens a connection of its own
through a jump host for each host. So its parser is used, and its settings are put together here.
"""

from __future__ import annotations

import getpass
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import asyncssh
from asyncssh.config import ConfigParseError, SSHClientConfig

from ongpu.errors import ConfigError
from ongpu.fleet.reading.ssh_config import keywords, lines_for
from ongpu.fleet.reading.target import Target
from ongpu.fleet.reading.way import ALIVE_COUNT, ALIVE_SECONDS, CONNECT_SECONDS

# What asyncssh does not know, and what changes whether or as whom a host is reached: then OpenSSH does it.
NOT_IN_ASYNCSSH = frozenset({
    "knownhostscommand", "revokedhostkeys", "verifyhostkeydns", "bindinterface", "proxyusefdpass",
    "hostbasedacceptedalgorithms", "hostbasedauthentication", "pkcs11provider", "securitykeyprovider",
    "canonicalizehostname", "gssapiauthentication", "gssapikeyexchange", "requiredrsasize", "localcommand",
    "fingerprinthash", "enablesshkeysign",
})  # fmt: skip
_HARMLESS = ("no", "none", "false")
# Fast with the processor's AES instructions, which every server and laptop of the last ten years has.
_CIPHERS = (
    "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr", "aes256-ctr",
    "aes192-ctr",
)  # fmt: skip
_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


class NeedsOpenSSH(Exception):
    """asyncssh cannot do what the configuration asks for; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`arguments` go to asyncssh.connect. At most one of `jump` (`user@host:port,…`) and `proxy` (a shell command)."""

    host: str
    port: int
    known: asyncssh.SSHKnownHosts
    arguments: Mapping[str, Any] = field(default_factory=dict)
    jump: str = ""
    proxy: str = ""
    alias: str = ""


def settings_of(target: Target) -> Settings:
    """Raises NeedsOpenSSH; ConfigError for a file that cannot be read, or a key that is none."""
    lines = lines_for(target.config, target.hostname)
    _require_asyncssh(lines)
    config = _parsed(tuple(lines), target)
    alias = str(config.get("HostKeyAlias") or "")
    arguments = {
        "username": target.user or config.get("User") or _local_user(),
        "known_hosts": (known := _known_hosts(_known_files(target, config))),
        "host_key_alias": alias or None,
        "config": None,
        "connect_timeout": config.get("ConnectTimeout") or CONNECT_SECONDS,
        "login_timeout": 60,
        "keepalive_interval": config.get("ServerAliveInterval") or ALIVE_SECONDS,
        "keepalive_count_max": config.get("ServerAliveCountMax") or ALIVE_COUNT,
        "encryption_algs": config.get("Ciphers") or _CIPHERS,
        "compression_algs": ["zlib@openssh.com", "none"] if config.get("Compression") else ["none"],
        "gss_auth": False,
        "gss_kex": False,
        "host_based_auth": False,
        "kbdint_auth": False,
        "password": target.password,
        "password_auth": target.password is not None,
        "x509_trusted_certs": None,
        "x509_trusted_cert_paths": [],
        "agent_forwarding": False,
        "x11_forwarding": False,
        "encoding": None,
        **_given(config),
        **_keys(target, config),
    }
    jump, proxy = str(config.get("ProxyJump") or ""), str(config.get("ProxyCommand") or "")
    return Settings(
        host=str(config.get("Hostname") or target.hostname),
        port=target.port or cast("int", config.get("Port")) or 22,
        known=known,
        arguments=arguments,
        jump=jump,
        proxy="" if jump else proxy,
        alias=alias,
    )


def _require_asyncssh(lines: Sequence[str]) -> None:
    if missing := keywords(lines) & NOT_IN_ASYNCSSH:
        for line in lines:
            words = line.replace("=", " ", 1).split()
            if words[0].lower() in missing and words[1:2] and words[1].strip('"').lower() not in _HARMLESS:
                raise NeedsOpenSSH(words[0])
    if any(line.lower().startswith("match") and "exec" in line.lower().split() for line in lines):
        raise NeedsOpenSSH("Match exec")


def _parsed(lines: tuple[str, ...], target: Target) -> SSHClientConfig:
    """Through a file, for asyncssh's parser takes nothing else. Hosts whose lines are the same, and name nothing of the
    host, share what was parsed."""
    depends = any("%" in line or "$" in line or line.lower().startswith("match") for line in lines)
    return _parse(lines, target.user or "", target.port or 0, target.hostname if depends else "host")


@lru_cache(4096)
def _parse(lines: tuple[str, ...], user: str, port: int, host: str) -> SSHClientConfig:
    with tempfile.NamedTemporaryFile("w", prefix="ongpu-ssh-", suffix=".conf", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        arguments = (False, False, False, _local_user(), user or (), host, port or ())
        try:
            return cast("SSHClientConfig", SSHClientConfig.load(cast("Any", None), [file.name], *arguments))
        except ConfigParseError as error:
            raise NeedsOpenSSH(str(error).partition(": ")[2]) from None


def _given(config: SSHClientConfig) -> dict[str, Any]:
    """Settings that go on as they are, where they are given."""
    names = {
        "AddressFamily": "family",
        "KexAlgorithms": "kex_algs",
        "MACs": "mac_algs",
        "HostKeyAlgorithms": "server_host_key_algs",
        "PreferredAuthentications": "preferred_auth",
        "PubkeyAuthentication": "public_key_auth",
        "TCPKeepAlive": "tcp_keepalive",
        "SetEnv": "env",
        "SendEnv": "send_env",
    }
    found = {argument: config.get(name) for name, argument in names.items() if config.get(name) is not None}
    if bind := config.get("BindAddress"):
        found["local_addr"] = (bind, 0)
    return found


def _known_files(target: Target, config: SSHClientConfig) -> tuple[str, ...]:
    if target.known_hosts:
        return (target.known_hosts,)
    own = config.get("UserKnownHostsFile")
    everybodys = config.get("GlobalKnownHostsFile")
    return (
        *(("~/.ssh/known_hosts", "~/.ssh/known_hosts2") if own is None else cast("list[str]", own)),
        *(("/etc/ssh/ssh_known_hosts",) if everybodys is None else cast("list[str]", everybodys)),
    )


@lru_cache(64)
def _known_hosts(files: tuple[str, ...]) -> asyncssh.SSHKnownHosts:
    """What is not there knows no host; a line that asyncssh does not understand is left out, as OpenSSH does."""
    known = asyncssh.import_known_hosts("")
    for name in files:
        try:
            text = Path(name).expanduser().read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        try:
            known.load(text)
        except ValueError:
            _load_each(known, text)
    return known


def _load_each(known: asyncssh.SSHKnownHosts, text: str) -> None:
    known.__init__()  # type: ignore[misc]  # what came before the bad line would be there twice
    for line in text.split("\n"):
        try:
            known.load(line)
        except ValueError:
            continue


def _keys(target: Target, config: SSHClientConfig) -> dict[str, Any]:
    files = [target.key] if target.key else cast("list[str]", config.get("IdentityFile") or [])
    defaults = not files and target.look_for_keys
    if defaults:
        files = [f"~/.ssh/{name}" for name in _DEFAULT_KEYS]
    keys = [key for file in files for key in _loaded(file, target.key_password, bool(target.key))]
    agent = None if not target.use_agent or target.key else config.get("IdentityAgent", os.environ.get("SSH_AUTH_SOCK"))
    if agent == "SSH_AUTH_SOCK":
        agent = os.environ.get("SSH_AUTH_SOCK")
    found: dict[str, Any] = {"client_keys": keys or None, "agent_path": agent and str(Path(str(agent)).expanduser())}
    if certificates := config.get("CertificateFile"):
        found["client_certs"] = certificates
    if found["agent_path"] and not keys:
        found["client_keys"] = ()  # None would leave out the agent as well
    if config.get("IdentitiesOnly") and found["agent_path"]:
        public = [file for file in files if Path(f"{file}.pub").expanduser().is_file()]
        found |= {"agent_identities": [f"{Path(file).expanduser()}.pub" for file in public]} if public else {}
        found["agent_path"] = found["agent_path"] if public else None
    return found


@lru_cache(1024)
def _loaded(file: str, passphrase: str | None, is_asked_for: bool) -> list[Any]:
    """A key file, with its certificate and alone, read once for all hosts. What the host's data ask for has to be
    there; of the rest, what can be used."""
    path = Path(file).expanduser()
    try:
        key = asyncssh.read_private_key(str(path), passphrase=passphrase)
        beside = Path(f"{path}-cert.pub")
        return [*([(key, asyncssh.read_certificate(str(beside)))] if beside.is_file() else []), key]
    except (OSError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        if is_asked_for:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigError(f"authentication failed (key file {path}: {why})") from None
        return []


@lru_cache(1)
def _local_user() -> str:
    return getpass.getuser()
