"""What a witness is, and short ways to say something."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ongpu.host.result import Evidence, Testimony, WitnessSays
from ongpu.proof.case import Case

Statement = tuple[WitnessSays, str, tuple[Evidence, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One file in `ongpu.proof.witnesses` that defines `WITNESS`.

    `rank`: its place in reports. `places`: it tells where the model's bytes are. `testify` does not
    raise: what it cannot see makes it silent, with the reason.
    """

    name: str
    rank: int
    places: bool
    testify: Callable[[Case], Statement]

    def hear(self, case: Case) -> Testimony:
        """Never raises: one witness's bug must not keep the others from being heard."""
        try:
            says, why, evidence = self.testify(case)
        except Exception as error:  # noqa: BLE001 - silent is the safe side; tests hunt for it
            says, why, evidence = silent(f"ongpu bug, please report: {error!r}"[:500])
        return Testimony(witness=self.name, says=says, why=why, evidence=evidence)


def yes(why: str, evidence: Iterable[Evidence] = ()) -> Statement:
    return "yes", why, tuple(evidence)


def no(why: str, evidence: Iterable[Evidence] = ()) -> Statement:
    return "no", why, tuple(evidence)


def silent(why: str, evidence: Iterable[Evidence] = ()) -> Statement:
    return "silent", why, tuple(evidence)


def blind(why: str, allow: str = "") -> Statement:
    """Silent because something could not be read; `allow` says what would allow it."""
    return "silent", f"{why}; to allow it: {allow}" if allow else why, ()


def gib(size: float) -> str:
    """Bytes for people: `6.2 GiB`, `812 MiB` below one GiB."""
    return f"{size / 1024**3:.1f} GiB" if size >= 1024**3 else f"{size / 1024**2:.0f} MiB"
