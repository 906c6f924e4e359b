"""How Ollama is installed: binaries, `lib/ollama` trees, our release link, the service's account, packaging."""

from __future__ import annotations

import re

from ongpu.host.ollama import Account, LibraryTree, OllamaBinary, OllamaInstall
from ongpu.host.paths import ACCOUNT, BINARY, CURRENT, PREVIOUS, RELEASES, UNIT
from ongpu.host.reading import NOT_LOOKED, Absent, Known, Reading, Unreadable
from ongpu.probe.output import Output, Part
from ongpu.probe.section import Section

# `ollama --version` asks a server first: with an address where nothing listens it answers at once, and with the
# version of the binary alone (0.33.0-rc2: exit 0, "Warning: client version is ..."). Backends are the directories
# that hold a `*ggml-*` file: Ollama looks at no others (discover/runner.go).
SHELL = rf"""
seen=; tried=; trees=
version() {{ OLLAMA_HOST=127.0.0.1:1 HOME=${{HOME:-/}} bound 5 "$1" --version; }}
binary() {{
  [ -n "$1" ] && [ -f "$1" ] || return 0
  case " $seen " in *" $1 "*) return 0 ;; esac
  seen="$seen $1"
  real=$(readlink -f "$1") || real=$1
  p "binary:$1" printf '%s\n' "$real"
  case " $tried " in *" $real "*) ;; *) tried="$tried $real"; p "version:$real" version "$1" ;; esac
  tree "${{real%/*/*}}/lib/ollama"; tree "${{real%/*}}/lib/ollama"
}}
backends() {{
  for file in "$1"/*/*ggml-*; do [ -e "$file" ] && printf '%s\n' "${{file%/*}}"; done | uniq
}}
tree() {{
  [ -d "$1" ] || return 0
  case " $trees " in *" $1 "*) return 0 ;; esac
  trees="$trees $1"
  p "tree:$1" ls -1pL "$1"; p "backends:$1" backends "$1"
}}
packaging() {{
  [ -e /snap/ollama/current ] && echo snap
  for list in /var/lib/dpkg/info/ollama.list /var/lib/dpkg/info/ollama:*.list; do [ -e "$list" ] && echo deb; done
  for entry in /var/lib/pacman/local/ollama-[0-9]* /var/lib/pacman/local/ollama-cuda-[0-9]*; do
    [ -e "$entry" ] && echo pacman
  done
  if have rpm && ! have dpkg && rpm -q ollama >/dev/null 2>&1; then echo rpm; fi
  for comm in $(grep -lsx ollama /proc/[0-9]*/comm); do
    it=${{comm%/comm}}
    group=$(grep -hsE 'docker|kubepods|containerd|libpod|lxc|snap\.' "$it/cgroup" | head -n 1)
    [ -n "$group" ] || continue
    printf 'cgroup %s\n' "$group"
    [ -d "$it/root/dev" ] || continue
    set -- "$it"/root/dev/nvidia[0-9]* "$it"/root/dev/dxg "$it"/root/dev/nvmap
    for node; do [ ! -e "$node" ] || {{ echo "gpu yes"; continue 2; }}; done
    echo "gpu no"
  done
  return 0
}}
user=
if have systemctl; then
  shown=$(bound 5 systemctl show {UNIT} -p User,ExecStart 2>&1)
  p unit printf '%s\n' "$shown"
  case $shown in *"path="*) exec=${{shown#*path=}}; binary "${{exec%% ;*}}" ;; esac
  user=$(printf '%s\n' "$shown" | sed -n 's/^User=//p')
fi
binary "$(command -v ollama 2>/dev/null)"
for path in {BINARY} /usr/bin/ollama /snap/bin/ollama; do binary "$path"; done
tree /usr/local/lib/ollama; tree /usr/lib/ollama
if [ -d {RELEASES} ]; then
  p kept ls -1 {RELEASES}
  if [ -L {CURRENT} ]; then p current readlink {CURRENT}; fi
  if [ -L {PREVIOUS} ]; then p previous readlink {PREVIOUS}; fi
fi
user=${{user:-{ACCOUNT}}}
if have getent; then p passwd getent passwd "$user"; else p passwd grep "^$user:" /etc/passwd; fi
p groups id -Gn "$user"
p packaging packaging
"""

