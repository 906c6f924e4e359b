"""What the tests about models share: lab3 with its two cards of 24 GB, what is loaded there, and reports about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ongpu_lab import faults
from ongpu_lab.faults.base import with_key
from ongpu_lab.lab import Lab
from tests.lab.fleets import Controller, fleet
from tests.lab.machines import Host

API = "http://127.0.0.1:11434"
SMALL, EMBEDDING, VISION = "llama3.2:1b", "nomic-embed-text", "llava:7b"
THREE: dict[str, Any] = {SMALL: {"context": 8192}, EMBEDDING: {}, VISION: {}}
KNOBS, GPUS = "/etc/ongpu-lab/ollama.ini", "/etc/ongpu-lab/gpus.ini"

Declare = Callable[..., Controller]


def blank_lab3(lab: Lab) -> Host:
    host = Host(lab, "lab3")
    host.reset()
    return host


def declaring(server: Host, controller: Callable[..., Controller]) -> Iterator[Declare]:
    """`declare(models)`: a controller of lab3 with these models. Afterwards: no faults, both cards whole."""

    def made(models: Mapping[str, Any], **ollama: Any) -> Controller:
        own = {"release": "0.32.15", **ollama}
        return controller(fleet({"lab3": {"expect": {"gpus": 2}, "models": dict(models), "ollama": own}}))

    gpus, knobs = server.run(f"cat {GPUS}").stdout, server.run(f"cat {KNOBS}").stdout
    yield made
    for name, where in faults.active(server.lab):
        faults.clear(server.lab, name, where or None)
    write(server, KNOBS, knobs)
    if server.run(f"cat {GPUS}").stdout != gpus:
        write(server, GPUS, gpus)
        restart(server)


def write(host: Host, path: str, text: str) -> None:
    host.lab.run(host.name, "sh", "-c", f"cat >{path}", stdin=text)


def knob(host: Host, path: str, section: str, key: str, value: str) -> None:
    write(host, path, with_key(host.run(f"cat {path}").stdout, section, key, value))


def restart(host: Host) -> None:
    host.out(f"systemctl restart ollama; until curl -sf {API}/api/version >/dev/null; do sleep 0.1; done")


def by_name(report: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {model["name"]: model for model in report["lab3"]["models"]}


def resident(host: Host) -> dict[str, dict[str, Any]]:
    return {model["name"]: model for model in json.loads(host.out(f"curl -sf {API}/api/ps"))["models"]}


def store(host: Host) -> set[str]:
    return {model["name"] for model in json.loads(host.out(f"curl -sf {API}/api/tags"))["models"]}


def load(host: Host, model: str, **body: Any) -> None:
    text = json.dumps({"model": model, **body})
    host.out(f"curl -sf --max-time 60 -d '{text}' {API}/api/generate >/dev/null")


def unload(host: Host) -> None:
    for model in resident(host):
        load(host, model, keep_alive=0)
    host.out(f"until curl -sf {API}/api/ps | grep -qF '[]'; do sleep 0.1; done", timeout=30)


def blocked(report: Mapping[str, dict[str, Any]]) -> str:
    (found,) = [change for change in report["lab3"]["changes"] if change["kind"] == "blocked"]
    return str(found["summary"])


def says(model: Mapping[str, Any], witness: str) -> str:
    return str(model["witnesses"][witness]["says"])
