"""The page in a real browser: no error on its console, and quick with 1,000 hosts. Needs Chromium."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ongpu.host.result import FleetResult
from ongpu.report import renderer
from tests.report.samples import MIXED, fleet, hostile, large

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium here")]

# Opens every host and sorts by each column: what an operator does, and what would throw.
_CLICKS = """<script>addEventListener("load", () => {
  const before = performance.now();
  for (const head of document.querySelectorAll("th button[data-key]")) head.click();
  for (const chip of document.querySelectorAll("[data-verdict]")) { chip.click(); chip.click(); }
  const query = document.getElementById("q");
  query.value = "gpu"; query.dispatchEvent(new Event("input"));
  query.value = ""; query.dispatchEvent(new Event("input"));
  for (const row of [...document.querySelectorAll(".h")].slice(0, 50)) row.click();
  const open = document.querySelectorAll(".d:not([hidden])").length;
  document.title = `open=${open} ms=${Math.round(performance.now() - before)}`;
});</script></body>"""


def browse(result: FleetResult, tmp_path: Path) -> tuple[str, str]:
    """The page's title after the clicks, and what its console said."""
    file = tmp_path / "page.html"
    file.write_text(renderer("html")(result).replace("</body>", _CLICKS), encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr", "--dump-dom", file.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    title = done.stdout.partition("<title>")[2].partition("</title>")[0]
    return title, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@pytest.mark.parametrize(
    ("result", "opened"), [(MIXED, 5), (fleet(hostile()), 1), (large(1000), 50)], ids=["mixed", "hostile", "1000 hosts"]
)
def test_the_page_works_without_console_errors(result: FleetResult, opened: int, tmp_path: Path) -> None:
    title, console = browse(result, tmp_path)
    assert console == ""
    assert title.startswith(f"open={opened} ")
