from __future__ import annotations

import configparser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ongpu_lab.vendor import knobs
from ongpu_lab.vendor.knobs import Fault

TEXT = """
[*]
delay = 0.5
[github.com]
status = 503
[github.com/ollama/ollama/releases/download/v1/]
truncate = 10
[registry.ollama.ai]
down = yes
bytes_per_second = 1000
corrupt = on
"""


def test_the_longest_section_decides(tmp_path: Path) -> None:
    path = tmp_path / "knobs.ini"
    path.write_text(TEXT)
    parser = knobs.read(path)
    assert knobs.fault_for(parser, "github.com", "/other") == Fault(status=503)
    assert knobs.fault_for(parser, "github.com", "/ollama/ollama/releases/download/v1/x") == Fault(truncate=10)
    assert knobs.fault_for(parser, "registry.ollama.ai", "/v2/") == Fault(
        down=True, bytes_per_second=1000, corrupt=True
    )
    assert knobs.fault_for(parser, "elsewhere", "/") == Fault(delay=0.5)


def test_no_file_means_no_faults(tmp_path: Path) -> None:
    assert knobs.fault_for(knobs.read(tmp_path / "none.ini"), "github.com", "/") == knobs.NONE


@pytest.mark.parametrize("text", ["[github.com]\nstatus = soon\n", "[github.com]\ndown = perhaps\n"])
def test_a_value_of_the_wrong_kind_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "knobs.ini"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"soon|perhaps"):
        knobs.fault_for(knobs.read(path), "github.com", "/")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8")))
def test_any_text_is_faults_or_an_error_that_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "knobs.ini"
    path.write_text(text)
    try:
        found = knobs.fault_for(knobs.read(path), "github.com", "/")
    except (configparser.Error, ValueError):
        return
    assert isinstance(found, Fault)
