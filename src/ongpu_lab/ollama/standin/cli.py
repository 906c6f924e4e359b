"""The command line `ollama`: serve, ps, list, pull, show, run, stop, rm, and the hidden gpu-discover."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import client, envconfig, probes
from .cli_format import processor, section, span, table, until, when
from .gojson import human_bytes, human_number
from .version import VERSION

_DOWN = "could not connect to ollama server, run 'ollama serve' to start it"
_DRAW, _DRAWN = "\x1b[?2026h\x1b[?25l\x1b[1G", " \x1b[K\x1b[?25h\x1b[?2026l"
_CLEAR = "\x1b[?25l\x1b[?2026h\x1b[?25l\x1b[1G\x1b[K\x1b[?25h\x1b[?2026l\x1b[2K\x1b[1G\x1b[?25h"


class CliError(Exception):
    """Ends the command with exit status 1; the text follows `Error: `."""


def main(words: list[str]) -> int:
    command, rest = (words[0], words[1:]) if words else ("help", [])
    arguments = [word for word in rest if not word.startswith("-")]
    try:
        match command:
            case "serve" | "start":
                if arguments:
                    raise CliError(f"accepts 0 arg(s), received {len(arguments)}")
                from .serve import serve

                return serve()
            case "gpu-discover":
                return probes.gpu_discover(rest)
            case "--version" | "-v":
                _version()
            case "ps":
                _ps()
            case "list" | "ls":
                _list()
            case "show":
                _show(_one(arguments))
            case "create":
                _create(_one([word for word in arguments if word != _option(rest, "-f")]), _option(rest, "-f"))
            case "pull":
                _pull(_one(arguments), "--insecure" in rest)
            case "run":
                _run(arguments)
            case "stop":
                _stop(_one(arguments))
            case "rm":
                _remove(arguments)
            case "help" | "--help" | "-h":
                print("Usage:\n  ollama [flags]\n  ollama [command]\n\nCommands: serve show run stop pull list ps rm")
            case _:
                raise CliError(f'unknown command "{command}" for "ollama"')
    except CliError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    return 0


def _one(arguments: list[str]) -> str:
    if len(arguments) != 1:
        raise CliError(f"accepts 1 arg(s), received {len(arguments)}")
    return arguments[0]


def _address() -> tuple[str, int]:
    _, host, port = envconfig.host()
    return ("127.0.0.1" if host == "0.0.0.0" else "::1" if host == "::" else host), port


def _ask(method: str, path: str, payload: Any = None) -> tuple[int, Any]:
    host, port = _address()
    try:
        return client.fetch(host, port, method, path, payload)
    except (OSError, client.Broken) as error:
        raise CliError(_DOWN) from error


def _good(status: int, value: Any) -> Any:
    if status >= 400:
        raise CliError(str(value["error"]) if value else f"{status}")
    return value


def _stream(path: str, payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    host, port = _address()
    try:
        reply = client.open_request(host, port, "POST", path, payload)
    except (OSError, client.Broken) as error:
        raise CliError(_DOWN) from error
    with contextlib.closing(reply):
        try:
            for line in reply.lines():
                record = json.loads(line)
                if record.get("error"):
                    raise CliError(record["error"])
                yield record
        except client.Broken as error:
            raise CliError("unexpected EOF") from error


def _version() -> None:
    host, port = _address()
    try:
        server = client.fetch(host, port, "GET", "/api/version", timeout=5)[1]["version"]
    except (OSError, client.Broken, ValueError, KeyError, TypeError):
        print("Warning: could not connect to a running Ollama instance")
        server = ""
    if server:
        print(f"ollama version is {server}")
    if server != VERSION:
        print(f"Warning: client version is {VERSION}")


def _ps() -> None:
    _ask("HEAD", "/")
    models = _good(*_ask("GET", "/api/ps"))["models"]
    rows = [
        [
            m["name"],
            m["digest"][:12],
            human_bytes(m["size"]),
            processor(m["size"], m["size_vram"]),
            str(m["context_length"]),
            until(m["expires_at"]),
        ]
        for m in models
    ]
    table(["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"], rows)


def _list() -> None:
    _ask("HEAD", "/")
    models = _good(*_ask("GET", "/api/tags"))["models"]
    rows = [
        [m["name"], m["digest"][:12], human_bytes(m["size"]), f"{span(time.time() - when(m['modified_at']))} ago"]
        for m in models
    ]
    table(["NAME", "ID", "SIZE", "MODIFIED"], rows)


def _show(name: str) -> None:
    value = _good(*_ask("POST", "/api/show", {"model": name}))
    info = value["model_info"]
    arch = info["general.architecture"]
    facts = {
        "architecture": arch,
        "parameters": human_number(info["general.parameter_count"]),
        "context length": str(info.get(f"{arch}.context_length", "")),
        "embedding length": str(info.get(f"{arch}.embedding_length", "")),
        "quantization": value["details"]["quantization_level"],
    }
    section("Model", list(facts.items()))
    section("Capabilities", [(item, "") for item in value["capabilities"]])
    if value.get("parameters"):
        lines = (line.split(maxsplit=1) for line in value["parameters"].splitlines())
        section("Parameters", [(parts[0], parts[-1]) for parts in lines])


def _pull(name: str, insecure: bool) -> None:
    last = ""
    _ask("HEAD", "/")
    try:
        for record in _stream("/api/pull", {"model": name, "insecure": insecure}):
            if record["status"] != last:
                last = record["status"]
                sys.stderr.write(f"{_DRAW}{last}{_DRAWN}\n")
    finally:
        sys.stderr.flush()


def _run(arguments: list[str]) -> None:
    if not arguments:
        raise CliError("requires at least 1 arg(s), only received 0")
    name, prompt = arguments[0], " ".join(arguments[1:])
    status, _ = _ask("POST", "/api/show", {"model": name})
    if status == 404:
        _pull(name, False)
    if not prompt:
        prompt = "" if sys.stdin.isatty() else sys.stdin.read().strip()
    for record in _stream("/api/generate", {"model": name, "prompt": prompt}):
        sys.stdout.write(record.get("response", ""))
        sys.stdout.flush()
    if prompt:
        print("\n")


def _option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1] if name in words[:-1] else ""


def _create(name: str, modelfile: str) -> None:
    """From a Modelfile with FROM, PARAMETER and SYSTEM on single lines."""
    _ask("HEAD", "/")
    try:
        lines = Path(modelfile or "Modelfile").read_text().splitlines()
    except OSError as error:
        raise CliError("no Modelfile or safetensors files found") from error
    payload: dict[str, Any] = {"model": name, "parameters": {}}
    for word, _, rest in (line.partition(" ") for line in lines):
        if word.upper() == "PARAMETER":
            key, _, value = rest.partition(" ")
            payload["parameters"][key] = _number(value)
        elif word.upper() in ("FROM", "SYSTEM"):
            payload[word.lower()] = rest.strip('"')
    for _ in _stream("/api/create", payload):
        pass


def _number(text: str) -> float | str:
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() else value


def _stop(name: str) -> None:
    status, value = _ask("POST", "/api/generate", {"model": name, "keep_alive": 0, "stream": False})
    sys.stderr.write(_CLEAR)
    if status == 404:
        raise CliError(f'couldn\'t find model "{name}" to stop')
    _good(status, value)


def _remove(arguments: list[str]) -> None:
    for name in arguments:
        status, value = _ask("DELETE", "/api/delete", {"model": name})
        _good(status, value)
        print(f"deleted '{name}'")
