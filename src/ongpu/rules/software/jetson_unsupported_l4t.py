"""This Jetson's Linux (L4T) is too old for Ollama.

What it means: The L4T release is older than those that Ollama has a CUDA build for.
Why it matters: The GPU cannot be used by this Ollama release.
How it comes about: JetPack 4 (L4T R32) or another release without a build.
Fix: Upgrade to JetPack 5 or 6 where the module allows it (R35, R36), or build Ollama for the installed CUDA.
Fix safety: manual.
References: Ollama discover/gpu.go ("unsupported L4T version").
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import places
from ongpu.rules.rule import Hit, Rule, likely, proven

_SAID = words(r"unsupported (?:L4T|JetPack) version[^\n]{0,80}")
_OLD = words(
    r"^# R(?:2\d|3[0-4]) \(release\)", r"\bL4T R?(?:2\d|3[0-4])\.\d", r"\bJetPack 4\b", r"L4T_VERSION=(?:2\d|3[0-4])\."
)
_OLDEST = 35


def check(seen: Evidence) -> Hit | None:
    release = places.l4t(seen)
    if (line := seen.find(_SAID)) and (release is None or release < _OLDEST):
        return proven("this Jetson's L4T release is not supported by Ollama", line)
    old = seen.told(_OLD)
    return likely("this Jetson's L4T release is older than R35, the oldest that Ollama supports", old) if old else None


RULE = Rule(
    id="SW-033",
    slug="jetson-unsupported-l4t",
    severity="critical",
    check=check,
    needs=("system", "log"),
    explains=("jetson-wrong-runtime", "jetson-wrong-cuda"),
    fires=(
        'level=WARN msg="unsupported L4T version" nv_tegra_release="# R32 (release), REVISION: 7.1"',
        "# R32 (release), REVISION: 7.4, GCID: 33514132, BOARD: t210ref",
    ),
    quiet=("# R36 (release), REVISION: 4.0, GCID: 1, BOARD: generic",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)
