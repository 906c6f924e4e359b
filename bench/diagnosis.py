"""How often `ongpu diagnose` names the cause of labelled cases: `script/bench diagnosis --cases DIR`.

Only a case's evidence is read, never its title, notes or labels. Exit code 0 when all targets are met.
"""

from __future__ import annotations

import argparse
import json
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
    parser.add_argument("--cases", type=Path, required=True, help="a directory of labelled cases, one JSON file each")
    parser.add_argument("--mixed", action="store_true", help="give all of a case's evidence as one untyped paste")
    chosen = parser.parse_args()
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


if __name__ == "__main__":
    sys.exit(main())
