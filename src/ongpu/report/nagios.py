"""For Nagios, Icinga and what speaks like them: one line with performance data, then a line per host that is not fine.

Exit codes are the plugin interface's: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
(https://www.monitoring-plugins.org/doc/guidelines.html). Drift is a warning; a model that is proven not to be on the
GPU, a failed change and a critical finding are critical.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from ongpu.host.result import FleetResult, HostResult
from ongpu.report._text import plural

_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_BAD_FIRST = (2, 1, 3, 0)  # as ongpu's own exit codes: what is known to be bad goes before what is not known
_LINE = 1000  # NRPE before version 3 cuts everything off at 1024 bytes, performance data too
_HOSTS = 50


def exit_code(result: FleetResult) -> int:
    """Of the worst host; an empty fleet is UNKNOWN."""
    codes = {_code(host) for host in result.hosts} or {3}
    return next(code for code in _BAD_FIRST if code in codes)


def trouble(sentence: str) -> tuple[str, int]:
    """Output and exit code where ongpu could not do its job."""
    return f"ONGPU UNKNOWN - {_clean(sentence)[:_LINE]}\n", 3


def render(result: FleetResult) -> str:
    hosts = sorted(result.hosts, key=lambda host: (_BAD_FIRST.index(_code(host)), host.host))
    unwell = [host for host in hosts if _code(host)]
    worst = f"; {_clean(unwell[0].host)}: {_clean(unwell[0].summary)}" if unwell else ""
    numbers = " ".join(_performance(result))
    head = f"ONGPU {_WORDS[exit_code(result)]} - {_counts(result)}{worst}"
    room = max(80, _LINE - len(numbers))
    lines = [f"{head if len(head) <= room else head[: room - 3] + '...'} | {numbers}"]
    lines += [f"{_WORDS[_code(host)]} {_clean(host.host)}: {_clean(host.summary)}" for host in unwell[:_HOSTS]]
    if len(unwell) > _HOSTS:
        lines.append(f"and {plural(len(unwell) - _HOSTS, 'host')} more")
    return "\n".join(lines) + "\n"


def _code(host: HostResult) -> int:
    match host.alarm:
        case "ok":
            return 0
        case "failed":
            return 2
        case "findings":
            return 2 if any(finding.severity == "critical" for finding in host.findings) else 1
        case "refused":
            return 1
        case "unknown":
            return 3


def _counts(result: FleetResult) -> str:
    if not result.hosts:
        return "no hosts"
    counts = Counter(host.verdict for host in result.hosts)
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    return f"{plural(len(result.hosts), 'host')}: {told}"


def _performance(result: FleetResult) -> Iterator[str]:
    """`label=value[unit];warn;crit;min;max`"""
    total = len(result.hosts)
    hosts = Counter(host.verdict for host in result.hosts)
    models = Counter(model.verdict for host in result.hosts for model in host.models)
    yield f"hosts={total};;;0"
    for verdict in ("ok", "findings", "failed", "refused", "unknown"):
        yield f"{verdict}={hosts[verdict]};;;0;{total}"
    yield f"models_verified={models['verified']};;;0"
    yield f"models_not_on_gpu={models['not_verified'] + models['disagreement']};;;0"
    yield f"models_not_proven={models['unknown']};;;0"
    if (seconds := _seconds(result)) is not None:
        yield f"time={seconds:.0f}s;;;0"


def _seconds(result: FleetResult) -> float | None:
    try:
        passed = datetime.fromisoformat(result.finished_at) - datetime.fromisoformat(result.started_at)
    except (ValueError, TypeError):
        return None
    return max(0.0, passed.total_seconds())


def _clean(text: str) -> str:
    """`|` begins the performance data, and a line break begins the long output."""
    return " ".join(text.replace("|", "/").split())
