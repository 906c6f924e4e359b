"""Releases of Ollama that nothing leads back to any more: one takes 2 to 5 GB. What runs, what is declared and what was
in use before it stay: `ongpu undo` and the way back of a restart need them.

A resource of its own after `restart`: until the new release has proven healthy, nothing of the old ones is touched.
"""

from __future__ import annotations

from ongpu.host.paths import RELEASES
from ongpu.host.reading import Known, value_or_none
from ongpu.plan import shell
from ongpu.plan.context import Context, Resource
from ongpu.plan.types import Change


def _changes(context: Context) -> list[Change]:
    install = value_or_none(context.snapshot.ollama)
    if install is None:
        return []
    declared = context.spec.ollama.release
    current = install.release.value if isinstance(install.release, Known) else ""
    before = install.previous if current == declared else current
    if not before:
        return []  # links of an earlier ongpu, or links that could not be read: nobody knows which is the way back
    old = [version for version in install.kept if version not in (declared, before)]
    if not old:
        return []
    context.wait_for("fit", "account", "ollama", "unit", "override", "restart")
    stays = f"{before} stays, for `ongpu undo`" if before in install.kept else f"{declared} stays"
    step = shell.run(f"remove ollama {', '.join(old)}", "ollama-tidy", OLD=" ".join(old), RELEASES=RELEASES)
    return [Change(resource="tidy", summary=f"remove ollama {', '.join(old)} ({stays})", steps=(step,))]


RESOURCE = Resource(name="tidy", applies=lambda spec: spec.ollama.wanted, changes=_changes)
