"""The way out by hand: commands that can be copied, with what the evidence tells filled in."""

from __future__ import annotations

import re
import shlex

import pytest

from ongpu.rules.catalogue import Entry, catalogue, entry_of
from ongpu.rules.recognise import evidence_of

WITH_COMMANDS = [entry for entry in catalogue() if entry.rule.commands]
by_slug = pytest.mark.parametrize("entry", WITH_COMMANDS, ids=lambda entry: entry.rule.slug)
_PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b")
_NO_PLACEHOLDERS = {"DEFAULT", "CUDA", "OLLAMA", "ECC", "TOKEN"}  # TOKEN: only its owner has it


def by_hand(cause: str, text: str) -> tuple[str, ...]:
    return entry_of(cause).rule.by_hand(evidence_of({"paste": text}))


@by_slug
def test_a_command_is_one_line_that_a_shell_can_read(entry: Entry) -> None:
    for command in entry.rule.commands:
        assert "\n" not in command
        assert shlex.split(command, comments=True)


@by_slug
def test_every_placeholder_is_filled_or_named_in_the_text(entry: Entry) -> None:
    filled = {fill.word for fill in entry.rule.fills}
    text = " ".join(entry.manual.sections.values())
    for command in entry.rule.commands:
        bare = re.sub(r"#.*|'[^']*'|\b[A-Z]+_[A-Z_]+", "", command)
        for word in set(_PLACEHOLDER.findall(bare)) - _NO_PLACEHOLDERS:
            assert word in filled or word in text, f"{entry.rule.slug}: who knows {word}?"
    assert all(any(re.search(rf"\b{word}\b", command) for command in entry.rule.commands) for word in filled)


@pytest.mark.parametrize(
    ("cause", "evidence", "command"),
    [
        ("orphan-runner", "runner 4711 is not a child of the service (llama-server, /m)", "sudo kill 4711"),
        (
            "gpu-needs-reset",
            "GPU 0: GPU Recovery Action : Reset\nGPU 1: GPU Recovery Action : None\nGPU 3: GPU Recovery Action : Reset",
            "sudo nvidia-smi -i 0,3 -r",
        ),
        (
            "power-cap-active",
            "SW Power Cap : Active\nGPU 1: power limit 150 W, 300 W by default",
            "sudo nvidia-smi -i 1 -pl 300",
        ),
        ("power-cap-active", "SW Power Cap : Active", "sudo nvidia-smi -i INDEX -pl WATTS"),
        (
            "nvidia-module-blacklisted",
            "/etc/modprobe.d/gpu-off.conf:blacklist nvidia",
            r"sudo sed -i.bak -E 's/^[[:space:]]*(blacklist|install|alias)[[:space:]]+nvidia/# &/'"
            " /etc/modprobe.d/gpu-off.conf",
        ),
        ("num-gpu-override", "llama3:8b 365c0bd3c000 6.2 GB 48%/52% CPU/GPU 4096 Forever", "ollama stop llama3:8b"),
        (
            "server-does-not-start",
            "Error: open /usr/share/ollama/.ollama/id_ed25519: permission denied",
            "sudo chown -R ollama: /usr/share/ollama/.ollama",
        ),
    ],
)  # fmt: skip
def test_what_the_evidence_tells_is_filled_in(cause: str, evidence: str, command: str) -> None:
    assert command in by_hand(cause, evidence)


@pytest.mark.parametrize(
    "path", ["/etc/x;reboot.conf", "/etc/$(reboot).conf", "/etc/`id`.conf", "/etc/a'b.conf", "/e&"]
)
def test_a_value_that_a_shell_would_run_is_not_filled_in(path: str) -> None:
    """Pasted text is anybody's."""
    commands = by_hand("nvidia-module-blacklisted", f"{path}:blacklist nvidia")
    assert commands == entry_of("nvidia-module-blacklisted").rule.commands
