from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given, settings

from ongpu.host.result import FleetResult
from ongpu.report import renderer
from tests.report.samples import ANY_FLEET, MIXED, drifted, fleet, hostile, large

VOID = {"meta", "input", "br", "hr", "link", "img"}


class Page(HTMLParser):
    """Collects tags and texts; fails on what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    def rows(self) -> dict[str, dict[str, str | None]]:
        return {str(attributes["data-n"]): attributes for tag, attributes in self.tags if tag == "tbody"}


def page(result: FleetResult) -> Page:
    return Page(renderer("html")(result))


def test_grid_and_details() -> None:
    seen = page(MIXED)
    assert list(seen.rows()) == ["gpu04", "gpu03", "gpu05", "gpu01", "gpu02"]  # worst first
    text = " ".join(" ".join(seen.texts).split())
    for told in (
        "gpu01 ok read as declared 1 of 1 on GPU none 6.0/23 GiB",
        "gpu03 findings read 2 to change none 1 critical",
        "gpu04 failed read as declared 1 of 1 not on GPU",
        "gpu05 unknown unreachable not known not known not known",
        "nvidia-smi: Failed to initialize NVML: Driver/library version mismatch",
        "Fix (reboot): reload the module, or reboot",
        "0 of 1 loaded",
    ):
        assert told in text, told


def test_nothing_is_fetched() -> None:
    text = renderer("html")(large(20))
    assert not re.search(r"\b(?:src|href)\s*=|@import|url\(|fetch\(|https?://", text)
    assert "default-src 'none'" in text


def test_hostile_texts_stay_texts() -> None:
    clean, seen = page(fleet()), page(fleet(hostile()))
    assert {tag for tag, _ in seen.tags} >= {"tbody"}
    scripts = [tag for tag, _ in seen.tags if tag == "script"]
    assert scripts == [tag for tag, _ in clean.tags if tag == "script"] == ["script"]
    assert not [name for _, attributes in seen.tags for name in attributes if name.startswith("on")]
    assert "{{ 7 * 7 }}" in "".join(seen.texts)


@given(ANY_FLEET)
@settings(max_examples=25, deadline=None)
def test_any_record_is_a_whole_page(result: FleetResult) -> None:
    rows = page(result).rows()
    assert len(rows) == len({host.host for host in result.hosts})


def test_a_thousand_hosts_stay_small() -> None:
    assert len(renderer("html")(large(1000)).encode()) < 2_000_000


def test_a_change_of_the_whole_fleet_is_written_out_once() -> None:
    hosts = [drifted(f"gpu{number:02}") for number in range(40)]
    text = "".join(page(fleet(*hosts)).texts)
    assert text.count("OLLAMA_CONTEXT_LENGTH=8192") == 1
    assert text.count("(the same diff as on gpu00)") == 39
