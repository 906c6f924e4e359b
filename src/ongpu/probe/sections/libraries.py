"""The driver's user-space libraries: what NVML and CUDA programs would load, and every other one that could get in."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ongpu.host.gpu import FoundLibrary, Libraries, Library, LibraryPlace
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.probe import service_path
from ongpu.probe.output import Output
from ongpu.probe.section import Section

# Where toolkits, cuda-compat, WSL, distributions and installers put them.
DIRECTORIES = (
    "/usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu /usr/lib64 /usr/lib /usr/local/lib /usr/local/lib64 "
    "/usr/lib/wsl/lib /usr/local/cuda*/compat /usr/local/cuda*/lib64 /usr/local/cuda*/lib64/stubs "
    "/usr/local/cuda*/targets/*/lib/stubs /usr/lib/*/stubs /opt/cuda/lib64/stubs"
)

# The exit code that counts is ldconfig's; sed's is always 0. Only hits cost a readlink. The owner is asked for the
# path that the loader has and for the one in front of a merged /usr.
SHELL = (
    service_path.SHELL
    + rf"""
cache() {{
  {{ ldconfig -p || printf '@failed %s\n' "$?"; }} |
    sed -n -e '/^@failed/p' -e '/^[[:space:]]*lib\(nvidia-ml\|cuda\)\.so\.1 /p' |
    while read -r line; do
      case $line in @*) ;; *) line="$line => $(readlink -f "${{line##*=> }}")" ;; esac
      printf '%s\n' "$line"
    done
}}
seen() {{
  for dir; do
    for file in "$dir"/libcuda.so* "$dir"/libnvidia-ml.so*; do
      [ -e "$file" ] && printf '%s => %s\n' "$file" "$(readlink -f "$file")"
    done
  done; :
}}
paths() {{ sed -n 's/.* => \(.*\)/\1/p' | sort -u; }}
owners() {{
  if have dpkg-query; then
    for file; do set -- "$@" "${{file#/usr}}"; done
    bound 5 dpkg-query -S "$@"
    case $? in 124|137|143) return 124 ;; esac
  else
    for file; do owner=$(rpm -qf --qf '%{{NAME}}' "$file" 2>/dev/null) && printf '%s: %s\n' "$owner" "$file"; done
  fi
  return 0
}}
if need cache ldconfig; then
  list=$(cache); p cache printf '%s\n' "$list"
  path=$(service_path); p path printf '%s\n' "$path"
  service=$(IFS=:; seen $path); p service printf '%s\n' "$service"
  disk=$(seen {DIRECTORIES}); p disk printf '%s\n' "$disk"
  set -- $(printf '%s\n' "$list" "$service" "$disk" | paths)
  if [ "$#" = 0 ]; then :
  elif have dpkg-query || have rpm; then p owners owners "$@"; else p unpackaged printf 'no\n'; fi
  set --
  for file in /etc/ld.so.conf /etc/ld.so.conf.d/*.conf; do
    [ -r "$file" ] || continue
    while read -r line; do
      case $line in '#'*) ;; *cuda*|*nvidia*|*stubs*|*compat*|*wsl*) set -- "$@" "$file: $line" ;; esac
    done <"$file"
  done
  p configured printf '%s\n' "$@"
  p last printf 'yes\n'
fi
"""
)

# libcuda.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libcuda.so.1 => /usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05
# (ldconfig of glibc 2.36, and the file that readlink found)
_LINE = re.compile(r"^(\S+) \((\S+?)(?:,[^)]*|, [^)]*)?\) => (\S+) => (\S*)$")
_KIND = re.compile(r"\(libc6,(?:x86-64|AArch64|64bit)\b")
_VERSION = re.compile(r"\.so\.(\d{1,4}(?:\.\d{1,4})+)$")
_SEEN = re.compile(r"^(/\S+) => (/\S+)$")
# libcuda1:amd64: /usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05                dpkg-query -S (1.21)
# dpkg-query: no path found matching pattern /usr/local/lib/libcuda.so.580.95.05
_OWNER = re.compile(r"^([a-z0-9A-Z][\w.+-]*)(?::\w+)?(?:, [^:]+(?::\w+)?)*: (/\S+)$")


def parse(output: Output) -> Known[Libraries] | Absent | Unreadable:
    """The first hit of ldconfig's cache is the one that a program gets; 64 bits before 32."""
    cache = output["cache"]
    if cache.trouble:
        return Unreadable(f"ldconfig -p: {cache.trouble}")
    failed = next((line for line in cache.lines if line.startswith("@failed")), "")
    if failed:
        return Unreadable(f"ldconfig -p: {cache.lines[0][:200]} (exit {failed[8:]})")
    return Known(
        Libraries(
            nvml=_find(cache.short_lines, "libnvidia-ml.so.1"),
            cuda=_find(cache.short_lines, "libcuda.so.1"),
            found=_found(output),
            configured=_configured(output),
        ),
        "ldconfig -p",
    )


def _find(lines: Sequence[str], soname: str) -> Reading[Library]:
    mine = [line for line in lines if line.startswith(f"{soname} (")]
    for line in [line for line in mine if _KIND.search(line)] or mine:
        if found := _LINE.match(line):
            resolved = found[4] or found[3]
            return Known(Library(path=found[3], resolved=resolved, version=_version(resolved)), "ldconfig -p")
    if mine:
        return Unreadable(f"ldconfig -p: unexpected line {mine[0][:200]!r}")
    return Absent(f"{soname} is not on the loader path (ldconfig -p)")


def _version(path: str) -> str:
    version = _VERSION.search(path)
    return version[1] if version else ""


def _found(output: Output) -> Reading[tuple[FoundLibrary, ...]]:
    """In the order in which the loader would come to them; a file that is seen in several places counts once."""
    for name in ("path", "service", "disk", "last"):
        if output[name].trouble:
            return Unreadable(f"libraries on disk: {output[name].trouble}")
    cached = [found for line in output["cache"].short_lines if _KIND.search(line) and (found := _LINE.match(line))]
    rows: list[tuple[LibraryPlace, str, str]] = []
    rows += [("LD_LIBRARY_PATH", found[1], found[2]) for found in _seen(output, "service")]
    rows += [("ldconfig", found[3], found[4] or found[3]) for found in cached]
    rows += [("disk", found[1], found[2]) for found in _seen(output, "disk")]
    libraries: dict[str, FoundLibrary] = {}
    for place, path, resolved in rows:
        libraries.setdefault(
            resolved,
            FoundLibrary(
                path=path, resolved=resolved, version=_version(resolved), place=place, owner=_owner(output, resolved)
            ),
        )
    return Known(tuple(libraries.values()), "ldconfig -p, readlink")


def _seen(output: Output, name: str) -> list[re.Match[str]]:
    return [found for line in output[name].short_lines if (found := _SEEN.match(line))]


def _owner(output: Output, path: str) -> Reading[str]:
    if output["unpackaged"].ok:
        return Unreadable("neither dpkg nor rpm is installed")
    part = output["owners"]
    if part.trouble:
        return Unreadable(f"who owns {path}: {part.trouble}")
    for line in part.short_lines:
        if (found := _OWNER.match(line)) and found[2] in (path, path.removeprefix("/usr")):
            return Known(found[1], "dpkg-query -S" if ": /" in line else "rpm -qf")
    return Absent(f"no package owns {path}")


def _configured(output: Output) -> Reading[tuple[str, ...]]:
    if output["configured"].trouble:
        return Unreadable(f"ld.so.conf.d: {output['configured'].trouble}")
    return Known(tuple(output["configured"].short_lines), "ld.so.conf.d")


SECTION = Section(name="libraries", shell=SHELL, parse=parse, seconds=10)
