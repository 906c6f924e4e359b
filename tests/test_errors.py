from __future__ import annotations

from ongpu.errors import Exit, worst


def test_precedence_of_exit_codes() -> None:
    assert worst([Exit.OK, Exit.UNKNOWN]) == 3
    assert worst([Exit.UNKNOWN, Exit.REFUSED]) == 4
    assert worst([Exit.REFUSED, Exit.FINDINGS]) == 2
    assert worst([Exit.FINDINGS, Exit.ERROR]) == 1
    assert worst([Exit.ERROR, Exit.INTERRUPTED]) == 130


def test_nothing_looked_at_is_never_a_success() -> None:
    assert worst([]) == 1
