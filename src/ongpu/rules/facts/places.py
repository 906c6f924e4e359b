"""Where the evidence is from: in a container, on a Jetson, in WSL, in a snap, on a machine that slept."""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, Line, words

_CONTAINER = words(
    r"\b(?:docker|podman|nerdctl)(?: compose| container)? (?:run|exec|create|start|up|logs|ps|inspect)\b", r"docker[- ]compose",
    r"^\s*image: \S*ollama", r"\bkubectl\b", "OCI runtime", r"root@(?:ollama|[0-9a-f]{12}|\w+-\w+-\w+)[\w-]*:/\S*#",
    "ollama in (?:a )?(?:docker|container)", r"\bin (?:a |the )?(?:docker|container|pod)\b", r"\b(?:the|a|each) (?:pod|container)\b", r"\bruntimeClassName\b", "inside the container", r"docker containers?\b", "^services:",
    r"/\.dockerenv", r"nvidia-container-(?:cli|runtime|toolkit)", r"container started", "ollama/ollama(?::|$| )",
    r"OLLAMA_HOST:http://0\.0\.0\.0:11434 [^\n]{0,800}OLLAMA_MODELS:/root/\.ollama/models",  # as in the image
)  # fmt: skip
_LXC = words(r"\bLXC\b", r"\bincus\b", r"\blxd\b", "pct (?:set|enter)", "Proxmox (?:container|CT)")
_JETSON = words(
    r"\bL4T\b", "nv_tegra_release", r"\bjetpack\d?\b(?! not detected)", r"\bjetson\b", r"\btegra\b", "NvRmMem", r"\bOrin\b", r"\bXavier\b",
    r"# R\d\d \(release\)", r"-tegra\b",
)  # fmt: skip
_L4T = words(r"# R(\d\d) \(release\)", r"\bL4T(?:_VERSION=| version)? ?R?(\d\d)\.\d")
_WSL = words(r"/usr/lib/wsl/", r"microsoft-standard", r"\bWSL ?2?\b", "/dev/dxg")
_SNAP = words(
    r"/snap/ollama/",
    r"/var/snap/ollama",
    r"\bsnap (?:install|connections|connect|list|info|run) ollama",
    r"^ollama \S+ \d+ latest/",
)
_SLEPT = words(
    r"\b(?:suspend(?:ed|ing)?|hibernat\w+|resum(?:e|ed|ing) from|after resume|sleep mode|(?:put|went) to sleep|wak(?:e|ing|es) up|wake from)\b",
    r"\b(?:after|from|since|out of) (?:a |the |its )?(?:sleep|standby|stand-by|resum\w+|waking|wake|hibernat\w+)\b", r"\bwoken? up\b", r"\b(?:sleeps|slept|asleep)\b",
    r"\b(?:clos|open)(?:e|ed|ing) the (?:laptop(?:'s)? )?lid\b", r"PM: suspend (?:entry|exit)", r"PM: hibernation:", "systemd-(?:suspend|sleep|hibernate)",
)  # fmt: skip
_AMD = words(r"library=rocm", "AMD/ATI", r"\bRadeon\b", "amdgpu", r"\bROCm\d\b")


def container(seen: Evidence) -> Line | None:
    return seen.told(_CONTAINER)


def lxc(seen: Evidence) -> Line | None:
    return seen.told(_LXC)


def jetson(seen: Evidence) -> Line | None:
    return seen.told(_JETSON)


def l4t(seen: Evidence) -> int | None:
    """The number of the Jetson Linux release: 35 is JetPack 5, 36 is JetPack 6."""
    found = next(seen.everywhere(_L4T), None)
    return int(next(group for group in found.match.groups() if group)) if found else None


def wsl(seen: Evidence) -> Line | None:
    return seen.told(_WSL)


def snap(seen: Evidence) -> Line | None:
    return seen.told(_SNAP)


def slept(seen: Evidence) -> Line | None:
    return seen.told(_SLEPT)


def amd(seen: Evidence) -> Line | None:
    return seen.find(_AMD)
