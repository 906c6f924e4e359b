"""How often `ongpu diagnose` names the cause of labelled cases: `script/bench diagnosis --cases DIR`,
and what a long journal costs: `script/bench diagnosis --lines 100000`.

Only a case's evidence is read, never its title, notes or labels. Exit code 0 when all targets are met.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path

from ongpu.rules.diagnose import diagnose
from ongpu.rules.recognise import evidence_of

TARGETS = {"strict": 0.95, "normal": 0.90}
NAMED = 0.98


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, help="a directory of labelled cases, one JSON file each")
    parser.add_argument("--lines", type=int, default=0, help="diagnose a made-up journal of so many lines instead")
    parser.add_argument("--mixed", action="store_true", help="give all of a case's evidence as one untyped paste")
    chosen = parser.parse_args()
    if chosen.lines:
        return journal(chosen.lines)
    if chosen.cases is None:
        parser.error("give --cases DIR or --lines N")
    files = sorted(chosen.cases.glob("*.json"))
    if not files:
        parser.error(f"no *.json files in {chosen.cases}")
    cases = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    first: Counter[str] = Counter()
    total: Counter[str] = Counter()
    named = sick = alarms = healthy = 0
    confusion = []
    start = time.perf_counter()
    for case in cases:
        texts = case["evidence"]
        said = diagnose(evidence_of({"paste": "\n".join(texts.values())} if chosen.mixed else texts))
        causes = [finding.cause for finding in said.findings]
        if case["cause"] == "healthy":
            healthy += 1
            loud = [finding.cause for finding in said.findings if finding.severity != "info"]
            alarms += len(loud)
            if loud or said.verdict == "findings":
                confusion.append((case["id"], case["scoring"], "healthy", loud))
            continue
        sick += 1
        right = set(case["acceptable_causes"]) | {case["cause"]}
        total[case["scoring"]] += 1
        first[case["scoring"]] += bool(causes) and causes[0] in right
        named += bool(right & set(causes))
        if not causes or causes[0] not in right:
            confusion.append((case["id"], case["scoring"], case["cause"], causes or [said.verdict]))
    seconds = time.perf_counter() - start
    good = not alarms
    for kind, count in sorted(total.items()):
        share = first[kind] / count
        good &= share >= TARGETS.get(kind, 0)
        target = TARGETS.get(kind, 0)
        print(f"first named right, {kind:<10} {first[kind]:3} of {count:3}  {share:6.1%}  (target {target:.0%})")
    share = named / max(sick, 1)
    good &= share >= NAMED
    print(f"right one among all named     {named:3} of {sick:3}  {share:6.1%}  (target {NAMED:.0%})")
    print(f"findings above info on {healthy} healthy controls: {alarms}  (target 0)")
    print(f"{len(cases)} cases in {seconds:.2f} s")
    print("confusion:" if confusion else "confusion: none")
    for name, kind, cause, causes in confusion:
        print(f"  {name} ({kind}) {cause} -> {', '.join(causes)}")
    return 0 if good else 2


def journal(lines: int) -> int:
    """Time and peak memory of one long journal, its text included. Targets: 2 s and 200 MB for 100,000 lines."""
    text = "\n".join(
        f'time=2026-01-15T10:{n % 60:02}:00.000Z level=INFO source=server.go:{n % 900} msg="request {n % 7919}" id={n}'
        if n % 3
        else f'[GIN] 2026/01/15 - 10:00:00 | 200 | {n}ms | 127.0.0.1 | POST "/api/generate"'
        for n in range(lines)
    )
    start = time.perf_counter()
    found = diagnose(evidence_of({"journal": f"{text}\ncuInit err: 802"}))
    seconds = time.perf_counter() - start
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{lines} lines ({len(text) / 1e6:.1f} MB): {seconds:.2f} s (target 2), {megabytes:.0f} MB at most (target 200)"
    )
    print(f"named: {', '.join(finding.cause for finding in found.findings)}")
    return 0 if seconds < 2 and megabytes < 200 else 2


if __name__ == "__main__":
    sys.exit(main())
