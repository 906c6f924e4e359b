"""A model that is not loaded now is neither good nor bad, in the table as in the other formats."""

from __future__ import annotations

from ongpu.report import renderer
from tests.report.samples import fleet, idle, proven


def test_the_table_says_so_without_alarm() -> None:
    text = renderer("table")(fleet(proven(), idle()))
    row = next(line for line in text.split("\n") if "qwen3:8b" in line)
    assert row.rstrip().endswith("not loaded")
    assert "gpu02  " not in text.split("\n\n")[-1]
    assert text.endswith("2 hosts: 2 ok; 1 of 2 models proven fully on GPU, 1 not loaded now\n")
