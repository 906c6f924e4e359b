"""The runner's command line and environment: is there anything that keeps work off the GPU?

The log names none of these settings; only /proc does (Ollama 0.33.0). Finding nothing is weak: it says yes only when
the model's own runner was found and all of it could be read, and the quorum wants one beside it that sees the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ongpu.host import suspects
from ongpu.host.ollama import Runner
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.result import Evidence
from ongpu.proof.case import Case
from ongpu.proof.witness import Statement, Witness, blind, no, silent, yes

_THAT_MATTER = ("LLAMA_ARG_", "CUDA_", "GGML_", "OLLAMA_")
_ALL = 900  # -ngl 999 is everybody's "all layers": no model has so many


def testify(case: Case) -> Statement:
    """What the command line shows counts even when the environment may not be read."""
    match case.runner:
        case Unreadable(why=why, allow=allow):
            return blind(why, allow)
        case Absent(why=why):
            return silent(why)
        case Known(value=runner):
            return _search(runner, case.asked.shape.layers)


def _search(runner: Runner, layers: int | None) -> Statement:
    pid, command = runner.process.pid, runner.process.command
    found = [Evidence(source=f"/proc/{pid}/cmdline", line=line) for line in on_command_line(command, layers)]
    unsure = _counts(pair for pair in _options(command) if pair[0] in suspects.LAYER_OPTIONS)
    match runner.process.environ:
        case Known(value=environ, source=source):
            found += [Evidence(source=source, line=line) for line in in_environment(environ, layers)]
            unsure += _counts((name, environ.get(name, "")) for name in suspects.LAYER_VARIABLES)
            unknown = sorted(name for name in environ if _is_unknown(name))
        case Unreadable(why=why, allow=allow) if not found:
            return blind(why, allow or "run as root (sudo)")
        case Absent(why=why) if not found:
            return silent(why)
        case _:
            unknown = []
    if found:
        return no(" and ".join(_told(one) for one in found), found)
    if unsure and layers is None:
        return silent(f"{', '.join(unsure)}: how many layers the model has is not known")
    if unknown:
        return silent(f"{', '.join(unknown)}: what this does to the placement is not known")
    return yes("nothing in its environment or command line keeps work off the GPU", _looked_at(runner))


def _looked_at(runner: Runner) -> Iterator[Evidence]:
    """What was read: the command line, and each variable that could matter."""
    pid = runner.process.pid
    yield Evidence(source=f"/proc/{pid}/cmdline", line=" ".join(runner.process.command)[:1000])
    match runner.process.environ:
        case Known(value=environ, source=source):
            told = sorted(f"{name}={value[:200]}" for name, value in environ.items() if name.startswith(_THAT_MATTER))
            yield Evidence(source=source, line=" ".join(told) or "none of LLAMA_ARG_*, CUDA_*, GGML_*, OLLAMA_*")
        case _:
            return


def _told(evidence: Evidence) -> str:
    where = "command line" if evidence.source.endswith("cmdline") else "environment"
    return f"{evidence.line} in the runner's {where}"


def in_environment(environ: Mapping[str, str], layers: int | None) -> Iterator[str]:
    """Each `NAME=value` that keeps work off the GPU. `layers`: the model's count, None = not known."""
    for name, value in sorted(environ.items()):
        judge = suspects.VARIABLES.get(name)
        main = name in suspects.LAYER_VARIABLES and _too_few(value, layers)
        draft = name in suspects.DRAFT_LAYER_VARIABLES and _too_few(value, None)
        if main or draft or (judge and judge(value)):
            yield f"{name}={value[:200]}"


def on_command_line(words: tuple[str, ...], layers: int | None) -> Iterator[str]:
    """Each option, with its value, that keeps work off the GPU."""
    for name, value in _options(words):
        main = name in suspects.LAYER_OPTIONS and _too_few(value, layers)
        draft = name in suspects.DRAFT_LAYER_OPTIONS and _too_few(value, None)
        if name in suspects.FLAGS:
            yield name
        elif main or draft or (name in suspects.OPTIONS and suspects.OPTIONS[name](value)):
            yield f"{name} {value[:200]}"


def _options(words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Every word that looks like an option, with what follows it (`--name value` or `--name=value`)."""
    for word, following in zip(words[1:], (*words[2:], ""), strict=False):
        if word.startswith("--") and "=" in word:
            name, _, value = word.partition("=")
            yield name, value
        elif word.startswith("-"):
            yield word, following


def _counts(pairs: Iterator[tuple[str, str]]) -> list[str]:
    return [f"{name} {value[:20]}" for name, value in pairs if _layers(value) is not None]


def _too_few(value: str, layers: int | None) -> bool:
    """0 is too few for every model; negative numbers, `auto` and `all` leave it to llama.cpp."""
    number = _layers(value)
    return number is not None and (number < layers if layers is not None else number == 0)


def _layers(value: str) -> int | None:
    text = value.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 10) or int(text) >= _ALL:
        return None
    return int(text)


def _is_unknown(name: str) -> bool:
    known = (*suspects.VARIABLES, *suspects.LAYER_VARIABLES, *suspects.DRAFT_LAYER_VARIABLES)
    return name.startswith("LLAMA_ARG_") and name not in known and suspects.HARMLESS.fullmatch(name) is None


WITNESS = Witness(name="environment", rank=4, places=False, testify=testify)
