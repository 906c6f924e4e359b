"""Renders templates/*.j2. A missing value is an error, never an empty string."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ongpu.host.paths import HEADER
from ongpu.resources import directory


@cache
def _environment() -> Environment:
    # No HTML is made here: escaping would corrupt unit files.
    return Environment(  # noqa: S701
        loader=FileSystemLoader(directory("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, **values: object) -> str:
    """The text of `templates/{template}`; `header` is given to every template."""
    return _environment().get_template(template).render(header=HEADER, **values)
