"""Which Ollama is installed, and which one the service runs or will run."""

from __future__ import annotations

from dataclasses import dataclass

from ongpu.host.ollama import OllamaInstall, Service
from ongpu.host.paths import BINARY, RELEASES, UNIT_FILE
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.plan.context import Context, Halt, because, known
from ongpu.plan.files import content_of, found
from ongpu.plan.gate import is_jetson, system_of
from ongpu.spec.ollama_variables import LLAMA_SERVER, numbers

_NO_TRACE = Absent("no trace of Ollama on this host")
_NOTHING = OllamaInstall(binaries=(), trees=(), release=_NO_TRACE, kept=(), account=_NO_TRACE, packaging=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """`ours` = the release in `current`, complete, and BINARY leads to it. `adopted` = the declared version that
    someone else put at BINARY, complete: left as it is. `before` says what is there now, for the summary; `beside`
    names a program elsewhere that stays."""

    version: str
    ours: bool
    adopted: bool
    unpacked: bool
    before: str
    exe: str
    beside: str = ""


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
    host where Docker or snap runs it, not even an account or a drop-in of ours is written. A distribution's package is
    taken over where the inventory says so: our drop-in has its unit run our release.

    Raises Halt("unsupported") there, Halt("unknown") when it could not be looked at.
    """
    system_of(context)
    install = known(context.snapshot.ollama, "which Ollama is installed", absent=_NOTHING)
    if install.packaging and not (context.spec.ollama.replace and set(install.packaging) <= _PACKAGES.keys()):
        raise Halt("unsupported", _not_ours(install))
    return install


_PACKAGES = {"deb": "apt-get remove ollama", "rpm": "dnf remove ollama", "pacman": "pacman -R ollama"}


def _not_ours(install: OllamaInstall) -> str:
    """Why what is here is not managed, and the way out."""
    kind = install.packaging[0]
    keep = "or declare ollama: {manage: false}"
    if kind == "snap":
        return (
            "Ollama is here as snap, which updates itself and sees the driver only through its confinement: remove it "
            f"(`snap remove ollama`), {keep}"
        )
    if kind in _PACKAGES:
        trees = [tree for tree in install.trees if tree.path.startswith("/usr/lib/")]
        cuda = any("cuda" in name for tree in trees for name in (*tree.backends, *tree.entries))
        lacks = "" if cuda or not trees else " without a CUDA library, so that every model runs on the CPU"
        return (
            f"Ollama is here as {kind}, a package of the distribution{lacks}: declare ollama: {{replace: true}} to "
            f"have its service run ongpu's release, remove it (`{_PACKAGES[kind]}`), {keep}"
        )
    kinds = ", ".join(install.packaging)
    return f"Ollama is here as {kinds}, which ongpu diagnoses but does not manage: remove it, {keep}"


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
    unpacked = version in install.kept and (not in_use or _is_complete(install, own, addons(context)))
    foreign = bool(at_binary) and not resolved.startswith(f"{RELEASES}/")
    theirs = at_binary.version.value if at_binary and isinstance(at_binary.version, Known) else ""
    root = resolved.rpartition("/bin/")[0]
    adopted = foreign and theirs == version and _is_complete(install, root, addons(context), version)
    return Installed(
        version=version,
        ours=unpacked and current == version and in_use,
        adopted=adopted,
        unpacked=unpacked,
        before=f"{theirs or 'unknown version'} at {BINARY}, not from ongpu" if foreign else current,
        exe=resolved if adopted else f"{own}/bin/ollama",
        beside=_beside(install),
    )


def _beside(install: OllamaInstall) -> str:
    """`the deb package's /usr/bin/ollama 0.24.0`; empty where no other Ollama is found."""
    for binary in install.binaries:
        if binary.path != BINARY and not binary.resolved.startswith(f"{RELEASES}/"):
            version = f" {binary.version.value}" if isinstance(binary.version, Known) else ""
            whose = f"the {install.packaging[0]} package's " if install.packaging else ""
            return f"{whose}{binary.path}{version}"
    return ""


# Add-on -> the beginning of its directory in lib/ollama (release.yaml, scripts/build_linux.sh).
_ADDON_DIRECTORIES = {"rocm": "rocm", "mlx": "mlx_", "jetpack5": "cuda_jetpack5", "jetpack6": "cuda_jetpack6"}
_JETPACKS = {"5.10": "jetpack5", "5.15": "jetpack6"}  # kernel of L4T R35, R36


def addons(context: Context) -> tuple[str, ...]:
    """Further archives that this host needs: those that are declared, and a Jetson's own. Raises Halt for a Jetson
    whose JetPack Ollama has no build for."""
    declared = tuple(context.spec.ollama.addons)
    system = system_of(context)
    if not is_jetson(system) or any(addon.startswith("jetpack") for addon in declared):
        return declared
    jetpack = next((addon for kernel, addon in _JETPACKS.items() if system.kernel.startswith(f"{kernel}.")), None)
    if jetpack is None:
        raise Halt(
            "unsupported",
            f"this Jetson runs {system.kernel}, and Ollama is built for JetPack 5 (5.10) and 6 (5.15): name the one "
            "that fits in ollama.addons",
        )
    return (*declared, jetpack)


def _is_complete(install: OllamaInstall, root: str, more: tuple[str, ...], version: str = "") -> bool:
    """Does `lib/ollama` of this tree hold a CUDA backend, and what its add-ons bring? Without CUDA every model runs on
    the CPU. With `version`, remains of another layout are not taken for whole either (unpacked over an old install)."""
    tree = next((tree for tree in install.trees if tree.path.rstrip("/") == f"{root}/lib/ollama"), None)
    if tree is None or not any("cuda" in name for name in (*tree.backends, *tree.entries)):
        return False
    there = {name.rstrip("/") for name in (*tree.backends, *tree.entries)}
    if any(not any(name.startswith(_ADDON_DIRECTORIES[addon]) for name in there) for addon in more):
        return False
    return not (version and _is_mixed(there, version))


def _is_mixed(there: set[str], version: str) -> bool:
    """Layout by version: `runners` until 0.5.7, `cuda_v11` until 0.9.2, `llama-server` since 0.30.0."""
    at = numbers(version)
    return (
        ("runners" in there and at >= (0, 5, 8))
        or ("cuda_v11" in there and at >= (0, 9, 3))
        or ("llama-server" in there and at < LLAMA_SERVER)
    )


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
