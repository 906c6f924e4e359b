"""What a run found before it changed anything: kept on the host itself, so that any controller can take it back.

`/var/lib/ongpu/runs/RUN/` holds `manifest` (below), `files/` (our files as they were, for root only) and `steps` (each
step that was done: time, exit code, words). It is written before a run's first step, and renamed into place whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ongpu.host.paths import BINARY, CURRENT, MANAGED, STATE_DIR, UNIT

RUNS = f"{STATE_DIR}/runs"
# 20261124T153000Z-3f2a9c41d0be, or its end: the id in `ongpu history`
NAME = re.compile(r"^(?:\d{8}T\d{6}Z-)?[0-9a-f]{12}$")
KEPT = 20  # runs; older records go
# Files of ours that say how the host is to be. What lies in STATE_DIR is memory, and stays.
FILES = tuple(path for path in MANAGED if not path.startswith(f"{STATE_DIR}/"))
# Packages of a driver, of all distributions.
DRIVER = (
    "^(nvidia|libnvidia|libcuda|cuda-drivers|libnv|libxnvctrl|firmware-nvidia|xserver-xorg-video-nvidia"
    "|kmod-nvidia|nv-prefer|dnf-plugin-nvidia|xorg-x11-nvidia)"
)

# manifest: one line for each thing that a run may change
#   file /etc/modules-load.d/ongpu-nvidia.conf 9f86d081… 644        (- - : not there)
#   current 0.32.15                                                  (-: none)
#   binary link /opt/ongpu/ollama/current/bin/ollama                 (file SUM: somebody's own program; -: none)
#   unit enabled active
#   package nvidia-driver-cuda 580.95.05-1 hi
MANIFEST = rf"""manifest() {{
  for file in {" ".join(FILES)}; do
    if [ -f "$file" ]; then
      printf 'file %s %s %s\n' "$file" "$(sha256sum <"$file" | cut -c 1-64)" "$(stat -c %a "$file")"
    else
      printf 'file %s - -\n' "$file"
    fi
  done
  printf 'current %s\n' "$(readlink {CURRENT} || echo -)"
  if [ -L {BINARY} ]; then printf 'binary link %s\n' "$(readlink {BINARY})"
  elif [ -f {BINARY} ]; then printf 'binary file %s\n' "$(sha256sum <{BINARY} | cut -c 1-16)"
  else printf 'binary - -\n'; fi
  enabled=$(systemctl is-enabled {UNIT} 2>/dev/null || :); active=$(systemctl is-active {UNIT} 2>/dev/null || :)
  printf 'unit %s %s\n' "${{enabled:--}}" "${{active:--}}"
  if [ -e /var/lib/dpkg/status ]; then
    dpkg-query -W -f 'package ${{binary:Package}} ${{Version}} ${{db:Status-Abbrev}}\n' 2>/dev/null |
      awk '$2 ~ /{DRIVER}/ && $4 ~ /^.i/'
  elif command -v rpm >/dev/null 2>&1; then
    # dnf 4 (NAME-EPOCH:VERSION), dnf 5 (TOML), zypper
    locked=$(sed -n -E 's/^!?(.+)-[0-9]+:.*$/\1/p; s/^name = "(.+)"$/\1/p; s/^solvable_name: (.+)$/\1/p' \
      /etc/dnf/plugins/versionlock.list /etc/dnf/versionlock.toml /etc/zypp/locks 2>/dev/null | tr '\n' ' ')
    rpm -qa --qf '%{{NAME}} %{{VERSION}}-%{{RELEASE}}\n' | sort |
      awk -v locked=" $locked" '$1 ~ /{DRIVER}/ {{ print "package", $0, index(locked, " " $1 " ") ? "hi" : "ii" }}'
  fi
}}
"""

# keep: the manifest and the files of this moment in "$R"
KEEP = f"""{MANIFEST}
keep() {{
  new=$R.new; rm -rf "$new"
  mkdir -p {RUNS} && chmod 700 {RUNS} && mkdir -p "$new/files" || return 1
  manifest >"$new/manifest" || return 1
  for file in {" ".join(FILES)}; do
    [ -f "$file" ] || continue
    mkdir -p "$new/files${{file%/*}}" && cp -p "$file" "$new/files$file" || return 1
  done
  mv -T "$new" "$R" || return 1
  ls -1r {RUNS} | tail -n +{KEPT + 1} | while IFS= read -r old; do rm -rf {RUNS}/"$old"; done
}}
"""

_LINE = {
    "file": re.compile(r"^file (/\S+) ([0-9a-f]{64}|-) ([0-7]{3,4}|-)$"),
    "current": re.compile(r"^current (\S+)$"),
    "binary": re.compile(r"^binary (link|file|-) (\S+)$"),
    "unit": re.compile(r"^unit (\S+) (\S+)$"),
    "package": re.compile(r"^package (\S+) (\S+) (\S+)$"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A manifest. `files`: path -> (sha256, mode), None where there is none. `binary` is `link TARGET`, `file SUM`
    (16 digits, as in the name of its backup) or empty. `packages`: name -> (version, held)."""

    files: Mapping[str, tuple[str, str] | None]
    current: str
    binary: str
    enabled: str
    active: str
    packages: Mapping[str, tuple[str, bool]]

    @property
    def has_unit(self) -> bool:
        return self.enabled not in ("-", "not-found", "")


def parse(lines: Iterable[str]) -> State | None:
    """None for a manifest that is not whole. Any text may come in; a line that is none of ours is left out."""
    found: dict[str, list[tuple[str, ...]]] = {kind: [] for kind in _LINE}
    for line in lines:
        kind = line.partition(" ")[0]
        if kind in _LINE and (match := _LINE[kind].match(line.rstrip())):
            found[kind].append(match.groups())
    if not (found["current"] and found["binary"] and found["unit"] and found["file"]):
        return None
    kind, target = found["binary"][-1]
    return State(
        files={path: None if digest == "-" else (digest, mode) for path, digest, mode in found["file"]},
        current="" if found["current"][-1][0] == "-" else found["current"][-1][0],
        binary="" if kind == "-" else f"{kind} {target}",
        enabled=found["unit"][-1][0],
        active=found["unit"][-1][1],
        packages={name: (version, status.startswith("h")) for name, version, status in found["package"]},
    )
