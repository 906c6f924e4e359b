"""Which Ollama is installed, and which one the service runs or will run."""

from __future__ import annotations

from dataclasses import dataclass

from ongpu.host.ollama import OllamaInstall, Service
from ongpu.host.paths import BINARY, RELEASES, UNIT_FILE
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.plan.context import Context, Halt, because, known
from ongpu.plan.files import content_of, found
from ongpu.plan.gate import system_of

_NO_TRACE = Absent("no trace of Ollama on this host")
_NOTHING = OllamaInstall(binaries=(), trees=(), release=_NO_TRACE, kept=(), account=_NO_TRACE, packaging=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """`ours` = the release in `current`, complete, and BINARY leads to it. `adopted` = the declared version that
    someone else put at BINARY, complete: left as it is. `before` says what is there now, for the summary."""

    version: str
    ours: bool
    adopted: bool
    unpacked: bool
    before: str
    exe: str


def service_of(context: Context) -> Service | None:
    """None = there is no ollama.service. Raises Halt when it could not be looked at."""
    match context.snapshot.service:
        case Known(value=service):
            return None if service.load_state == "not-found" else service
        case Absent():
            return None
        case Unreadable() as blind:
            raise Halt("unknown", f"cannot tell how ollama.service is set up: {because(blind)}")


def install_of(context: Context) -> OllamaInstall:
    """What is there of Ollama, where ongpu may manage it at all. The first question of every Ollama resource: on a
    host where Docker or snap runs it, not even an account or a drop-in of ours is written.

    Raises Halt("unsupported") there, Halt("unknown") when it could not be looked at.
    """
    system_of(context)
    install = known(context.snapshot.ollama, "which Ollama is installed", absent=_NOTHING)
    if install.packaging:
        raise Halt(
            "unsupported",
            f"Ollama is here as {', '.join(install.packaging)}, which ongpu diagnoses but does not manage: remove it, "
            "or declare ollama: {manage: false}",
        )
    return install


def installed(context: Context) -> Installed:
    """Where the declared release stands on this host. Raises Halt as `install_of` does."""
    version = context.spec.ollama.release
    install = install_of(context)
    if isinstance(install.release, Unreadable):
        raise Halt("unknown", f"cannot tell which Ollama release is in use: {because(install.release)}")
    own = f"{RELEASES}/{version}"
    at_binary = next((binary for binary in install.binaries if binary.path == BINARY), None)
    current = install.release.value if isinstance(install.release, Known) else ""
    resolved = at_binary.resolved if at_binary else ""
    in_use = resolved == f"{own}/bin/ollama"
    # A tree that no binary leads to was not looked into; it was renamed into place whole.
    unpacked = version in install.kept and (not in_use or _is_complete(install, own))
    foreign = bool(at_binary) and not resolved.startswith(f"{RELEASES}/")
    theirs = at_binary.version.value if at_binary and isinstance(at_binary.version, Known) else ""
    adopted = foreign and theirs == version and _is_complete(install, resolved.rpartition("/bin/")[0])
    return Installed(
        version=version,
        ours=unpacked and current == version and in_use,
        adopted=adopted,
        unpacked=unpacked,
        before=f"{theirs or 'unknown version'} at {BINARY}, not from ongpu" if foreign else current,
        exe=resolved if adopted else f"{own}/bin/ollama",
    )


def _is_complete(install: OllamaInstall, root: str) -> bool:
    """Does `lib/ollama` of this tree hold a CUDA backend? Without one every model runs on the CPU."""
    tree = next((tree for tree in install.trees if tree.path.rstrip("/") == f"{root}/lib/ollama"), None)
    return tree is not None and any("cuda" in name for name in (*tree.backends, *tree.entries))


def program(service: Service) -> str:
    """The program of the effective ExecStart."""
    return service.exec_start.partition(" ")[0]


def unit_is_ours(context: Context) -> bool:
    file = found(context, UNIT_FILE)
    return file is not None and file.ours


def exec_start_override(context: Context, drop_in: str) -> str:
    """The ExecStart that our drop-in must carry: only where someone else's unit runs another program.

    Once our drop-in carries it, the effective ExecStart is ours; then the drop-in's own text says that it is needed.
    """
    service = service_of(context)
    wanted = f"{BINARY} serve"
    if service is None or unit_is_ours(context):
        return ""
    carried = f"ExecStart={wanted}" in content_of(context, drop_in).splitlines()
    return wanted if carried or program(service) != BINARY else ""
