"""The program `llama-server`: load one model, hold its memory, answer on a port of the loopback."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

from . import arguments, fit, gguf, holding, lab, llama_log, probes, projector
from .runner_api import RunnerApi
from .sizing import Placement, Sizer, Use
from .wire import serve

CONTEXT_MIB = 280  # what a CUDA context, its kernels and cuBLAS take beside the printed buffers
_say = llama_log.say


def main(words: list[str]) -> int:
    try:
        options = arguments.parse(words)
    except arguments.BadArgument as error:
        _say(str(error))
        return 1
    return _Load(options).run()


class _Load:
    """One load, step by step in the order of the real program."""

    def __init__(self, options: arguments.Options) -> None:
        self.options = options
        self.knobs = lab.Knobs()
        self.path = Path(options.values["model"])
        self.port = options.number("port", 8080)
        library, gpus = probes.find_devices()
        self.gpus = gpus
        self.backend = bool(gpus)
        cards = [fit.Card(f"{library}{i}", gpu.name, gpu.pci_id, gpu.total, gpu.free) for i, gpu in enumerate(gpus)]
        self.cards = self._chosen(cards)
        self.settings = options.settings(bool(self.cards))

    def _chosen(self, cards: list[fit.Card]) -> list[fit.Card]:
        """The devices that LLAMA_ARG_DEVICE and --split-mode none leave."""
        if self.options.device is not None:
            names = [name.strip() for name in self.options.device.split(",")]
            cards = [card for card in cards if card.name in names]
        if self.options.values.get("split_mode") == "none" and cards:
            cards = [cards[min(self.options.number("main_gpu", 0), len(cards) - 1)]]
        return cards

    def run(self) -> int:
        if self.knobs.flag("load", "quiet"):
            sys.stderr = open("/dev/null", "w", encoding="utf-8")  # noqa: SIM115
        api = RunnerApi(str(self.path), self.settings)
        llama_log.preamble(self.cards, probes.system_info(), fit.system_memory())
        llama_log.server_start(str(self.path))
        listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=serve, args=(listener, api.handle), daemon=True).start()
        try:
            model = gguf.read(self.path)
        except (gguf.NotGguf, OSError) as error:
            _say(f"llama_model_load: error loading model: {error}")
            self._fail(f"failed to load model, '{self.path}'")
        self.projector = self._projector()
        sizer = Sizer(model, self.settings)
        llama_log.fitting()
        start = time.monotonic()
        placement = fit.place(sizer, self.cards, self.options.wish, _say)
        _say(f"common_fit_params: fitting params to free memory took {time.monotonic() - start:.2f} seconds")
        use = sizer.use(placement, len(self.cards))
        self._crash_if_told()
        self._load(model, sizer, placement, use)
        self._draft()
        llama_log.warming_up()
        if self.projector:
            self.projector.announce()
        signal.signal(signal.SIGTERM, _stop)
        api.ready(model, use, self.cards, self.knobs, vision=self.projector is not None)
        llama_log.loaded(self.settings, self.port)
        signal.pause()
        return 0

    def _projector(self) -> projector.Projector | None:
        path = self.options.values.get("mmproj", "")
        try:
            return projector.read(path, self.cards, "--no-mmproj-offload" not in self.options.flags)
        except (gguf.NotGguf, OSError) as error:
            _say(f"clip_init: failed to load model '{path}': {error}")
            _say(f"srv    load_model: failed to load multimodal model, '{path}'")
            self._fail(f"failed to load model, '{self.path}'")

    def _load(self, model: gguf.Model, sizer: Sizer, placement: Placement, use: Use, *, draft: bool = False) -> None:
        llama_log.metadata(model)
        llama_log.using_devices(self.cards)
        llama_log.print_info(model, sizer)
        offloaded = None
        if self.backend:
            asked = None if draft else self.options.wish.layers
            whole = len(placement.layers)
            offloaded = placement.offloaded if self.cards else min(whole, asked if asked is not None else whole)
        llama_log.tensors(use, self.cards, placement, self.settings, offloaded)
        self._allocate("model", use)
        if self.settings.type_v != "f16" and self.settings.flash == "off":
            for _ in range(2):
                _say("llama_init_from_model: quantized V cache requires flash_attn to be enabled")
            self._fail_context()
        llama_log.context(model, self.settings, sizer)
        self._allocate("kv", use)
        if delay := self.knobs.number("load", "delay"):
            time.sleep(delay)
        self._allocate("projector", use)
        if not draft:  # what the draft takes beside it is left out of the driver's account
            self._hold(use)
        llama_log.context_buffers(use, self.cards, self.settings, sizer, placement)

    def _draft(self) -> None:
        """A draft model (LLAMA_ARG_SPEC_DRAFT_MODEL) is loaded after the main one, and prints the same lines again."""
        path = os.environ.get("LLAMA_ARG_SPEC_DRAFT_MODEL", "")
        if not path:
            return
        try:
            model = gguf.read(Path(path))
        except (gguf.NotGguf, OSError) as error:
            _say(f"llama_model_load: error loading model: {error}")
            self._fail(f"failed to load draft model, '{path}'")
        sizer = Sizer(model, self.settings)
        asked = os.environ.get("LLAMA_ARG_N_GPU_LAYERS_DRAFT", "")
        wish = fit.Wish(int(asked) if asked.isdecimal() else None, None, (1024,), enabled=False)
        placement = fit.place(sizer, self.cards, wish, _say)
        self._load(model, sizer, placement, sizer.use(placement, len(self.cards)), draft=True)

    def _allocate(self, step: str, use: Use) -> None:
        """Stop as CUDA does when a device has not that much free memory; managed memory has no such end."""
        if _managed():
            return
        for number, card in enumerate(self.cards):
            buffers = use.devices[number]
            first = self.projector.on_device if self.projector and number == 0 else 0
            parts = {"model": buffers.model, "kv": buffers.kv, "projector": first}
            steps = list(parts)[: list(parts).index(step) + 1]
            size, needed = parts[step], sum(parts[name] for name in steps) + (CONTEXT_MIB << 20)
            if size and needed > card.free:
                _say(
                    "ggml_backend_cuda_buffer_type_alloc_buffer: "
                    f"allocating {size / fit.MIB:.2f} MiB on device {number}: cudaMalloc failed: out of memory"
                )
                _say(f"alloc_tensor_range: failed to allocate {card.name} buffer of size {size}")
                if step == "model":
                    _say(f"llama_model_load: error loading model: unable to allocate {card.name} buffer")
                    self._fail(f"failed to load model, '{self.path}'")
                if step == "projector":
                    self._fail(f"failed to load model, '{self.path}'")
                _say("llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv cache")
                self._fail_context()

    def _hold(self, use: Use) -> None:
        if not self.cards or self.knobs.flag("load", "silent_cpu"):
            return
        held = {}
        for number, card in enumerate(self.cards):
            gpu = next(gpu for gpu in self.gpus if gpu.pci_id == card.pci_id and gpu.name == card.description)
            extra = self.projector.on_device if self.projector and number == 0 else 0
            needed = (use.devices[number].total + extra) // fit.MIB + CONTEXT_MIB
            held[gpu.number] = min(needed, card.free // fit.MIB) if _managed() else needed
        atexit.register(holding.release)
        try:
            holding.hold(held, str(lab.executable()))
        except OSError as error:
            _say(f"the lab's stand-in cannot hold GPU memory: {error.filename}: {error.strerror}")
            self._fail(f"failed to load model, '{self.path}'")

    def _crash_if_told(self) -> None:
        status = int(self.knobs.number("load", "crash"))
        if status:
            message = self.knobs.text("load", "crash_message")
            if message:
                _say(message)
            sys.exit(status)

    def _fail_context(self) -> NoReturn:
        self._fail(f"failed to create_context with model '{self.path}'")

    def _fail(self, what: str) -> NoReturn:
        _say(f"cmn  common_init_: {what.replace('create_context', 'create context')}")
        _say(f"srv    load_model: {what}")
        _say("srv    operator(): operator(): cleaning up before exit...")
        _say("srv  llama_server: exiting due to model loading error")
        sys.exit(1)


def _managed() -> bool:
    """ggml-cuda then takes managed memory: what the GPU has no room for lies in the host's, and no log says so."""
    return "GGML_CUDA_ENABLE_UNIFIED_MEMORY" in os.environ


def _stop(number: int, frame: object) -> NoReturn:
    sys.exit(0)
