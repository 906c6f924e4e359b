"""NVRM, Xid and nouveau lines, from the journal or the ring buffer; an empty log of a running kernel is none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ongpu.host.reading import Known, Unreadable
from ongpu.host.system import KernelLog, Xid
from ongpu.probe.output import Output, Part
from ongpu.probe.sections import kernel_log
from tests.probe.sections.samples import KERNEL_LOG, output
from tests.probe.shells import SHELLS, section, tool

RING = """@now 1795350300 100.50
[   83.179235] nvidia: loading out-of-tree module taints kernel.
[   87.165422] NVRM: No NVIDIA GPU found.
@lines 800 2"""
HINT = """Hint: You are currently not seeing messages from other users and the system.
      Users in groups 'adm', 'systemd-journal' can see all messages.
@lines 0 0"""


def value(one: Output) -> KernelLog:
    found = kernel_log.parse(one)
    assert isinstance(found, Known), found
    return found.value


def unreadable(one: Output) -> Unreadable:
    found = kernel_log.parse(one)
    assert isinstance(found, Unreadable), found
    return found


def test_the_journal() -> None:
    found = value(output("kernel_log", **KERNEL_LOG))
    assert found.dropped == 0
    assert found.lines[1].text == "NVRM: No NVIDIA GPU found."
    assert found.lines[1].at == datetime.fromtimestamp(1795350281.058275, UTC)
    assert found.xids == (
        Xid(
            at=datetime.fromtimestamp(1795350301.058275, UTC),
            pci="0000:05:00.0",
            code=79,
            text="pid=1234, name=ollama, GPU has fallen off the bus.",
        ),
        Xid(
            at=datetime.fromtimestamp(1795350302.000001, UTC),
            pci="0000:01:00.0",
            code=94,
            text="pid=7194, Contained: CE User Channel (0x9).",
        ),
        Xid(at=datetime.fromtimestamp(1795350303.000001, UTC), pci="0000:03:00.0", code=14, text="Channel 00000001"),
    )
    assert "RST: No, D-RST: No" in [line.text for line in found.lines]


def test_a_healthy_log_says_nothing_about_gpus_and_is_known() -> None:
    assert value(output("kernel_log", journal="@lines 612 0")) == KernelLog(lines=(), xids=(), dropped=0)


def test_the_ring_buffer_s_times_count_from_the_boot() -> None:
    found = value(output("kernel_log", journal=Part(1, HINT), ring=RING))
    assert found.lines[1].text == "NVRM: No NVIDIA GPU found."
    assert found.lines[1].at == datetime.fromtimestamp(1795350300 - 100.5 + 87.165422, UTC)


def test_a_user_who_may_read_neither() -> None:
    ring = Part(1, "@now 1795350300 100.5\ndmesg: read kernel buffer failed: Operation not permitted\n@lines 0 0")
    found = unreadable(output("kernel_log", journal=Part(1, HINT), ring=ring))
    assert "may not read the system journal" in found.why
    assert "Operation not permitted" in found.why
    assert found.allow == kernel_log.ALLOW


@pytest.mark.parametrize(
    "parts",
    [
        {"journal": Part(1, "-- No entries --\n@lines 0 0"), "ring": Part(1, "@now 1 1.0\n@lines 0 0")},
        {"journal": Part(None, "", "journalctl"), "ring": Part(None, "", "dmesg")},
        {"journal": Part(None, "", "awk")},
        {"journal": Part(None, "")},
        {"journal": "@lines 0 0"},
        {"journal": "no count at all"},
    ],
)
def test_an_empty_log_is_none(parts: dict[str, str | Part]) -> None:
    assert unreadable(output("kernel_log", **parts)).why
    assert unreadable(Output("kernel_log")).why


def test_a_log_that_was_not_read_to_its_end_misses_the_newest_lines() -> None:
    late = Part(1, "1795350281.058275 vm kernel: NVRM: first\n@cut 124\n@lines 90000 1")
    assert value(output("kernel_log", journal=late, ring=RING)).lines[0].text.startswith("nvidia: loading")
    blind = unreadable(output("kernel_log", journal=late, ring=Part(1, "@now 1 1.0\n@cut 1\n@lines 0 0")))
    assert "journalctl -k: no answer within its time limit" in blind.why


def test_words_of_the_kernel_are_no_refusal() -> None:
    line = "1795350281.058275 vm kernel: NVRM: insufficient permissions for client"
    found = value(output("kernel_log", journal=f"{line}\n@lines 5 1"))
    assert found.lines[0].text == "NVRM: insufficient permissions for client"


@pytest.mark.parametrize("shell", SHELLS)
class TestShell:
    def journal(self, tools: Path, body: str) -> None:
        tool(tools, "journalctl", body)

    def test_lines_about_gpus_are_kept(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        log = str(KERNEL_LOG["journal"]).rsplit("\n", 1)[0].replace("'", "")
        self.journal(tmp_path, f"cat <<'X'\n1795350270.000000 vm kernel: usb 1-1: new device\n{log}\nX")
        found = value(section(shell, kernel_log.SECTION, tmp_path))
        assert [xid.code for xid in found.xids] == [79, 94, 14]
        assert not [line for line in found.lines if "usb" in line.text]

    def test_a_flood_keeps_its_beginning_and_its_end(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        flood = '"17953%05d.000001 vm kernel: NVRM: Xid (PCI:0000:05:00): 31, n=%d\\n", i, i'
        self.journal(tmp_path, f"awk 'BEGIN {{ for (i = 1; i <= 20000; i++) printf {flood} }}'")
        found = value(section(shell, kernel_log.SECTION, tmp_path))
        assert len(found.xids) == kernel_log.FIRST + kernel_log.LAST
        assert (found.xids[0].text, found.xids[-1].text) == ("n=1", "n=20000")
        assert found.dropped == 20000 - kernel_log.FIRST - kernel_log.LAST

    def test_a_journal_that_fails_midway_leads_to_the_ring(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        self.journal(tmp_path, "echo '1795350281.058275 vm kernel: NVRM: from the journal'; exit 1")
        tool(tmp_path, "dmesg", "echo '[    1.000000] NVRM: from the ring'")
        assert value(section(shell, kernel_log.SECTION, tmp_path)).lines[0].text == "NVRM: from the ring"
        tool(tmp_path, "dmesg", "echo 'dmesg: read kernel buffer failed: Operation not permitted' >&2; exit 1")
        blind = unreadable(section(shell, kernel_log.SECTION, tmp_path))
        assert blind.allow == kernel_log.ALLOW
