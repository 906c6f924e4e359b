from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongpu_lab.base import build
from ongpu_lab.base.mirror import Mirror, parse_targets
from ongpu_lab.base.recipe import Recipe
from ongpu_lab.errors import LabError


def test_everything_that_shapes_the_tree_is_in_its_key() -> None:
    recipe = Recipe("bookworm")
    others = [
        Recipe("trixie"),
        dataclasses.replace(recipe, packages=("dbus",)),
        dataclasses.replace(recipe, excluded=()),
        dataclasses.replace(recipe, version=0),
    ]
    assert len({one.key for one in [recipe, *others]}) == 5
    assert recipe.key.startswith("bookworm-")


def test_a_suite_in_disguise_is_a_tree_of_its_own() -> None:
    rocky = Recipe.of("rocky9")
    assert rocky.suite == "bookworm"
    assert rocky.key.startswith("rocky9-")
    assert "dnf" in rocky.packages
    assert Recipe.of("bookworm") == Recipe("bookworm")


def test_the_machines_own_mirror_is_taken() -> None:
    text = (
        "http://mirror.example/security/|main|Debian|Debian-Security|bookworm-security\n"
        "http://mirror.example/debian/|contrib|Debian|Debian|bookworm\n"
        "http://mirror.example/debian/|main|Debian|Debian|bookworm\n"
    )
    mirror = parse_targets(text)
    assert mirror == Mirror("http://mirror.example/debian/")
    assert mirror.source("trixie", Path("/k.gpg")) == "deb [signed-by=/k.gpg] http://mirror.example/debian/ trixie main"


def test_before_the_first_update_the_suites_name_must_do() -> None:
    unknown = "|main|$(ORIGIN)|$(LABEL)|"
    assert parse_targets(f"http://a/{unknown}bookworm\n") == Mirror("http://a/")
    assert parse_targets(f"http://a/{unknown}noble\n") is None
    assert parse_targets("http://archive.ubuntu.com/ubuntu/|main|Ubuntu|Ubuntu|noble\n") is None


@given(st.text())
def test_any_text_is_a_mirror_or_none(text: str) -> None:
    assert isinstance(parse_targets(text), Mirror | None)


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("E: The following signatures ... NO_PUBKEY 0E98404D386FA1D9", "does not trust Debian trixie's key"),
        (
            "Err:1 http://m trixie InRelease\nE: Failed to fetch http://m",
            "Cannot download Debian trixie from http://m: ",
        ),
        ("E: setup failed: no space", "Building the Debian trixie base failed: setup failed: no space."),
        ("something else", "failed: something else."),
        ("", "failed: no output."),
    ],
)
def test_a_failed_build_is_explained_in_one_sentence(log: str, says: str) -> None:
    assert says in build._explain("trixie", "http://m", log)


def test_the_cache_is_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONGPU_LAB_CACHE", "/a")
    assert build.cache_home() == Path("/a")
    monkeypatch.delenv("ONGPU_LAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert build.cache_home() == Path("/b/ongpu-lab")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative is to be ignored")
    monkeypatch.setenv("HOME", "/c")
    assert build.cache_home() == Path("/c/.cache/ongpu-lab")


def test_a_failed_build_leaves_no_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "configured_mirror", lambda: None)
    monkeypatch.setattr(
        build, "contained", lambda argv: ["sh", "-c", f"mkdir -p {argv[-2]}/root; echo E: broken; exit 1"]
    )
    said: list[str] = []
    with pytest.raises(LabError, match="base failed: broken"):
        build.ensure("bookworm", tmp_path, said.append)
    assert [path.suffix for path in (tmp_path / "bases").iterdir()] == [".lock"]
    assert len(said) == 1
