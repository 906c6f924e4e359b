"""Every row of the matrices: architecture x branch x modules x Ollama, with the reason of each refusal."""

from __future__ import annotations

from typing import Literal

import pytest

from ongpu.plan.choice import choose
from ongpu.plan.context import Halt
from tests.plan.choice.cards import GPUS, gpus

Declared = Literal["auto", "open", "proprietary"]

OLD = "Kepler or older, which Ollama cannot use"
LAST = "Maxwell, Pascal or Volta, last driven by branch 580"
# What a cell of the tables below stands for; the others are the refusal's words themselves.
WORDS = {
    "old": OLD,
    "last": LAST,
    "<531": "needs driver branch 531 or newer",
    "<550": "needs driver branch 550 or newer",
    "<570": "needs driver branch 570 or newer",
    "<580": "needs driver branch 580 or newer",
    "first": "first driven by",
    "gone": "has no proprietary kernel modules any more",
    "notyet": "has no open kernel modules yet",
    "-open": "before Turing, needs driver.modules: proprietary",
    "-prop": "needs driver.modules: open",
    "never": "has no library for",
}

# Ollama 0.32.15, modules: auto
BY_BRANCH = """
               470    535    550    570    580    595    610    615    620
GTX_480        old    old    old    old    old    old    old    old    old
GTX_650        old    old    old    old    old    old    old    old    old
K80            old    old    old    old    old    old    old    old    old
GTX_750_Ti     <570   <570   <570   prop   prop   last   last   last   last
GTX_980        <570   <570   <570   prop   prop   last   last   last   last
P100           <570   <570   <570   prop   prop   last   last   last   last
GTX_1080_Ti    <570   <570   <570   prop   prop   last   last   last   last
V100           <550   <550   prop   prop   prop   last   last   last   last
T4             <550   <550   prop   open   open   open   open   open   open
A100           <550   <550   prop   open   open   open   open   open   open
A100_40_GB     <550   <550   prop   open   open   open   open   open   open
RTX_A6000      <550   <550   prop   open   open   open   open   open   open
L4             first  <550   prop   open   open   open   open   open   open
RTX_4060       first  <550   prop   open   open   open   open   open   open
H100           first  <550   prop   open   open   open   open   open   open
H200           first  <550   prop   open   open   open   open   open   open
GH200          first  <550   open   open   open   open   open   open   open
B200           first  first  first  open   open   open   open   open   open
GB200          first  first  first  open   open   open   open   open   open
B300           first  first  first  first  open   open   open   open   open
RTX_5090       first  first  first  open   open   open   open   open   open
RTX_PRO_6000   first  first  first  first  open   open   open   open   open
GB10           first  first  first  first  open   open   open   open   open
GR100          <580   <580   <580   <580   open   open   open   open   open
"""

# Branch 580 or as named, Ollama 0.32.15
BY_MODULES = """
                    auto   open    proprietary
GTX_1080_Ti/580     prop   -open   prop
V100/580            prop   -open   prop
T4/580              open   open    prop
T4/550              prop   open    prop
T4/610              open   open    prop
T4/615              open   open    gone
T4/620              open   open    gone
H100/595            open   open    prop
GH200/580           open   open    -prop
B200/580            open   open    -prop
RTX_5090/595        open   open    -prop
GR100/595           open   open    -prop
"""

# Ollama's releases, modules: auto
BY_OLLAMA = """
                    0.11.10  0.24.0  0.30.0  0.30.10  0.30.11  0.32.1  0.32.2  0.32.15  1.0.0-rc1
T4/470              <531     <531    <550    <550     <550     <550    <550    <550     <550
T4/535              prop     prop    <550    <550     <550     <550    <550    <550     <550
T4/550              prop     prop    prop    prop     prop     prop    prop    prop     prop
V100/535            prop     prop    <550    <550     <550     <550    <550    <550     <550
GTX_1080_Ti/535     prop     prop    <570    <570     <570     <570    <570    <570     <570
GTX_1080_Ti/550     prop     prop    <570    <570     <570     <570    <570    <570     <570
GTX_750_Ti/570      prop     prop    prop    prop     prop     prop    prop    prop     prop
B200/570            never    <580    <580    <580     <580     <580    open    open     open
B200/580            never    open    open    open     open     open    open    open     open
RTX_5090/570        open     open    open    open     open     open    open    open     open
B300/580            never    open    open    open     open     open    open    open     open
GB10/580            never    open    open    open     open     open    open    open     open
"""


