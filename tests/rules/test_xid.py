from __future__ import annotations

import pytest

from ongpu.rules.recognise import evidence_of
from ongpu.rules.xid import TABLE, meaning, xids


@pytest.mark.parametrize(
    ("line", "code", "address"),
    [
        ("NVRM: Xid (PCI:0000:05:00): 79, pid=1234, name=ollama, GPU has fallen off the bus.", 79, "0000:05:00.0"),
        ("NVRM: Xid (PCI:0000:05:00): 31, pid='<unknown>', name=<unknown>, Ch 00000008", 31, "0000:05:00.0"),
        ("NVRM: Xid (PCI:0000:01:00 GPU-I:05): 94, pid=7194, Contained: CE User Channel", 94, "0000:01:00.0"),
        ("NVRM: Xid (PCI:0000:18:00): 95, Uncontained: LTC TAG (0x2, 0x1). RST: Yes", 95, "0000:18:00.0"),
        ("NVRM: Xid (0000:03:00): 14, Channel 00000001", 14, "0000:03:00.0"),
        ("[  12.5] NVRM: Xid (PCI:0018:01:00): 149, NETIR_LINK_EVT Fatal XC0", 149, "0018:01:00.0"),
    ],
)
def test_every_form_of_the_line(line: str, code: int, address: str) -> None:
    (found,) = xids(evidence_of({"dmesg": line}))
    assert (found.code, found.address) == (code, address)


def test_an_sxid_of_a_switch_is_none_of_a_gpu() -> None:
    assert xids(evidence_of({"dmesg": "nvidia-nvswitch3: SXid (PCI:0000:05:00.0): 12028, Non-fatal"})) == []


def test_meanings() -> None:
    assert meaning(79).action == "reboot"
    assert meaning(43).action == "ignore"
    assert meaning(9999).action == "check hardware"
    assert len(TABLE) > 90
