"""NVIDIA's package repository: its key, its entry, and the pin that keeps the driver in the declared branch."""

from __future__ import annotations

from dataclasses import dataclass

from ongpu.host.paths import HEADER
from ongpu.plan import openpgp
from ongpu.plan.context import Context, Halt, Resource
from ongpu.plan.driver_state import DriverState, driver_state, in_branch, upstream
from ongpu.plan.effect import is_refused
from ongpu.plan.files import Written, content_of, found, written
from ongpu.plan.gate import system_of
from ongpu.plan.types import Change, Put, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """`key_text` or, if that is empty, `fingerprint` says whom to trust."""

    url: str
    key_text: str
    fingerprint: str


def _changes(context: Context) -> list[Change]:
    state = driver_state(context)
    if state.adopted:
        return []
    origin = _origin(context, state)
    if is_refused(context, state):
        return []  # the pin to the new branch would outlive the refusal, and apt would follow it one day
    if context.spec.driver.source == "distro" or _elsewhere(context, state, origin.url):
        return _pin_only(context, state, origin, own=False)
    return _own(context, state, origin)


def _own(context: Context, state: DriverState, origin: _Origin) -> list[Change]:
    distribution = state.distribution
    own = distribution.source(origin.url, context.spec.driver.branch)
    key = _key_step(context, state, origin)
    source = written(context, own.path, own.content)
    if not (key or source):
        return _pin_only(context, state, origin, own=True)
    pin = _pin(context, state)
    # The pin last: while it is missing, a run that was killed here starts over with fresh lists.
    steps: list[Run | Put] = [key] if key else []
    steps.append(distribution.refresh(origin.url, state.required[0], context.spec.driver.branch, own=True))
    if source:
        steps += [source.put, distribution.check_source(origin.url, state.required[0])]
    if pin:
        steps.append(pin.put)
    what = [
        f"signing key {origin.fingerprint}" if key else "",
        f"source {origin.url}" if source else "",
        f"pin to {context.spec.driver.branch}" if pin else "",
    ]
    diff = "".join(file.diff for file in (source, pin) if file)
    return [_change(what, steps, diff)]


def _pin_only(context: Context, state: DriverState, origin: _Origin, *, own: bool) -> list[Change]:
    """The repository is there, by our entry or another. Its lists may be older than what is declared now."""
    pin = _pin(context, state)
    stale = _lacks(context, state)
    if not (pin or stale):
        return []
    refresh = state.distribution.refresh(origin.url, state.required[0], context.spec.driver.branch, own=own)
    steps: list[Run | Put] = [refresh]
    if pin:
        steps.append(pin.put)
    what = [f"pin to {context.spec.driver.branch}" if pin else "", f"package lists ({stale})" if stale else ""]
    return [_change(what, steps, pin.diff if pin else "")]


def _pin(context: Context, state: DriverState) -> Written | None:
    wanted = state.distribution.pin(context.spec.driver.branch)
    return written(context, wanted.path, wanted.content) if wanted else None


def _change(what: list[str], steps: list[Run | Put], diff: str) -> Change:
    summary = ", ".join(part for part in what if part)
    return Change(resource="repository", summary=summary, steps=tuple(steps), diff=diff)


def _lacks(context: Context, state: DriverState) -> str:
    """Why the driver cannot be installed from the lists as they are; empty when it is installed, or can be."""
    branch = context.spec.driver.branch
    if in_branch(state.installed, branch):
        return ""
    for name in state.required:
        candidate = upstream(state.packages.candidates.get(name, ""))
        if in_branch(candidate, branch) or (
            state.packages.manager == "apt" and is_newer_installed(state, name, branch)
        ):
            continue
        return f"{name}: {candidate or 'nothing'} is offered, {branch} is declared"
    return ""


def is_newer_installed(state: DriverState, name: str, branch: str) -> bool:
    """Then the candidate is the installed version and says nothing about what else there is."""
    package = state.packages.find(name)
    present = upstream(package.version) if package else ""
    return bool(present) and _numbers(present) > _numbers(branch)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _origin(context: Context, state: DriverState) -> _Origin:
    declared = context.spec.driver.repository
    system = system_of(context)
    if context.spec.driver.source == "distro":
        return _Origin(url=state.distribution.archive(system), key_text="", fingerprint="")
    default = state.distribution.default_repository(system)
    url, fingerprint, key_text = declared.url, _bare(declared.key_fingerprint), declared.key_text or ""
    if key_text and not openpgp.fingerprints(key_text):
        raise Halt("unsupported", "driver.repository.key is not an armoured OpenPGP public key")
    if url is None:
        if default is None:
            raise Halt(
                "unsupported",
                f"NVIDIA's repository for {system.os_name or system.os_id} is not known: declare driver.repository.url "
                "and key (or key_fingerprint)",
            )
        url, fingerprint = default.url, fingerprint or default.fingerprint
    url = url.rstrip("/") + "/"
    if key_text:
        inside = openpgp.fingerprints(key_text)
        if fingerprint and declared.key_fingerprint and fingerprint not in inside:
            raise Halt("unsupported", f"driver.repository.key has the fingerprint {inside[0]}, not {fingerprint}")
        return _Origin(url=url, key_text=key_text, fingerprint=inside[0])
    if not fingerprint:
        raise Halt(
            "unsupported",
            f"driver.repository.url is {url} without `key` or `key_fingerprint`: its packages could not be checked"
            if declared.url or default is None
            else f"ongpu does not know the whole fingerprint of the key that signs {url}: fetch "
            f"{url}{default.key_file}, compare it with a source that you trust, and declare it as "
            "driver.repository.key (or its fingerprint as key_fingerprint)",
        )
    return _Origin(url=url, key_text="", fingerprint=fingerprint)


def _key_step(context: Context, state: DriverState, origin: _Origin) -> Put | Run | None:
    path = state.distribution.keyring
    if not origin.key_text:
        if openpgp.fingerprints(content_of(context, path)) == (origin.fingerprint,):
            return None
        return state.distribution.fetch_key(origin.url, origin.fingerprint)
    file = written(context, path, openpgp.with_comment(origin.key_text, HEADER))
    return file.put if file else None


def _elsewhere(context: Context, state: DriverState, url: str) -> bool:
    """Does another source of the host (NVIDIA's cuda-keyring package) name this repository? Two entries with
    different keys make all of apt fail, so ours is then not written."""
    listed = any(source.split(" ")[0].rstrip("/") == url.rstrip("/") for source in state.packages.sources)
    return listed and found(context, state.distribution.source_path) is None


def _bare(fingerprint: str | None) -> str:
    return "".join((fingerprint or "").split()).upper().removeprefix("0X")


RESOURCE = Resource(name="repository", applies=lambda spec: spec.driver.manage, changes=_changes)
