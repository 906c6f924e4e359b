"""Ollama's own lines about a load, of 0.5 to 0.24 (Go runners) and of 0.30 and later (around llama-server)."""

from __future__ import annotations

import re

from ongpu.host.ollama_log.draft import Draft
from ongpu.host.ollama_log.text import size_bytes
from ongpu.host.ollama_log.types import Buffer, BufferKind, Record

# 0.33.0 msg="starting llama-server" cmd="/usr/local/lib/ollama/llama-server --model /…/sha256-55cb… --port 46259 …"
# 0.12.4 msg="starting runner" cmd="/usr/local/bin/ollama runner --ollama-engine --model /…/sha256-55cb… --port 36629"
# 0.11.5 msg="starting llama server" cmd="/usr/local/bin/ollama runner --ollama-engine --model … --port 36629"
_STARTS = ("starting llama-server", "starting runner", "starting llama server")
_MODEL = re.compile(r" --model (.{1,4096}?)(?= --|$)")
_PORT = re.compile(r" --port (\d{1,5})\b")
# 0.33.0 msg="llama-server started in 5.06 seconds"     0.20 msg="llama runner started in 43.46 seconds"
_STARTED = re.compile(r"^(?:llama-server|llama runner) started in ")
# 0.33.0 level=ERROR msg="llama-server terminated" error="exit status 1"; level=INFO msg="Load failed" model=… error=…
# 0.33.0 level=WARN msg="client connection closed before llama-server finished loading, aborting load"
# 0.12.4 level=ERROR msg="llama runner terminated" error="exit status 2"; 0.4.0 msg="error loading llama server" error=…
_FAILED = ("Load failed", "llama-server terminated", "llama runner terminated", "error loading llama server")
_ABORTED = "aborting load"
# 0.20.0 msg="model weights" device=CUDA0 size="19.9 GiB"     0.6.3 msg="model weights" buffer=CUDA0 size="3.1 GiB"
_KINDS: dict[str, BufferKind] = {"model weights": "model", "kv cache": "KV", "compute graph": "compute"}
# 0.20.0 msg="offloaded 20/49 layers to GPU"
_OFFLOADED = re.compile(r"^offloaded (\d{1,6})/(\d{1,6}) layers to GPU")
# 0.20.0 msg=load request="{Operation:commit … Parallel:1 … FlashAttention:Enabled KvSize:32768 … GPULayers:20[…] …}"
_REQUEST = re.compile(r"\b(Operation|Parallel|FlashAttention|KvSize):(\w+)")
# Said before a load, about it: msg="disabling multimodal projector offload", msg="requested context size too large
# for model", msg="llama-server load failed; reducing automatic context and retrying once",
# msg="llama-server model predicted to exceed available memory, evicting", msg="selecting single GPU for …"
_ABOUT_NEXT = re.compile(
    r"projector|context size|retrying once|predicted to exceed|selecting (?:single )?GPU"
    r"|parallel requests|kv cache|flash attention",
    re.IGNORECASE,
)


def started(record: Record) -> Draft | None:
    """A new load, if the line starts one. Children without a model (discovery) are none."""
    if record.message not in _STARTS:
        return None
    command = record.attrs.get("cmd", "")
    model = _MODEL.search(command)
    if not model:
        return None
    port = _PORT.search(command)
    return Draft(
        generation="llama-server" if record.message == "starting llama-server" else "runner",
        model_path=model[1].strip(),
        port=int(port[1]) if port else None,
        command=command,
    )


def is_ready(record: Record) -> bool:
    return bool(_STARTED.match(record.message))


def has_failed(record: Record) -> bool:
    return record.message in _FAILED or record.message.endswith(_ABORTED)


def is_warning(record: Record) -> bool:
    return record.level in ("WARN", "ERROR") or is_about_next(record)


def is_about_next(record: Record) -> bool:
    """Said before a runner is started, about the load that follows."""
    return record.level != "DEBUG" and bool(_ABOUT_NEXT.search(record.message))


def words(record: Record) -> str:
    """The line in short: `WARN message key=value ...`."""
    attrs = "".join(f" {name}={value}" for name, value in record.attrs.items() if name not in ("source", "env"))
    return f"{record.level} {record.message}{attrs}"[:1000]


def opens_a_load(record: Record) -> bool:
    """A line that only a model load prints: with no load open, its start was not seen."""
    return record.message == "model weights" or bool(_OFFLOADED.match(record.message))


def take(draft: Draft, record: Record) -> None:
    """What the Go runners (0.6 to 0.24) log about memory; sizes are rounded to one decimal there."""
    if kind := _KINDS.get(record.message):
        device = record.attrs.get("device") or record.attrs.get("buffer") or record.attrs.get("buffer_type", "")
        size = size_bytes(record.attrs.get("size", ""))
        if device and size is not None:
            draft.buffers.append(Buffer(device=device, kind=kind, mib=round(size / 1024**2, 2), by="ollama"))
    elif found := _OFFLOADED.match(record.message):
        draft.offloaded.append((int(found[1]), int(found[2])))
    elif record.message == "load" and "request" in record.attrs:
        _take_request(draft, dict(_REQUEST.findall(record.attrs["request"])))


def _take_request(draft: Draft, request: dict[str, str]) -> None:
    # `fit` and `alloc` are trials that may repeat with fewer layers; what `commit` logs after them is what counts.
    if request.get("Operation") == "commit":
        draft.buffers.clear()
        draft.offloaded.clear()
    if request.get("KvSize", "").isdecimal():
        draft.context = int(request["KvSize"])
    if request.get("Parallel", "").isdecimal():
        draft.parallel = int(request["Parallel"])
    if "FlashAttention" in request:
        draft.flash_attention = request["FlashAttention"].lower() in ("enabled", "true")
