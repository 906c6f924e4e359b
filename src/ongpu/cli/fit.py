"""Predict whether models fit on the GPUs, before anything is downloaded or loaded.

MODEL is a GGUF file (or blob), a name in a registry (only the header is fetched), or any name with --model-info.
Several models are loaded one after another: each sees what those before it left.

--gpu is the free memory that llama.cpp sees, and the model is spread over all of them as llama.cpp does it. With --host
free memory, settings and neighbours are the host's, one GPU is chosen where Ollama would choose one, and it is the host
that is asked for the model: its store, else its registry.

Exit codes: 0 everything fits, 2 something does not, 3 too little is known, 1 usage.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import cast

import click
from packaging.version import InvalidVersion, Version

from ongpu.cli._fit_host import ask, look
from ongpu.cli._fit_sources import is_a_name, read_model
from ongpu.cli._fit_table import table
from ongpu.cli._options import options
from ongpu.errors import Exit
from ongpu.fit.advice import Advice, advise
from ongpu.fit.description import Description
from ongpu.fit.predict import Device, Prediction, choose, largest_context, predict
from ongpu.fit.quant import CACHE_TYPES
from ongpu.fit.record import model_record
from ongpu.fit.settings import MIB, PLANNERS, Flash, planner_of
from ongpu.fit.target import Asked, Target, settings_of
from ongpu.fit.together import Wanted
from ongpu.fleet.options import Options

_MOST = 2**31


@click.command("fit", help=__doc__)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option("--host", help="A host of the inventory: its GPUs, free memory and settings.")
@click.option(
    "--gpu", "gpus", multiple=True, type=click.IntRange(0, _MOST), metavar="MIB", help="Free MiB; repeatable."
)
@click.option("--num-ctx", type=click.IntRange(4, _MOST), help="Tokens per slot. Default: as Ollama chooses it.")
@click.option("--parallel", type=click.IntRange(1, 1024), help="Slots.  [default: 1]")
@click.option("--kv-cache-type", type=click.Choice(CACHE_TYPES), help="[default: f16]")
@click.option("--flash-attention", type=click.Choice(("auto", "on", "off")), help="[default: auto]")
@click.option("--batch", type=click.IntRange(1, _MOST), help="Micro batch. Default: as Ollama chooses it.")
@click.option("--ollama", metavar="VERSION", help="The release that will load it, with --gpu.  [default: the newest]")
@click.option("--model-info", "infos", multiple=True, metavar="FILE", help="JSON or GGUF; one per MODEL, in order.")
@click.option("--format", "fmt", default="table", type=click.Choice(("table", "json")), show_default=True)
@click.option("-i", "--inventory", default="inventory.py", show_default=True, help="Any pyinfra inventory.")
@click.option("--timeout", default=120, show_default=True, type=click.IntRange(1), help="Seconds to read the host.")
def command(
    models: tuple[str, ...],
    host: str | None,
    gpus: tuple[int, ...],
    num_ctx: int | None,
    parallel: int | None,
    kv_cache_type: str | None,
    flash_attention: str | None,
    batch: int | None,
    ollama: str | None,
    infos: tuple[str, ...],
    fmt: str,
    inventory: str,
    timeout: int,
) -> int:
    if bool(host) == bool(gpus):
        raise click.UsageError("say for which GPUs: --host NAME, or --gpu MIB once per GPU (free memory).")
    if infos and len(infos) != len(models):
        raise click.UsageError(f"{len(models)} models need as many --model-info, in the same order; got {len(infos)}.")
    if host and ollama:
        raise click.UsageError("--ollama goes with --gpu: which release a host has, the host tells.")
    wanted, target = (
        _on_host(host, models, infos, options(inventory, (host,), (), 1, timeout))
        if host
        else (
            [Wanted(read_model(name, infos[i] if infos else None)) for i, name in enumerate(models)],
            _given(gpus, ollama),
        )
    )
    asked = Asked(
        num_ctx=num_ctx,
        parallel=parallel,
        kv_cache_type=kv_cache_type,
        flash=cast("Flash", flash_attention),
        batch=batch,
    )
    found, target_now = [], target
    for one in wanted:
        own = replace(asked, num_ctx=one.num_ctx) if num_ctx is None else asked
        prediction, largest, advice = _one(one.description, target_now, own)
        found.append((prediction, largest, advice))
        target_now = target_now.after(prediction)
    if fmt == "json":
        click.echo(json.dumps({"models": [model_record(*item) for item in found]}, indent=1))
    else:
        click.echo("\n\n".join(table(*item) for item in found))
    return Exit.OK if all(prediction.fits for prediction, _, _ in found) else Exit.FINDINGS


def _on_host(
    host: str, models: tuple[str, ...], infos: tuple[str, ...], chosen: Options
) -> tuple[list[Wanted], Target]:
    """Names without a file are asked of the host: it is the host that has the model or will pull it."""
    seen = look(host, chosen)
    names = [name for name in models if not infos and is_a_name(name)]
    told = ask(seen, names, chosen) if names else {}
    wanted = [
        told[name] if name in told else Wanted(read_model(name, infos[i] if infos else None))
        for i, name in enumerate(models)
    ]
    return wanted, seen.target


def _given(gpus: tuple[int, ...], ollama: str | None) -> Target:
    devices = tuple(Device(f"GPU {i}", free * MIB) for i, free in enumerate(gpus))
    try:
        planner = planner_of(str(Version(ollama))) if ollama else PLANNERS[0]
    except InvalidVersion:
        raise click.UsageError(f"--ollama {ollama}: not a version such as 0.32.15.") from None
    return Target(devices=devices, total_bytes=sum(device.free_bytes for device in devices), planner=planner)


def _one(description: Description, target: Target, asked: Asked) -> tuple[Prediction, int, tuple[Advice, ...]]:
    settings = settings_of(description, target, asked)
    devices = choose(description, settings, target.devices) if target.picks_one else target.devices
    fixed = asked.batch is not None
    prediction = predict(description, settings, devices)
    largest = largest_context(description, settings, devices, fixed)
    return prediction, largest, advise(prediction, devices, target.occupied, fixed)