# ollama version is 0.33.0-rc2                                      (the server answers)
# Warning: client version is 0.33.0-rc2                             (no server, or a server of another version)
_CLIENT = re.compile(r"client version is (\d[^\s]{0,60})")
_VERSION = re.compile(r"ollama version is (\d[^\s]{0,60})")
# ollama:x:999:996::/usr/share/ollama:/bin/false
_PASSWD = re.compile(r"^([^:]+):[^:]*:(\d{1,10}):\d*:[^:]*:([^:]*):[^:]*$")
# cgroup 0::/system.slice/docker-4f3c….scope                        (one line per process of that name)
_CONTAINER = (
    ("kubepods", "kubernetes"),
    ("docker", "docker"),
    ("libpod", "podman"),
    ("snap.", "snap"),
    ("lxc", "lxc"),
    ("containerd", "containerd"),
)
_RELEASE = re.compile(r"^v?\d[\w.+-]*$")


def parse(output: Output) -> Known[OllamaInstall] | Absent | Unreadable:
    """Absent when no binary, tree, release, account or package of Ollama was found at all."""
    if not output.complete:
        return Unreadable("the look at the installation was cut off (time limit)")
    binaries = tuple(_binary(output, path, part) for path, part in output.startswith("binary:"))
    trees = tuple(_tree(output, path, part) for path, part in output.startswith("tree:"))
    account = _account(output)
    packaging = _packaging(output["packaging"])
    release = _release(output)
    kept = tuple(sorted(line for line in output["kept"].lines if _RELEASE.match(line)))
    if not (binaries or trees or kept or packaging or isinstance(account, Known) or isinstance(release, Known)):
        return Absent("no Ollama binary, library tree, account or package")
    return Known(
        OllamaInstall(
            binaries=binaries,
            trees=trees,
            release=release,
            kept=kept,
            account=account,
            packaging=packaging,
            previous=_version_linked(output["previous"]),
            container_has_gpu=_container_has_gpu(output["packaging"]),
        ),
        "file system",
    )


def _binary(output: Output, path: str, part: Part) -> OllamaBinary:
    resolved = part.lines[0] if part.ok and part.lines else path
    return OllamaBinary(path=path, resolved=resolved, version=_version(output[f"version:{resolved}"], resolved))


def _version(part: Part, binary: str) -> Reading[str]:
    """The client's version: with a server of another version, both are named, and the warning line is the client's."""
    found = _CLIENT.search(part.text) or _VERSION.search(part.text)
    if found:
        return Known(found[1], f"{binary} --version")
    return Unreadable(f"{binary} --version: {part.trouble or 'no version in its output'}")


def _tree(output: Output, path: str, part: Part) -> LibraryTree:
    inside = (line.rsplit("/", 1)[-1] for line in output[f"backends:{path}"].lines)
    return LibraryTree(
        path=path, entries=tuple(line for line in part.lines if part.ok), backends=tuple(sorted(set(inside)))
    )


def _version_linked(link: Part) -> str:
    return link.lines[0].rstrip("/").rsplit("/", 1)[-1] if link.ok and link.lines else ""


def _release(output: Output) -> Reading[str]:
    link = output["current"]
    if version := _version_linked(link):
        return Known(version, CURRENT)
    if "current" in output.parts:
        return Unreadable(f"{CURRENT}: {link.trouble}")
    return Absent(f"no {CURRENT}")


def _account(output: Output) -> Reading[Account]:
    entry = next((found for line in output["passwd"].lines if (found := _PASSWD.match(line))), None)
    if entry is None:
        part = output["passwd"]
        # getent: exit 2 = not found; grep: exit 1
        return Absent("no such account") if part.rc in (1, 2) and not part.text else Unreadable(part.trouble)
    groups = output["groups"]
    return Known(
        Account(
            name=entry[1],
            uid=int(entry[2]),
            home=entry[3],
            groups=tuple(groups.text.split()) if groups.ok else (),
        ),
        "getent passwd",
    )


def _container_has_gpu(part: Part) -> Reading[bool]:
    """Of the containers whose /dev could be looked at (as root): does one have a GPU's node?"""
    seen = [line == "gpu yes" for line in part.lines if line in ("gpu yes", "gpu no")]
    return Known(any(seen), "/proc/PID/root/dev") if seen else NOT_LOOKED


def _packaging(part: Part) -> tuple[str, ...]:
    kinds: list[str] = []
    for line in part.lines:
        if line.startswith("cgroup "):
            kinds += [kind for mark, kind in _CONTAINER if mark in line][:1]
        elif not line.startswith("gpu "):
            kinds.append(line)
    return tuple(dict.fromkeys(kinds))


SECTION = Section(name="ollama", shell=SHELL, parse=parse, seconds=20, max_bytes=65536)
