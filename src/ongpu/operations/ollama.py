"""Ollama as a service: account, release, unit, drop-in, restart, models.

Each stands alone: a pyinfra deploy may use one of them without the rest of ongpu. What it is to do comes from the host
data key `ongpu` (the whole of a host's spec), from the argument `spec` (a part of it), or from both, `spec` winning:

```python
from ongpu.operations import ollama

declared = {"ollama": {"release": "0.32.15", "env": {"OLLAMA_FLASH_ATTENTION": True}}}
ollama.release(spec=declared, name="Ollama release")
ollama.override(spec=declared, name="drop-in")
ollama.restart(spec=declared, name="Ollama running as declared", _parallel=1)
```

Give the same `spec` to all that belong together. Every operation looks first, changes only what differs, and looks
again; one that is refused fails its host with one sentence.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation

from ongpu.engine.converge import converge
from ongpu.engine.verify import verify


@operation()
def uninstall(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """Where the spec says `ollama: {state: absent}`: what ongpu installed is stopped and removed. Models and the
    account stay; somebody else's unit is refused.

    + spec: a part of a spec, over the host data key `ongpu`

    Interrupts: Ollama, for good; drained first. The dry run is exact.
    """
    yield from converge("uninstall", spec)


@operation()
def account(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """The service's system user, in the groups that may open the GPU. Somebody else's unit keeps its own user.

    + spec: a part of a spec, over the host data key `ongpu`

    Interrupts: none. The dry run is exact.
    """
    yield from converge("account", spec)


@operation()
def release(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """The pinned release and its add-ons: from Ollama's site, a mirror, or a directory of the controller; checked by
    sha256, unpacked beside the old one, switched to at once. The running service is not touched until `restart`.

    + spec: a part of a spec, over the host data key `ongpu`

    Interrupts: none. The dry run names the release; that the archive can be had and is right shows only when it is
    done.
    """
    yield from converge("ollama", spec)


@operation()
def fit(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """The declared models exist, and fit on the disk and on the GPUs together; else the host fails here, before
    anything is restarted or downloaded for them. The host data key `ongpu_force: true` goes on when a model cannot fit
    on the GPUs by the prediction. Interrupts: none.

    + spec: a part of a spec, over the host data key `ongpu`
    """
    yield from converge("fit", spec)


@operation()
def unit(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """ollama.service, only where none exists: an existing unit is never edited.

    + spec: a part of a spec, over the host data key `ongpu`

    Interrupts: none. The dry run is exact.
    """
    yield from converge("unit", spec)


@operation()
def override(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """Our drop-in: the GPU environment, the start after the driver, devices that hardening would hide. Other files are
    left as they are; one that beats it is named, and the host fails.

    + spec: a part of a spec, over the host data key `ongpu`

    Interrupts: none (the restart is a resource of its own). The dry run is exact and shows the difference; before the
    driver is loaded, GPUs that are named by PCI address are only known later.
    """
    yield from converge("override", spec)


@operation()
def restart(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """Enabled, running, and running what is declared. Waits until nothing is served, at most `service.drain`, then
    refuses. Afterwards the service must be as well as before (version, GPUs found, models resident again on the GPU);
    else release and drop-in are put back, and the host fails with both states.

    + spec: a part of a spec, over the host data key `ongpu`

    Interrupts: Ollama restart, only where the running process differs. The dry run says why; how the service is
    afterwards shows only when it is done.
    """
    yield from converge("restart", spec)


@operation()
def tidy(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """Older releases of ongpu's are removed: all but the declared one and the one that was in use before it, to which
    `ongpu undo` leads back. Never one that a process still runs from.

    + spec: a part of a spec, over the host data key `ongpu`

    Interrupts: none. The dry run is exact.
    """
    yield from converge("tidy", spec)


@operation()
def models(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """The declared models in the store.

    + spec: a part of a spec, over the host data key `ongpu`

    Interrupts: none. The dry run names what is pulled; before Ollama answers it is only known later.
    """
    yield from converge("models", spec)


@operation()
def proof(load: bool = True, spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """Every declared model is proven fully on the GPU, or the host fails with one sentence.

    + load: load models that are not resident, if nothing else is evicted for it
    + spec: a part of a spec, over the host data key `ongpu`

    Does nothing in a dry run: a dry run proves nothing. Interrupts: none.
    """
    yield from verify(load, spec)
