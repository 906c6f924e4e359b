"""The catalogue of root causes: `ongpu rules` lists them, `ongpu rules SW-003` shows a manual page."""

from __future__ import annotations

import textwrap

import click

from ongpu.errors import Exit
from ongpu.report._text import columns
from ongpu.rules.catalogue import Entry, catalogue, entry_of


@click.command("rules", help=__doc__)
@click.argument("names", nargs=-1, metavar="[ID|CAUSE]...")
def command(names: tuple[str, ...]) -> int:
    if names:
        click.echo("\n\n".join(page(entry_of(name)) for name in names))
    else:
        head = ("ID", "CAUSE", "SEVERITY", "FIX", "MEANING")
        rows = [(e.rule.id, e.rule.slug, e.rule.severity, e.manual.safety, e.manual.title) for e in catalogue()]
        click.echo("\n".join(columns([head, *rows])))
    return Exit.OK


def page(entry: Entry) -> str:
    """A rule's manual page as plain text."""
    rule = entry.rule
    parts = [f"{rule.id}  {rule.slug}  ({entry.part}, {rule.severity})\n{entry.manual.title}."]
    parts += [
        f"{heading}\n{textwrap.fill(text, 100, initial_indent='  ', subsequent_indent='  ')}"
        for heading, text in entry.manual.sections.items()
    ]
    if rule.commands:
        parts.append("Commands\n" + "\n".join(f"  $ {command}" for command in rule.commands))
    if rule.explains:
        parts.append(f"Explains\n  {', '.join(rule.explains)}")
    return "\n\n".join(parts)
