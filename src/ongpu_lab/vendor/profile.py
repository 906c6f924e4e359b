"""GPU profiles by name: the INI files beside `ongpu_lab.profiles`."""

from __future__ import annotations

import configparser
import re
from importlib import resources

from ongpu_lab.errors import LabError

_GPU, _SWITCH = re.compile(r"gpu\d+"), re.compile(r"nvswitch\d+")


def names() -> tuple[str, ...]:
    """All profiles, sorted."""
    files = resources.files("ongpu_lab") / "profiles"
    return tuple(sorted(entry.name[:-4] for entry in files.iterdir() if entry.name.endswith(".ini")))


def text(name: str) -> str:
    """The profile's INI text. Raises LabError naming the profiles that there are."""
    if name not in names():
        raise LabError(f"The lab has no GPU profile `{name}`; it has {', '.join(names())}.")
    return (resources.files("ongpu_lab") / "profiles" / f"{name}.ini").read_text()


def gpus(ini: str) -> list[dict[str, str]]:
    """The GPUs of an INI text, each with the values of [defaults] filled in, in the order of their numbers."""
    parser = _parsed(ini)
    defaults = dict(parser["defaults"]) if parser.has_section("defaults") else {}
    return [defaults | one for one in _sections(parser, _GPU, "gpu")]


def switches(ini: str) -> list[dict[str, str]]:
    """The NVSwitches of an INI text: their PCI ids and addresses."""
    return _sections(_parsed(ini), _SWITCH, "nvswitch")


def _parsed(ini: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(ini)
    return parser


def _sections(parser: configparser.ConfigParser, names: re.Pattern[str], prefix: str) -> list[dict[str, str]]:
    found = [name for name in parser.sections() if names.fullmatch(name)]
    return [dict(parser[name]) for name in sorted(found, key=lambda name: int(name.removeprefix(prefix)))]
