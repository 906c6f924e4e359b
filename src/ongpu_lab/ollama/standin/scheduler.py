"""Which models are loaded, for how long, and which has to go for another (server/sched.go)."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from . import discovery, envconfig, golog, placement
from .device import Device
from .gguf import Model
from .gojson import human_bytes2
from .launch import Plan
from .runner import LoadFailed, Runner, describe, start, wait_until_ready


class Busy(Exception):
    """Too many requests wait."""


class Scheduler:
    """One lock guards the list of runners; loads are done one after the other under a second lock."""

    def __init__(self, devices: list[Device], default_context: int) -> None:
        self._devices = devices
        self.default_context = default_context
        self.runners: list[Runner] = []
        self._lock = threading.Condition()
        self._loading = threading.Lock()
        self._starting: Runner | None = None
        self._pending = 0
        threading.Thread(target=self._expire, daemon=True).start()

    @contextlib.contextmanager
    def runner(self, plan: Plan, keep_alive: float | None, closed: Callable[[], bool]) -> Iterator[Runner]:
        """A loaded runner for the time of a request; `plan` says what is asked for. Raises Busy or LoadFailed."""
        runner = self._acquire(plan, keep_alive, closed)
        try:
            yield runner
        finally:
            self._release(runner)

    def _acquire(self, plan: Plan, keep_alive: float | None, closed: Callable[[], bool]) -> Runner:
        with self._lock:
            if self._pending >= max(1, envconfig.unsigned("OLLAMA_MAX_QUEUE", 512)):
                raise Busy
            self._pending += 1
        try:
            with self._loading:
                runner = self._ready(plan) or self._load(plan, closed)
                with self._lock:
                    runner.users += 1
                    if keep_alive is not None:
                        runner.session = keep_alive
                    return runner
        finally:
            with self._lock:
                self._pending -= 1

    def _ready(self, plan: Plan) -> Runner | None:
        """The runner of this model if it can answer as it is; else it is unloaded."""
        options = plan.options
        with self._lock:
            runner = next((item for item in self.runners if item.plan.path == plan.path), None)
        if runner is None:
            return None
        if not runner.alive():
            for _ in range(2):
                golog.warn(
                    "llama_server.go:1196", "llama-server process no longer running", sys=9, string="signal: killed"
                )
            self._unload(runner)
            return None
        mine = runner.plan.options
        changed = (
            mine.num_ctx != self._context(plan)
            or (options.num_gpu >= 0 and mine.num_gpu != options.num_gpu)
            or (options.num_batch is not None and runner.plan.batch != options.num_batch)
            or (mine.num_thread, mine.main_gpu, mine.use_mmap)
            != (options.num_thread, options.main_gpu, options.use_mmap)
        )
        if changed or runner.doomed:
            self._unload(runner)
            return None
        return runner

    @staticmethod
    def _trained(model: Model) -> int:
        return int(model.get("context_length", 0)) or 2**31

    @classmethod
    def _context(cls, plan: Plan) -> int:
        """What is asked for within what the model can: at least 4, with a projector 2048."""
        return max(2048 if plan.projector else 4, min(plan.options.num_ctx, cls._trained(plan.model)))

    def _load(self, plan: Plan, closed: Callable[[], bool]) -> Runner:
        devices = self._refreshed()
        plan.parallel = placement.parallel(plan.model)
        trained = self._trained(plan.model)
        if plan.options.num_ctx > trained:
            golog.warn(
                "server.go:114",
                "requested context size too large for model",
                num_ctx=plan.options.num_ctx,
                n_ctx_train=trained,
            )
        plan.options = replace(plan.options, num_ctx=self._context(plan))
        devices = self._make_room(plan, devices)
        try:
            return self._start(plan, devices, closed)
        except LoadFailed as error:
            if "failed to allocate" not in str(error) or not self.runners:
                raise
            golog.warn(
                "sched.go:660", "llama-server load failed; evicting all other models and retrying once", error=error
            )
            for runner in list(self.runners):
                self._unload(runner)
            return self._start(plan, self._refreshed(), closed)

    def _start(self, plan: Plan, devices: list[Device], closed: Callable[[], bool]) -> Runner:
        context = plan.options.num_ctx * plan.parallel
        if plan.options.num_gpu == 0:
            plan.devices, plan.single = [], False
        else:
            plan.devices, plan.single = placement.choose(plan.model, context, devices, plan.options.main_gpu)
        plan.batch = plan.options.num_batch or placement.batch(plan.model, context, plan.devices)
        placement.log_mmap(plan.path, plan.devices, plan.options.num_gpu)
        runner = start(plan)
        self._starting = runner
        placement.log_memory(plan.devices)
        gone = threading.Event()
        watcher = threading.Thread(target=_watch, args=(closed, gone, runner), daemon=True)
        watcher.start()
        try:
            wait_until_ready(runner, gone)
        except LoadFailed as error:
            runner.stop()
            golog.info("sched.go:641", "Load failed", model=plan.path, error=error)
            raise
        finally:
            self._starting = None
        runner.session = envconfig.keep_alive()
        with self._lock:
            self.runners.append(runner)
        golog.info("sched.go:728", "loaded runners", count=len(self.runners))
        golog.debug("sched.go:740", "finished setting up", **describe(runner))
        return runner

    def _refreshed(self) -> list[Device]:
        """Free memory now, and never more than what our own models leave."""
        devices = discovery.refresh(self._devices)
        with self._lock:
            loaded = [(runner.plan.devices, runner.size_vram) for runner in self.runners if runner.alive()]
        result = []
        for device in devices:
            own = sum(size // len(used) for used, size in loaded if any(_same(item, device) for item in used))
            if loaded:
                free = max(0, min(device.free, device.total - own))
                golog.info(
                    "sched.go:1332",
                    "updated VRAM based on existing loaded models",
                    gpu=device.index,
                    library=device.library,
                    total=human_bytes2(device.total),
                    available=human_bytes2(free),
                )
                device = replace(device, free=free)
            result.append(device)
        self._devices = [replace(old, free=new.free) for old, new in zip(self._devices, devices, strict=True)]
        return result

    def _make_room(self, plan: Plan, devices: list[Device]) -> list[Device]:
        limit = envconfig.unsigned("OLLAMA_MAX_LOADED_MODELS", 0) or 3 * max(1, len(self._devices))
        context = plan.options.num_ctx * plan.parallel
        while self.runners:
            full = len(self.runners) >= limit
            if not full and (
                plan.options.num_gpu == 0 or placement.fits(plan.model, context, plan.options.num_batch or 512, devices)
            ):
                break
            with self._lock:
                victim = min(self.runners, key=lambda item: (item.users > 0, item.session))
            golog.debug("sched.go:1686", "found an idle runner to unload", **describe(victim))
            self._unload(victim)
            devices = self._refreshed()
        return devices

    def _release(self, runner: Runner) -> None:
        with self._lock:
            runner.users -= 1
            if runner.users == 0:
                runner.expires_at = time.time() + runner.session
                if runner.session == 0:
                    runner.doomed = True
            self._lock.notify_all()

    def _unload(self, runner: Runner) -> None:
        """Wait until nobody uses the runner, then end it."""
        with self._lock:
            self._lock.wait_for(lambda: runner.users == 0)
            if runner in self.runners:
                self.runners.remove(runner)
        runner.stop()
        golog.debug("sched.go:356", "unload completed", **describe(runner))

    def expire(self, path: Path) -> None:
        """Unload soon: what `keep_alive: 0` and `ollama stop` ask for."""
        with self._lock:
            for runner in self.runners:
                if runner.plan.path == path:
                    runner.doomed, runner.session, runner.expires_at = True, 0.0, time.time()
            self._lock.notify_all()

    def _expire(self) -> None:
        while True:
            with self._lock:
                idle = [item for item in self.runners if item.users == 0]
                due = next((item for item in idle if item.doomed or 0 < item.expires_at <= time.time()), None)
                if due is None:
                    soonest = min((item.expires_at for item in idle if item.expires_at), default=time.time() + 3600)
                    self._lock.wait(max(0.01, min(3600.0, soonest - time.time())))
                    continue
                self.runners.remove(due)
            due.stop()
            golog.debug("sched.go:465", "sending an unloaded event", **describe(due))

    def kill_all(self) -> None:
        """At the end of the server: no waiting, no ceremony."""
        for runner in [*self.runners, *([self._starting] if self._starting else [])]:
            with contextlib.suppress(OSError):
                runner.stop()


def _same(one: Device, other: Device) -> bool:
    return (one.directory, one.index) == (other.directory, other.index)


def _watch(closed: Callable[[], bool], gone: threading.Event, runner: Runner) -> None:
    """Tell a load that its client has gone away."""
    while runner.alive() and not runner.size:
        if closed():
            gone.set()
            return
        time.sleep(0.05)
