"""The files that ongpu writes: what is in their place now."""

from __future__ import annotations

import re

from ongpu.host.paths import HEADER, MANAGED
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.host.system import ManagedFile, ManagedFiles
from ongpu.probe import octets
from ongpu.probe.output import Output
from ongpu.probe.section import Section

MAX_CONTENT = 32768  # bytes; of a larger file only the beginning is read, for our header

# A path under a directory that may not be searched looks as if it were absent: `state` tells the two apart.
# Only regular files are opened: a FIFO would block, and a link to /dev/null is a masked unit.
SHELL = (
    octets.SHELL
    + rf"""
state() {{
  if [ -f "$1" ]; then echo file; return; fi
  if [ -e "$1" ] || [ -L "$1" ]; then echo other; ls -ld "$1"; return; fi
  dir=${{1%/*}}
  while [ -n "$dir" ] && ! [ -d "$dir" ]; do dir=${{dir%/*}}; done
  if [ -x "${{dir:-/}}" ]; then echo absent; else echo "blocked $dir"; fi
}}
beginning() {{
  most={MAX_CONTENT}; [ "$(wc -c <"$1")" -le {MAX_CONTENT} ] || most=1024
  {{ head -c "$most" | octets; }} <"$1"
}}
there=
for file in {" ".join(MANAGED)}; do
  p "state:$file" state "$file"
  [ -f "$file" ] && there="$there $file"
done
if [ -n "$there" ]; then
  need stat stat && p stat stat -L -c '%a %U %G %s %n' $there
  need sha256 sha256sum && p sha256 sha256sum $there
  for file in $there; do p "content:$file" beginning "$file"; done
fi
"""
)

# 644 root root 312 /etc/systemd/system/ollama.service
_STAT = re.compile(r"^([0-7]{1,5}) (\S+) (\S+) (\d{1,18}) (/.*)$")
# 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  /etc/systemd/system/ollama.service
_SHA256 = re.compile(r"^([0-9a-f]{64}) [ *](/.*)$")


def parse(output: Output) -> Known[ManagedFiles] | Absent | Unreadable:
    """One reading per path of `ongpu.host.paths.MANAGED`."""
    stats = {found[5]: found.groups() for line in output["stat"].lines if (found := _STAT.match(line))}
    hashes = {found[2]: found[1] for line in output["sha256"].lines if (found := _SHA256.match(line))}
    files = {path: _file(output, path, stats.get(path), hashes.get(path)) for path in MANAGED}
    return Known(ManagedFiles(files=files), "stat, sha256sum")


def _file(output: Output, path: str, stat: tuple[str, ...] | None, sha256: str | None) -> Reading[ManagedFile]:
    state = output[f"state:{path}"]
    if state.trouble:
        return Unreadable(f"{path}: {state.trouble}")
    first = state.lines[0] if state.lines else ""
    match first.partition(" "):
        case ("absent", _, _):
            return Absent(f"no {path}")
        case ("blocked", _, directory):
            return Unreadable(f"{directory} may not be searched", octets.AS_ROOT)
        case ("file", _, _):
            pass
        case _:
            return Unreadable(f"{path} is not a regular file: {' '.join(state.lines[1:]) or 'unknown kind'}")
    if stat is None:
        return Unreadable(f"stat {path}: {output['stat'].trouble or 'no line'}")
    if sha256 is None:
        return Unreadable(f"{path}: {_why_no_hash(output, path)}", octets.AS_ROOT)
    match octets.decode(output[f"content:{path}"]):
        case Unreadable(why=why, allow=allow):  # then nobody knows whose it is
            return Unreadable(f"{path}: {why}", allow)
        case raw:
            ours = any(HEADER.encode() in line for line in raw.split(b"\n", 10)[:10])
            content = _content(raw, path, int(stat[3]))
    return Known(
        ManagedFile(path=path, sha256=sha256, mode=stat[0], owner=stat[1], group=stat[2], ours=ours, content=content),
        path,
    )


def _why_no_hash(output: Output, path: str) -> str:
    part = output["sha256"]
    said = next((line for line in part.lines if path in line), "")
    return "permission denied" if "ermission denied" in said else part.trouble or "no hash"


def _content(raw: bytes, path: str, size: int) -> Reading[str]:
    if size > MAX_CONTENT:
        return Absent(f"larger than {MAX_CONTENT // 1024} KiB")
    try:
        return Known(raw.decode(), path)
    except UnicodeDecodeError:
        return Absent("not text")


SECTION = Section(name="files", shell=SHELL, parse=parse, seconds=10, max_bytes=400_000)
