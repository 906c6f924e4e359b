"""How well `ongpu fit` predicts an architecture that is not in its list: each is left out once, and held against its
own exact tuples.

    script/bench unlisted --exact DIR
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fit import Score, judge, tuples
from ongpu.fit import architectures


def left_out(name: str, records: list[dict[str, object]]) -> Score:
    """The records of this architecture, predicted without its line in the list."""
    listed = architectures.ARCHITECTURES.pop(name)
    try:
        score = Score()
        for record in records:
            judge(record, score)
        return score
    finally:
        architectures.ARCHITECTURES[name] = listed


def share(found: list[bool]) -> str:
    return f"{100 * sum(found) / len(found):5.1f}%" if found else "     -"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exact", type=Path, required=True)
    records = list(tuples(parser.parse_args().exact))
    names = sorted({record["metadata"]["general.architecture"] for record in records})
    decided: list[int] = []
    held: list[bool] = []
    print(f"{'left out':14} {'weights':>8} {'caches':>8} {'compute':>8} {'error bar':>10} {'fits':>8}")
    print(f"{'':14} {'0.1 MiB':>8} {'0.1 MiB':>8} {'10 %':>8} {'holds':>10} {'right':>8}")
    for name in names:
        score = left_out(name, [record for record in records if record["metadata"]["general.architecture"] == name])
        found = score.architectures[name]
        bars = [away == 0 for away, _ in score.decisions["error bar holds"]]
        fits = [away for away, _ in score.decisions["fits completely"]]
        near = [[away <= limit for away in found[what]] for what, limit in (("weights", 0.1), ("caches", 0.1))]
        near.append([part <= 0.1 for part in found["compute"]])
        columns = [share(one) for one in near]
        print(f"{name:14} {columns[0]:>8} {columns[1]:>8} {columns[2]:>8} {share(bars):>10} "
              f"{share([away == 0 for away in fits]):>8}")  # fmt: skip
        decided += fits
        held += bars
    right, wrongly = share([away == 0 for away in decided]), sum(away > 0 for away in decided)
    print(f"\nfits completely: {len(decided)}, right {right}, said to fit and did not: {wrongly}")
    print(f"the error bar holds: {share(held)} of {len(held)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
