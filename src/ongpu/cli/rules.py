"""The catalogue of root causes: `ongpu rules` lists them, `ongpu rules SW-003` shows a manual page.

The pages are those of docs/rules.
"""

from __future__ import annotations

from pathlib import Path

import click

from ongpu.errors import Exit, OngpuError
from ongpu.report._text import columns
from ongpu.rules.catalogue import catalogue, entry_of
from ongpu.rules.pages import GENERATED, files, page


@click.command("rules", help=__doc__)
@click.argument("names", nargs=-1, metavar="[ID|CAUSE]...")
@click.option("--write", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Write all pages as files.")
def command(names: tuple[str, ...], folder: Path | None) -> int:
    if folder is not None:
        if names:
            raise click.UsageError("--write writes every page: give no ID with it.")
        write(folder)
    elif names:
        click.echo("\n\n\n".join(page(entry_of(name)) for name in names))
    else:
        head = ("ID", "CAUSE", "SEVERITY", "FIX", "MEANING")
        rows = [(e.rule.id, e.rule.slug, e.rule.severity, e.manual.safety, e.manual.title) for e in catalogue()]
        click.echo("\n".join(columns([head, *rows])))
    return Exit.OK


def write(folder: Path) -> None:
    """Every page, and the list. A page of ours that no rule has any more is removed; other files are left alone.

    Raises OngpuError when the directory cannot be written.
    """
    texts = files(catalogue())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        for old in folder.glob("*.md"):
            if old.name not in texts and old.read_text(encoding="utf-8", errors="replace").startswith(GENERATED):
                old.unlink()
    except OSError as error:
        raise OngpuError(f"cannot write {error.filename or folder}: {error.strerror}") from None
