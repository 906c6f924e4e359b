"""Of an ssh_config, what matters to one host: the parser has to see the same as in the whole file."""

from __future__ import annotations

from pathlib import Path

import pytest
from asyncssh.config import SSHClientConfig
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ongpu.errors import ConfigError
from ongpu.fleet.reading import ssh_config
from ongpu.fleet.reading.ssh_config import keywords, lines_for


def parsed(file: Path, host: str) -> dict[str, object]:
    return SSHClientConfig.load(None, [str(file)], False, False, False, "me", (), host, ())._options  # type: ignore[arg-type]


def picked(place: Path, config: Path, host: str) -> dict[str, object]:
    ssh_config._file.cache_clear()
    (place / "picked").write_text("\n".join(lines_for(str(config), host)) + "\n")
    return parsed(place / "picked", host)


_PATTERNS = st.sampled_from(["gpu1", "gpu2", "gpu*", "*", "!gpu2 *", "gpu? !gpu1", "other", '"gpu1"', "GPU1"])
_BODY = st.lists(
    st.sampled_from(
        ["User a", "User=b", "  Port 2222", "\tHostName %h.example", "IdentityFile ~/k", "ProxyJump j", "# x"]
    ),
    max_size=3,
)
_BLOCK = st.tuples(
    st.one_of(
        _PATTERNS.map("Host {}".format),
        st.sampled_from(["Match all", "Match host gpu1", "Match user a", "match originalhost gpu*"]),
    ),
    _BODY,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=_BODY, blocks=st.lists(_BLOCK, max_size=5), host=st.sampled_from(["gpu1", "gpu2", "other"]))
def test_the_parser_sees_the_same(
    tmp_path: Path, head: list[str], blocks: list[tuple[str, list[str]]], host: str
) -> None:
    config = tmp_path / "config"
    config.write_text("\n".join([*head, *(line for start, body in blocks for line in [start, *body])]) + "\n")
    assert picked(tmp_path, config, host) == parsed(config, host)


def test_an_included_file_belongs_to_its_block(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("Host gpu2\n  User two\nHost *\n  Port 2222\n")
    config = tmp_path / "config"
    config.write_text(f"Host gpu*\n  Include {tmp_path}/mo*\n  IdentityFile k\nHost other\n  Include {tmp_path}/more\n")
    assert picked(tmp_path, config, "gpu2") == {"User": "two", "Port": 2222, "IdentityFile": ["k"]}
    assert picked(tmp_path, config, "gpu1") == {"Port": 2222, "IdentityFile": ["k"]}
    assert picked(tmp_path, config, "db1") == {}


def test_files_that_include_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(f"User a\nInclude {tmp_path}/config\n")
    ssh_config._file.cache_clear()
    assert "User a" in lines_for(str(tmp_path / "config"), "gpu1")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=200), host=st.text(min_size=1, max_size=10))
def test_any_text_is_taken_apart(tmp_path: Path, text: str, host: str) -> None:
    ssh_config._file.cache_clear()
    (tmp_path / "config").write_text(text, encoding="utf-8", errors="replace")
    keywords(lines_for(str(tmp_path / "config"), host))


def test_thousands_of_blocks_cost_a_host_only_its_own(tmp_path: Path) -> None:
    ssh_config._file.cache_clear()
    blocks = [f"Host gpu{at}\n  HostName 10.0.{at // 250}.{at % 250}\n" for at in range(5000)]
    (tmp_path / "config").write_text("".join(blocks) + "Host *\n  User ops\n")
    assert lines_for(str(tmp_path / "config"), "gpu7") == ["Host *", "  HostName 10.0.0.7", "Host *", "  User ops"]


def test_a_file_that_is_not_there_is_said_with_its_name() -> None:
    with pytest.raises(ConfigError, match="/nowhere/config: cannot be read"):
        lines_for("/nowhere/config", "gpu1")
