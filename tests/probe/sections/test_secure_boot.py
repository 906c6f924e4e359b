"""Secure Boot: each state of firmware, shim and kernel, and none of them for a look that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ongpu.host.boot import SecureBoot
from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.probe.output import Output, Part
from ongpu.probe.sections import secure_boot
from tests.probe.sections.samples import SECURE_BOOT, Parts, output
from tests.probe.sections.trees import on_tree, put
from tests.probe.shells import SHELLS, tool

GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
OFF = "/sys/kernel/security/lockdown\t[none] integrity confidentiality\n/sys/module/module/parameters/sig_enforce\tN"


def read(**changed: str | Part | None) -> SecureBoot:
    parts: Parts = {name: part for name, part in (SECURE_BOOT | changed).items() if part is not None}
    found = secure_boot.parse(output("secure_boot", **parts))
    assert isinstance(found, Known)
    return found.value


def test_enabled() -> None:
    found = read()
    assert value_or_none(found.mode) == "enabled"
    assert value_or_none(found.lockdown) == "integrity"
    assert value_or_none(found.refuses_unsigned) is True
    assert value_or_none(found.enrolled) == ("CN=Debian Secure Boot CA",)
    (key,) = found.keys
    assert (key.path, value_or_none(key.enrolled), value_or_none(key.pending)) == (
        "/var/lib/dkms/mok.pub",
        False,
        False,
    )


@pytest.mark.parametrize(
    ("changed", "mode", "refuses"),
    [
        ({"SecureBoot": "   0", "state": "SecureBoot disabled", "kernel": OFF}, "disabled", False),
        ({"SecureBoot": "   0", "SetupMode": "   1", "kernel": OFF}, "setup", False),
        (
            {"SecureBoot": None, "state": "SecureBoot disabled\nPlatform is in Setup Mode", "kernel": OFF},
            "setup",
            False,
        ),
        ({"SecureBoot": None, "kernel": OFF}, "enabled", True),  # mokutil alone; a kernel without lockdown is no excuse
        ({"MokSBStateRT": "   1", "kernel": OFF}, "enabled", False),
        ({"state": "SecureBoot enabled\nSecureBoot validation is disabled in shim", "kernel": OFF}, "enabled", False),
        ({"SecureBoot": "   0", "kernel": OFF.replace("\tN", "\tY")}, "disabled", True),
    ],
)
def test_states(changed: dict[str, str | None], mode: str, refuses: bool) -> None:
    found = read(**changed)
    assert value_or_none(found.mode) == mode
    assert value_or_none(found.refuses_unsigned) is refuses


def test_unknown_is_not_off() -> None:
    found = read(SecureBoot=None, state=Part(None, "", "mokutil"), kernel="")
    assert isinstance(found.mode, Unreadable)
    assert isinstance(found.refuses_unsigned, Unreadable)
    assert isinstance(found.enrolled, Unreadable)
    assert isinstance(
        read(SecureBoot="x", state=Part(255, "EFI variables are not supported"), kernel="").mode, Unreadable
    )


@pytest.mark.parametrize(
    ("words", "enrolled", "pending"),
    [
        ("/var/lib/dkms/mok.pub is already enrolled", True, False),
        ("/var/lib/dkms/mok.pub is already in the enrollment request", False, True),
    ],
)
def test_keys(words: str, enrolled: bool, pending: bool) -> None:
    (key,) = read(**{"key:/var/lib/dkms/mok.pub": Part(1, words)}).keys
    assert (value_or_none(key.enrolled), value_or_none(key.pending)) == (enrolled, pending)


def test_a_key_that_nobody_can_look_up() -> None:
    changed: Parts = {"key:/var/lib/dkms/mok.pub": None, "there:/var/lib/dkms/mok.pub": "yes"}  # type: ignore[dict-item]
    (key,) = read(**changed, state=Part(None, "", "mokutil")).keys
    assert isinstance(key.enrolled, Unreadable)


def test_no_efi_and_no_look() -> None:
    assert isinstance(secure_boot.parse(output("secure_boot", kernel="", none="no")), Absent)
    assert isinstance(secure_boot.parse(output("secure_boot", unmounted="no")), Unreadable)
    assert isinstance(secure_boot.parse(Output("secure_boot")), Unreadable)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_variables_are_read(shell: tuple[str, ...], tmp_path: Path) -> None:
    def look(tools: Path | None = None) -> Known[SecureBoot] | Absent | Unreadable:
        return secure_boot.parse(
            on_tree(shell, secure_boot.SECTION, tmp_path, tools, "/sys/firmware", "/sys/kernel", "/var/lib")
        )

    put(tmp_path, {"sys/firmware/acpi/x": ""})
    assert isinstance(look(), Absent)
    directory = tmp_path / "sys/firmware/efi/efivars"
    put(tmp_path, {"sys/kernel/security/lockdown": "none [integrity] confidentiality\n", "var/lib/dkms/mok.pub": "x"})
    directory.mkdir(parents=True)
    (directory / f"SecureBoot-{GLOBAL}").write_bytes(b"\x06\0\0\0\x01")
    tool(tmp_path / "tools", "mokutil", '[ "$1" != --test-key ] || { echo "$2 is already enrolled"; exit 1; }')
    found = look(tmp_path / "tools")
    assert isinstance(found, Known)
    assert found.value.mode == Known("enabled", "efivarfs")
    assert value_or_none(found.value.lockdown) == "integrity"
    assert [(key.path, value_or_none(key.enrolled)) for key in found.value.keys] == [("/var/lib/dkms/mok.pub", True)]
