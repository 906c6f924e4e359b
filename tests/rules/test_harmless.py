"""What a working host also says: warnings of other parts, leftovers, debug output. None of it is a finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from ongpu.rules.diagnose import diagnose
from ongpu.rules.recognise import evidence_of

TEXTS = Path(__file__).with_name("harmless.txt").read_text().strip().split("\n====\n")
FOUND = (
    'time=2025-08-01T10:00:00Z level=INFO source=types.go:130 msg="inference compute" id=GPU-1 library=cuda '
    'variant=v12 compute=8.6 driver=12.8 name="NVIDIA RTX A6000" total="47.4 GiB" available="46.9 GiB"'
)
LOADED = 'time=2025-08-01T10:00:04Z level=INFO source=ggml.go:367 msg="offloaded 49/49 layers to GPU"'


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:60])
def test_a_working_host_that_says_this_is_well(text: str) -> None:
    for order in ((FOUND, text, LOADED), (FOUND, LOADED, text), (text, FOUND, LOADED)):
        found = diagnose(evidence_of({"paste": "\n".join(order)}))
        assert found.verdict == "ok", found.summary
        assert not [finding for finding in found.findings if finding.severity != "info"]