def rows(table: str) -> list[tuple[str, str, str]]:
    """row, column, cell"""
    head, *lines = table.strip("\n").splitlines()
    return [
        (line.split()[0].replace("_", " "), column, cell)
        for line in lines
        for column, cell in zip(head.split(), line.split()[1:], strict=True)
    ]


def holds(names: list[str], branch: str, declared: Declared, release: str, cell: str) -> None:
    if cell in ("open", "prop"):
        assert choose(gpus(*names), branch, declared, release) == {"prop": "proprietary"}.get(cell, cell)
        return
    with pytest.raises(Halt) as caught:
        choose(gpus(*names), branch, declared, release)
    assert caught.value.kind == "unsupported"
    assert WORDS.get(cell, cell) in caught.value.why


@pytest.mark.parametrize(("name", "branch", "cell"), rows(BY_BRANCH))
def test_architecture_and_branch(name: str, branch: str, cell: str) -> None:
    holds([name], branch, "auto", "0.32.15", cell)


def test_every_gpu_has_a_row() -> None:
    assert {name for name, _, _ in rows(BY_BRANCH)} == set(GPUS)


@pytest.mark.parametrize(("name", "declared", "cell"), rows(BY_MODULES))
def test_modules(name: str, declared: Declared, cell: str) -> None:
    card, branch = name.split("/")
    holds([card], branch, declared, "0.32.15", cell)


@pytest.mark.parametrize(("name", "release", "cell"), rows(BY_OLLAMA))
def test_ollamas_floors(name: str, release: str, cell: str) -> None:
    card, branch = name.split("/")
    holds([card], branch, "auto", release, cell)


@pytest.mark.parametrize(
    ("names", "branch", "declared", "cell"),
    [
        (["GTX 1080 Ti", "RTX 4060"], "580", "auto", "prop"),
        (["GTX 1080 Ti", "RTX 4060"], "580", "open", "-open"),
        (["GTX 1080 Ti", "RTX 4060"], "595", "auto", "last"),
        (["V100", "H100"], "580", "auto", "prop"),
        (["V100", "H100"], "550", "auto", "prop"),
        (["T4", "RTX 5090"], "580", "auto", "open"),
        (["T4", "RTX 5090"], "580", "proprietary", "-prop"),
        (["T4", "RTX 5090"], "550", "auto", "first"),
        (["V100", "B200"], "580", "auto", "no driver drives"),
        (["GTX 1080 Ti", "RTX 5090"], "580", "proprietary", "no driver drives"),
        (["P100", "GH200"], "580", "auto", "no driver drives"),
        (["K80", "T4"], "580", "auto", "old"),
        (["A100", "H100", "L4"], "595", "auto", "open"),
    ],
)
def test_several_architectures_in_one_host(names: list[str], branch: str, declared: Declared, cell: str) -> None:
    holds(names, branch, declared, "0.32.15", cell)


@pytest.mark.parametrize(
    ("name", "branch", "declared", "cell"),
    [
        ("B200", "570.124.06", "auto", "first driven by 570.133.20, not by 570.124.06"),
        ("B200", "570.133.20", "auto", "open"),
        ("RTX PRO 6000", "575.57.08", "auto", "open"),
        ("RTX PRO 6000", "575.51.03", "auto", "first driven by 575.57.08"),
        ("B300", "580.65.06", "auto", "first driven by 580.82.07"),
        ("H100", "580.95.05", "auto", "open"),
        ("T4", "470.256.02", "open", "<550"),
    ],
)
def test_exact_versions(name: str, branch: str, declared: Declared, cell: str) -> None:
    holds([name], branch, declared, "0.32.15", cell)


def test_open_modules_begin_with_515() -> None:
    holds(["T4"], "470", "open", "0.24.0", "<531")
    holds(["T4"], "535", "open", "0.24.0", "open")


def test_the_reason_names_the_gpu_and_what_would_do() -> None:
    with pytest.raises(Halt) as caught:
        choose(gpus("GTX 1080 Ti"), "550", "auto", "0.32.15")
    assert caught.value.why == (
        "GPU 0000:01:00.0 (GeForce GTX 1080 Ti): needs driver branch 570 or newer, not 550: "
        "Ollama 0.32.15 needs 570 for compute capability 6.1"
    )
    with pytest.raises(Halt) as caught:
        choose(gpus("B300"), "580", "auto", "0.11.10")
    assert caught.value.why.endswith("(B300 SXM6 AC): Ollama 0.11.10 has no library for compute capability 10.3: "
                                     "0.11.11 is the first that has")  # fmt: skip
