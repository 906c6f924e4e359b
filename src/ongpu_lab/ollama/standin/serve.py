"""`ollama serve`: from the environment to an answering port, and its end."""

from __future__ import annotations

import errno
import ipaddress
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import discovery, envconfig, fit, gojson, golog, placement, wire
from .api_models import ModelsApi, answer, failure
from .api_run import RunApi
from .device import Device
from .requests import BadRequest
from .scheduler import Scheduler
from .store import Store, StoreError
from .version import VERSION
from .wire import Request, Response

_TEXT = "text/plain; charset=utf-8"


class CannotServe(Exception):
    """The server does not start; the text follows `Error: `."""


def serve() -> int:
    """Runs until a signal. Exit status 1 with one line if it cannot start."""
    try:
        _run()
    except (CannotServe, StoreError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def _run() -> None:
    if not os.environ.get("HOME"):
        raise CannotServe("$HOME is not defined")
    _key_pair(Path(os.environ["HOME"]) / ".ollama")
    listener = _listen()
    scheduler: Scheduler | None = None

    def stop(number: int, frame: object) -> None:
        wire.cut_all()  # as http.Server.Close does it: nobody is waited for
        if scheduler:
            scheduler.kill_all()
        os._exit(0)

    golog.setup(envconfig.log_level())
    golog.info("routes.go:1951", "server config", env=envconfig.as_map())
    golog.info("routes.go:1953", f"Ollama cloud disabled: {'true' if envconfig.no_cloud() else 'false'}")
    models = Store(Path(envconfig.models_dir()))
    models.prepare()
    blobs, removed = (0, 0) if envconfig.boolean("OLLAMA_NOPRUNE") else models.prune()
    golog.info("images.go:919", f"total blobs: {blobs}")
    golog.info("images.go:926", f"total unused blobs removed: {removed}")
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    address = listener.getsockname()
    shown = f"[::]:{address[1]}" if address[0] in ("::", "0.0.0.0") else f"{address[0]}:{address[1]}"
    golog.info("routes.go:2008", f"Listening on {shown} (version {VERSION})")
    start = time.monotonic()
    count = sum(1 for _ in models.all())
    golog.info(
        "model_list_cache.go:112",
        "model list cache hydration complete",
        models=count,
        failures=0,
        elapsed=gojson.duration(time.monotonic() - start),
    )
    devices = discovery.discover()
    _summary(devices)
    total, context = placement.default_context(devices)
    golog.info(
        "routes.go:2058", "vram-based default context", total_vram=gojson.human_bytes2(total), default_num_ctx=context
    )
    scheduler = Scheduler(devices, context)
    wire.serve(listener, Api(models, scheduler, ipaddress.ip_address(address[0]).is_loopback).handle, _access)


def _key_pair(folder: Path) -> None:
    """The real server makes a key at its first start; here it is a file of the same name without a use."""
    key = folder / "id_ed25519"
    if key.exists():
        return
    print(f"Couldn't find '{key}'. Generating new private key.", file=sys.stderr)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotServe(
            f"could not create directory mkdir {error.filename}: {(error.strerror or '').lower()}"
        ) from error
    try:
        public = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{os.urandom(22).hex()[:43]}"
        key.write_text("lab stand-in: no key\n")
        key.with_suffix(".pub").write_text(public + "\n")
    except OSError as error:
        raise CannotServe(f"open {error.filename}: {(error.strerror or '').lower()}") from error
    print(f"Your new public key is: \n\n{public}\n", file=sys.stderr)


def _listen() -> socket.socket:
    _, name, port = envconfig.host()
    try:
        family, _, _, _, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise CannotServe(f"listen tcp: lookup {name}: no such host") from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        reason = {
            errno.EADDRINUSE: "address already in use",
            errno.EADDRNOTAVAIL: "cannot assign requested address",
        }.get(error.errno or 0, (error.strerror or "").lower())
        raise CannotServe(f"listen tcp {name}:{port}: bind: {reason}") from error
    listener.listen(512)
    return listener


def _summary(devices: list[Device]) -> None:
    for device in devices:
        golog.info(
            "types.go:32",
            "inference compute",
            id=device.index,
            filter_id=device.filter_id,
            library=device.library,
            compute=f"{device.compute[0]}.{device.compute[1]}",
            name=device.name,
            description=device.description,
            libdirs=device.libdirs,
            driver=f"{device.driver[0]}.{device.driver[1]}",
            pci_id=device.pci_id,
            type="iGPU" if device.integrated else "discrete",
            total=gojson.human_bytes2(device.total),
            available=gojson.human_bytes2(device.free),
        )
    if not devices:
        golog.info(
            "types.go:50",
            "inference compute",
            id="cpu",
            library="cpu",
            compute="",
            name="cpu",
            description="cpu",
            libdirs="ollama",
            driver="",
            pci_id="",
            type="",
            total=gojson.human_bytes2(fit.system_memory()),
            available=gojson.human_bytes2(fit.system_memory("MemAvailable")),
        )


def _access(request: Request, status: int, seconds: float) -> None:
    stamp = time.strftime("%Y/%m/%d - %H:%M:%S", time.gmtime())
    line = f"[GIN] {stamp} | {status:3d} | {gojson.duration(seconds):>13} | {request.client:>15} | {request.method:<7}"
    line += f'  "{request.path}"\n'
    golog.raw(line.encode())


class Api:
    """All routes. `loopback`: only then the Host header is checked."""

    def __init__(self, models: Store, scheduler: Scheduler, loopback: bool) -> None:
        about, run = ModelsApi(models, scheduler), RunApi(models, scheduler)
        self._loopback = loopback
        self._routes: dict[str, dict[str, Callable[[Request], Response]]] = {
            "/": {"GET": _alive, "HEAD": _alive},
            "/api/version": {"GET": _version, "HEAD": _version},
            "/api/status": {"GET": _status},
            "/api/tags": {"GET": about.tags, "HEAD": about.tags},
            "/api/ps": {"GET": about.ps},
            "/api/show": {"POST": about.show},
            "/api/pull": {"POST": about.pull},
            "/api/delete": {"DELETE": about.delete},
            "/api/copy": {"POST": about.copy},
            "/api/create": {"POST": about.create},
            "/api/generate": {"POST": run.generate},
            "/api/chat": {"POST": run.chat},
            "/api/embed": {"POST": run.embed},
            "/api/embeddings": {"POST": run.embed},
            "/v1/models": {"GET": about.openai_models},
        }

    def handle(self, request: Request) -> Response:
        if not self._allowed(request):
            return Response(403)
        methods = self._routes.get(request.path)
        if methods is None:
            return Response(404, b"404 page not found", "text/plain")
        if request.method not in methods:
            return Response(405, b"405 method not allowed", "text/plain", {"Allow": ", ".join(sorted(methods))})
        try:
            return methods[request.method](request)
        except BadRequest as error:
            return failure(error.status, str(error))
        except Exception as error:  # a fault of the stand-in: visible to the client, and no reason to hang up
            golog.error("routes.go:0", "the lab's stand-in failed", path=request.path, error=repr(error))
            return failure(500, f"the lab's stand-in failed: {error!r}")

    def _allowed(self, request: Request) -> bool:
        origin = request.headers.get("origin")
        if origin and not _origin_allowed(origin):
            return False
        return not self._loopback or _host_allowed(request.headers.get("host", ""))


def _host_allowed(header: str) -> bool:
    host = header.rpartition(":")[0] if header.count(":") == 1 or "]" in header else header
    host = host.strip("[]").lower()
    try:
        address = ipaddress.ip_address(host)
        return address.is_loopback or address.is_private or address.is_unspecified
    except ValueError:
        names = ("", "localhost", socket.gethostname().lower())
        return host in names or host.endswith((".localhost", ".local", ".internal"))


def _origin_allowed(origin: str) -> bool:
    for pattern in envconfig.origins():
        head, star, _ = pattern.partition("*")
        if origin == pattern or (star and origin.startswith(head)):
            return True
    return False


def _alive(request: Request) -> Response:
    return Response(200, b"Ollama is running", _TEXT)


def _version(request: Request) -> Response:
    return answer({"version": VERSION})


def _status(request: Request) -> Response:
    off = envconfig.no_cloud()
    return answer({"cloud": {"disabled": off, "source": "env" if off else "none"}})
