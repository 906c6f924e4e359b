"""Thousands of arbitrary environments, rendered as our drop-in, and what real systemd made of them: the same, or the
inventory refused the value before. A printed seed (`ONGPU_LAB_SEED`) repeats a run."""

from __future__ import annotations

import base64
import io
import os
import random
import tarfile
import time

import pytest
from pydantic import ValidationError

from ongpu.plan.render import render
from ongpu.plan.systemd import assignment
from ongpu.probe import systemd
from ongpu.spec.model import Ollama
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

UNITS = 2000
STARTED = 80  # of them are started, to see what a process really gets
# What unit files, C escapes, specifiers, shells and Unicode give a meaning, and pieces that only together have one.
PIECES = [
    *" '\"\\%$`#;=:,{}[]()<>|&*?!~^@/.-_+", "%n", "%%", "%h", "\\n", "\\x41", "\\101", "\\u00e9", "\\s", "${HOME}",
    "$X", "$$", "''", '""', "\\\\", "\\", "A=B", " A=B", "[Service]", "#", ";", "a", "Z", "0", "é", "ß", "\u2003",
    "\u00a0", "\u2028", "\u2029", "\u0085", "\u009b", "\ufeff", "\u200e", "漢", "🦙", "\U0010fffd", "\u0301", "e" * 300,
]  # fmt: skip
REFUSED = ["\n", "\r", "\t", "\x00", "\x1b", "\x7f", "\ufdd0", "\ufffe", "\U0001ffff", "\ud800"]


def environments(chance: random.Random) -> list[dict[str, str]]:
    def value() -> str:
        kind = chance.random()
        if kind < 0.05:
            return "".join(chance.choices(PIECES + REFUSED, k=chance.randint(1, 6)))
        if kind < 0.15:
            text = "".join(chr(chance.randrange(0x20, 0x3000)) for _ in range(chance.randint(1, 20)))
            return text + chr(chance.randrange(0x10000, 0x110000))
        return "".join(chance.choices(PIECES, k=chance.choice([0, 1, 1, 2, 3, 5, 8, 13])))

    names = ["HF_HOME", "A", "_x9", "HTTPS_PROXY", "OLLAMA_ORIGINS", "PATH", "a_b"]
    return [
        {name: value() for name in chance.sample(names, chance.randint(1, 4))} | {"COUNT": str(number)}
        for number in range(UNITS)
    ]


def refusal(environment: dict[str, str]) -> str:
    """The inventory's sentence about it; empty when it is accepted."""
    try:
        Ollama.model_validate({"release": "0.32.15", "env": environment})
    except ValidationError as error:
        (one,) = error.errors()
        assert "\n" not in one["msg"].removesuffix("\n")
        return str(one["msg"])
    return ""


def archive(accepted: dict[str, dict[str, str]]) -> str:
    """A tar file in base64: a unit for each environment, with our drop-in beside it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for unit, environment in accepted.items():
            drop_in = render(
                "ollama-override.conf.j2",
                environment=[assignment(name, value) for name, value in environment.items()],
                exec_start="",
                opened=(),
                wait_seconds=1,
            )
            service = (
                f"[Service]\nType=oneshot\nExecStart=/usr/bin/env -0\nStandardOutput=truncate:/run/quoting/{unit}\n"
            )
            for path, text in ((unit, service), (f"{unit}.d/50-ongpu.conf", drop_in)):
                entry = tarfile.TarInfo(path)
                entry.size = len(text.encode())
                tar.addfile(entry, io.BytesIO(text.encode()))
    return base64.encodebytes(buffer.getvalue()).decode()


def test_systemd_understands_what_was_declared(host: Host) -> None:
    seed = os.environ.get("ONGPU_LAB_SEED") or str(time.time_ns())
    print(f"ONGPU_LAB_SEED={seed}")
    tried = {f"q{n}.service": one for n, one in enumerate(environments(random.Random(seed)))}
    refused = {unit: sentence for unit, one in tried.items() if (sentence := refusal(one))}
    assert UNITS / 100 < len(refused) < UNITS / 4
    accepted = {unit: one for unit, one in tried.items() if unit not in refused}

    unpack = "mkdir /run/quoting; base64 -d | tar -x -C /run/systemd/system; systemctl daemon-reload"
    done = host.lab.run(host.name, "sh", "-euc", unpack, stdin=archive(accepted))
    assert done.returncode == 0, done.stderr
    _shown_as_declared(host, accepted)
    _given_as_declared(host, accepted)
    assert host.run("journalctl -b -t systemd | grep -F 50-ongpu.conf").stdout == "", "systemd complains about a line"


def _shown_as_declared(host: Host, accepted: dict[str, dict[str, str]]) -> None:
    shown = host.lab.run(
        host.name, "sh", "-euc", "systemctl show -p Environment $(cat) | base64", stdin=" ".join(accepted)
    )
    assert shown.returncode == 0, shown.stderr
    parts = base64.b64decode(shown.stdout).decode().rstrip("\n").split("\n\n")
    assert len(parts) == len(accepted)
    for (unit, declared), text in zip(accepted.items(), parts, strict=True):
        assert systemd.environment(systemd.properties(text)["Environment"]) == declared, (unit, text)


def _given_as_declared(host: Host, accepted: dict[str, dict[str, str]]) -> None:
    some = list(accepted)[:STARTED]
    host.out(f"systemctl start {' '.join(some)}", timeout=200)
    for unit in some:
        text = base64.b64decode(host.out(f"base64 </run/quoting/{unit}")).decode()
        given = dict(variable.split("=", 1) for variable in text.rstrip("\0").split("\0"))
        assert {name: given.get(name) for name in accepted[unit]} == accepted[unit], unit
