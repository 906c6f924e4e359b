"""What we write into a unit file is what the service gets: read back by systemd's own rules."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongpu.plan.context import Halt
from ongpu.plan.environment import MARKER, marked
from ongpu.plan.render import render
from ongpu.plan.systemd import assignment
from ongpu.spec.variables import NOT_TEXT

_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "s": 32, '"': 34, "'": 39, "\\": 92}


def sections(text: str) -> list[tuple[str, str, str]]:
    """systemd.syntax(7): (section, key, value); comments gone, a backslash at the end goes on in the next line."""
    found, section, held = [], "", ""
    for line in text.split("\n"):
        if line.lstrip()[:1] in ("#", ";"):
            continue
        line = held + line
        held = ""
        if line.endswith("\\"):
            held = line[:-1] + " "
            continue
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif line:
            key, sign, value = line.partition("=")
            assert sign, f"not an assignment: {line}"
            found.append((section, key.rstrip(), value.lstrip()))
    return found


def words(value: str) -> list[str]:
    """systemd.syntax(7) "Quoting": quotes of either kind, C escapes; then specifiers, of which only %% is literal."""
    found, at = [], 0
    while at < len(value):
        if value[at] in " \t":
            at += 1
            continue
        word, quote = "", ""
        while at < len(value) and (quote or value[at] not in " \t"):
            char = value[at]
            if char == quote:
                quote, at = "", at + 1
            elif not quote and char in "\"'":
                quote, at = char, at + 1
            elif char == "\\":
                escape = value[at + 1]
                if escape == "x":
                    word, at = word + chr(int(value[at + 2 : at + 4], 16)), at + 4
                else:
                    word, at = word + chr(_ESCAPES[escape]), at + 2
            else:
                word, at = word + char, at + 1
        assert not quote, "a quote that is never closed"
        assert not re.search(r"(?<!%)(?:%%)*%(?!%)", word), "a specifier"
        found.append(word.replace("%%", "%"))
    return found


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
texts = (st.text(st.characters(exclude_categories=["Cc", "Cs"])) | st.text(alphabet="ab \"'\\%${}=#;")).filter(
    lambda text: not NOT_TEXT.search(text)
)


@given(names, texts)
def test_a_variable_is_read_back_as_it_was_declared(name: str, value: str) -> None:
    assert words(assignment(name, value)) == [f"{name}={value}"]


@given(st.dictionaries(names, texts, max_size=6))
def test_the_whole_drop_in_is_read_back(declared: dict[str, str]) -> None:
    text = render(
        "ollama-override.conf.j2",
        environment=[assignment(name, value) for name, value in marked(declared).items()],
        exec_start="/usr/local/bin/ollama serve",
        opened=("PrivateDevices=no",),
        wait_seconds=30,
    )
    lines = sections(text)
    got = [words(value) for section, key, value in lines if (section, key) == ("Service", "Environment")]
    assert all(len(line) == 1 for line in got)
    assert dict(line[0].split("=", 1) for line in got) == marked(declared)
    assert [value for _, key, value in lines if key == "ExecStart"] == ["", "/usr/local/bin/ollama serve"]
    assert {section for section, _, _ in lines} == {"Unit", "Service"}


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\0", "\x1b", "a\x7f", "\t"])
def test_what_no_unit_file_can_carry_is_refused(value: str) -> None:
    with pytest.raises(Halt, match=r"ollama\.env\.X holds a newline or another control character"):
        assignment("X", value)


@pytest.mark.parametrize("name", ["", "1A", "A B", "A=B", 'A"', "Ä"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(Halt, match="is not the name of an environment variable"):
        assignment(name, "x")


def test_the_marker_depends_on_the_values_and_on_nothing_else() -> None:
    one = marked({"B": "2", "A": "1"})
    assert one == marked({"A": "1", "B": "2"})
    assert one[MARKER] != marked({"A": "1", "B": "3"})[MARKER]
    assert set(one) == {"A", "B", MARKER}


def test_every_template_has_our_header_and_systemd_reads_it() -> None:
    unit = render("ollama.service.j2", binary="/usr/local/bin/ollama", user="ollama")
    assert unit.startswith("# Managed by ongpu")
    assert ("Service", "ExecStart", "/usr/local/bin/ollama serve") in sections(unit)
    assert "nvidia-uvm" in render("modules-load.conf.j2").split("\n")
    with pytest.raises(Exception, match="is undefined"):
        render("ollama.service.j2", binary="x")
