"""OLLAMA_HOST as Ollama itself understands it, and who is asked for it; run in each shell."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from ongpu.probe import endpoint
from ongpu.probe.script import build
from ongpu.probe.section import Section
from tests.probe.shells import SHELLS, process, run, tool

# Value -> where the server is asked. The rules are those of envconfig.Host (Ollama 0.33.0-rc2); bad ports as in a
# recorded start: "invalid port, using default".
HOSTS = {
    "": "127.0.0.1:11434",
    "1.2.3.4": "1.2.3.4:11434",
    ":1234": "127.0.0.1:1234",
    "1.2.3.4:1234": "1.2.3.4:1234",
    "example.com": "example.com:11434",
    "example.com:1234": "example.com:1234",
    ":0": "127.0.0.1:0",
    ":66000": "127.0.0.1:11434",
    ":-1": "127.0.0.1:11434",
    "127.0.0.1:abc": "127.0.0.1:11434",
    "127.0.0.1:": "127.0.0.1:11434",
    "127.0.0.1:00080": "127.0.0.1:80",
    "127.0.0.1:99999999999999999999": "127.0.0.1:11434",
    "[::1]": "[::1]:11434",
    "[::]": "127.0.0.1:11434",
    "::1": "[::1]:11434",
    "[::1]:1337": "[::1]:1337",
    "0.0.0.0": "127.0.0.1:11434",
    "0.0.0.0:8080": "127.0.0.1:8080",
    " 1.2.3.4 ": "1.2.3.4:11434",
    '"1.2.3.4"': "1.2.3.4:11434",
    ' " 1.2.3.4 " ': "1.2.3.4:11434",
    "'1.2.3.4'": "1.2.3.4:11434",
    "http://1.2.3.4": "1.2.3.4:80",
    "http://1.2.3.4:4321": "1.2.3.4:4321",
    "https://1.2.3.4": "1.2.3.4:443",
    "https://1.2.3.4:4321": "1.2.3.4:4321",
    "https://example.com/ollama": "example.com:443",
    "http://0.0.0.0:11434/": "127.0.0.1:11434",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_ollama_host(shell: tuple[str, ...]) -> None:
    asked = "\n".join(f"url_of {shlex.quote(value)}; printf '%s\\n' \"$URL\"" for value in HOSTS)
    printed = run(shell, endpoint.URL + asked).split()
    assert printed == [f"http://{where}" for where in HOSTS.values()]


def find(shell: tuple[str, ...], tools: Path, proc: Path) -> str:
    one = Section(
        name="x",
        shell=endpoint.FIND + 'find_ollama; p found printf "%s|%s|%s\\n" "$PID" "$HOST" "$SOURCE"',
        parse=lambda output: None,  # type: ignore[arg-type, return-value]
    )
    text = run(shell, build((one,)), tools, proc)
    return next(line for line in text.split("\n") if "|" in line)


@pytest.mark.parametrize("shell", SHELLS)
class TestWhoIsAsked:
    def test_the_running_process(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        tools, proc = tmp_path / "tools", tmp_path / "proc"
        tool(
            tools, "systemctl", "echo MainPID=725; echo 'Environment=OLLAMA_HOST=127.0.0.1:1'; echo EnvironmentFiles=/x"
        )
        process(proc, 725, 1, ["/usr/local/bin/ollama", "serve"], b"A=1\0OLLAMA_HOST=0.0.0.0:2\0B=x\ny\0")
        assert find(shell, tools, proc) == "725|0.0.0.0:2|environ"
        (proc / "725" / "environ").write_bytes(b"A=1\0")
        assert find(shell, tools, proc) == "725||environ"

    def test_the_unit_when_the_process_may_not_be_looked_into(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        tools, proc = tmp_path / "tools", tmp_path / "proc"
        process(proc, 725, 1, ["/usr/local/bin/ollama", "serve"])
        (proc / "725" / "environ").unlink()
        tool(tools, "systemctl", "echo MainPID=725; echo 'Environment=A=1 \"OLLAMA_HOST=127.0.0.1:1\" C=3'")
        assert find(shell, tools, proc) == "725|127.0.0.1:1|unit"
        tool(tools, "systemctl", "echo MainPID=725; echo Environment=; echo 'EnvironmentFiles=/x (ignore_errors=no)'")
        assert find(shell, tools, proc) == "725||guess"

    def test_no_server(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        tools, proc = tmp_path / "tools", tmp_path / "proc"
        process(proc, 1, 0, ["/sbin/init"])
        tool(tools, "systemctl", "echo MainPID=0; echo Environment=OLLAMA_HOST=[::1]:5; echo EnvironmentFiles=")
        assert find(shell, tools, proc) == "0|[::1]:5|unit"
        tool(tools, "systemctl", "echo System has not been booted with systemd >&2; exit 1")
        assert find(shell, tools, proc) == "0||default"

    def test_without_systemd_a_process_of_this_system_by_name(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        tools, proc = tmp_path / "tools", tmp_path / "proc"
        tool(tools, "systemctl", "exit 1")
        process(proc, 50, 1, ["/usr/bin/ollama", "run", "serve-me"])
        process(proc, 60, 1, ["/usr/bin/ollama", "serve"], b"OLLAMA_HOST=:7\0")
        (proc / "60" / "status").write_text("Name:\tollama\nNSpid:\t60\t1\n")  # in a container
        assert find(shell, tools, proc) == "0||default"
        process(proc, 70, 1, ["/usr/bin/ollama", "serve"], b"OLLAMA_HOST=:8\0")
        assert find(shell, tools, proc) == "70|:8|environ"
