"""The service's journal since its start: the lines about discovery, settings and loads, never a prompt.

A server in use writes some 25 lines per request, so the few lines that matter lie far apart in a large journal. Three
kinds of windows find them without reading all of it: the beginning of this start (discovery, settings), the minutes
after each runner's start (its load), and the end. A small journal is in the first window as a whole.
"""

from __future__ import annotations

import re

from ongpu.host.ollama import Journal
from ongpu.host.ollama_log import GAP, suppressed
from ongpu.host.paths import UNIT
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.probe.output import Output, Part
from ongpu.probe.section import Section

WINDOW = 65536  # bytes of filtered lines that one window may give
FIRST, LOAD, LAST = 3000, 30000, 5000  # raw lines that one window may read
RUNNERS = 6

# What may be kept: a line must match KEEP and not DROP. Ollama logs no prompts at the default level; DROP holds those
# of debug levels and old versions, and the per-request lines.
KEEP = (
    r"level=(INFO|WARN|ERROR) "
    r"|level=DEBUG .*(librar|[Gg][Pp][Uu]|error=|skipping|dropping|filtering|discover)"
    r"|^[0-9.]+ [0-9]{4}/[0-9]{2}/[0-9]{2} [0-9:]{8} [a-z_]+\.go:"
    r"|buffer size|offload|graph splits|using device|params_fit|fit_params|n_ctx|n_seq_max|n_vocab|n_embd |n_layer"
    r"|flash_attn|Flash Attention|kv_cache: size|model loaded|load_model: load|print_info: build|loaded meta data"
    r"|file (size|type) |print_info: arch|n_expert|model params|load_backend|ggml_|Device [0-9]+:|[Cc][Uu][Dd][Aa]"
    r"|cuInit|nvml|[Vv]ulkan|[Rr][Oo][Cc]m|[Ee]rror|ERROR|[Ff]ail|[Ww]arning|[Pp]anic|[Ff]atal|out of memory|[Aa]bort"
    r"|SIG[A-Z]|[Ss]tarted|[Ss]topp|exited|terminated|Suppressed [0-9]|@cut|compute capability|no usable|overrides"
    r"|mmproj|[Uu]nsupported|undefined symbol|No such file|denied|speculative|draft|rate.limit|Scheduled restart"
)
DROP = (
    r"\[GIN|prompt=|completion request|chat request|print_timing|memory_breakdown|chat template|example_format"
    r"|update_slots|slot +(launch_|release|get_|update|operator|init_sampler|process)|recommendations|cache hydration"
    r"|srv +(update|load|get_availabl|prompt_save|server_strea|log_server_r): |msg=\"(template selection|total )"
)

# lines MOST ARGUMENTS: the filtered lines of one journalctl call, each as `SECONDS.MICROS TEXT`; `@cut` stands where it
# stopped reading or failed. It reads no more than MOST lines, so that a large journal costs no more than a small one.
SHELL = rf"""
lines() {{
  most=$1; shift
  {{ bound 4 journalctl -a --no-pager -o short-unix "$@" 2>&1 || echo @cut; }} | tr '\000\200-\377' '?' |
    sed -e "$most{{s/.*/@cut/;q;}}" -e 's/^\([0-9.]*\) [^ ]* [^:]*: /\1 /' |
    grep -E '{KEEP}' | grep -vE '{DROP}'
}}
start() {{ printf '%s\n' "$first"; }}
load() {{ lines {LOAD} --since "@$1" --until "@$2" $match | head -c {WINDOW}; }}
last() {{ lines {LAST + 1} -n {LAST} $match | tail -c {WINDOW}; }}
access() {{
  id -u
  for file in /var/log/journal/*/system.journal /run/log/journal/*/system.journal; do
    [ -e "$file" ] || continue
    if [ -r "$file" ]; then echo "readable $file"; else echo "blocked $file"; fi
  done
}}
need unit systemctl && need access journalctl || return 0
shown=$(bound 5 systemctl show {UNIT} -p LoadState,InvocationID,StandardError,StandardOutput,MainPID,NRestarts 2>&1)
p unit printf '%s\n' "$shown"
p access access
id=${{shown#*InvocationID=}}; id=${{id%%[!0-9a-f]*}}
main=${{shown#*MainPID=}}; main=${{main%%[!0-9]*}}
restarts=${{shown#*NRestarts=}}; restarts=${{restarts%%[!0-9]*}}
case $shown in *InvocationID=?*) ;; *) id= ;; esac
if [ -z "$id" ]; then p last lines {LAST} -b -n 400 -u {UNIT}; return 0; fi
match="_SYSTEMD_INVOCATION_ID=$id + INVOCATION_ID=$id + OBJECT_SYSTEMD_INVOCATION_ID=$id"
first=$(lines {FIRST} $match | head -c {WINDOW})
p first start
# A server that ends and is started again may not have come to its error yet this time: the last time it did.
case ${{restarts:-0}},$first in 0,* | *"Listening on"*) ;; *) p loop lines 61 -b -n 60 -u {UNIT} ;; esac
[ "${{#first}}" -ge {WINDOW - 1} ] || case $first in *@cut*) ;; *) return 0 ;; esac
btime=$(sed -n 's/^btime //p' /proc/stat)
grep -hsE '^[0-9]+ \((ollama|llama-server)[^)]*\) ' /proc/[0-9]*/stat | sort -k22,22nr | head -n {RUNNERS} |
  while read -r stat; do
    pid=${{stat%% *}}; set -- ${{stat##*) }}
    [ "$pid" = "$main" ] && continue
    at=$((btime + ${{20}} / 100))
    p "load:$pid" load "$((at - 3))" "$((at + 900))"
  done
p last last
"""

# 1795500147.346228 time=2026-11-22T12:26:21.281Z level=INFO …
_LINE = re.compile(r"^(\d{1,12}\.\d{1,9}) (.*)$")

Window = list[tuple[float, str]]


def parse(output: Output) -> Known[Journal] | Absent | Unreadable:
    """The windows merged in time. `truncated` = lines between them are left out (see GAP in the lines)."""
    for tool in ("unit", "access"):
        if output[tool].missing:
            return Absent(f"no systemd journal: {output[tool].missing} is not installed")
    shown = output["unit"]
    if "not been booted with systemd" in shown.text or "Running in chroot" in shown.text:
        return Absent("no systemd journal: systemd does not run here")
    if "LoadState=not-found" in shown.lines:
        return Absent(f"there is no {UNIT}")
    if "LoadState=" not in shown.text:
        return Unreadable(f"systemctl show {UNIT}: {shown.trouble or 'no output'}")
    if blind := _blind(output, shown):
        return blind
    parts = [output["loop"], output["first"], *(part for _, part in output.startswith("load:")), output["last"]]
    if all(part.rc is None for part in parts):
        return Unreadable("journalctl: cut off (time or size limit)")
    windows = [window for index, part in enumerate(parts) if (window := _window(part, index == len(parts) - 1))]
    if not windows and (said := [line for part in parts for line in part.lines if line != "@cut"]):
        return Unreadable(f"journalctl: {said[0][:200]}")
    lines, gaps = _merge(windows)
    return Known(
        Journal(lines=tuple(lines), truncated=gaps, suppressed=sum(suppressed(line) for line in lines)),
        f"journalctl {UNIT}",
    )


def _blind(output: Output, shown: Part) -> Unreadable | None:
    """Why the journal would be empty although lines were written. journalctl itself says nothing then, exit 0."""
    for line in shown.lines:
        name, _, target = line.partition("=")
        if name in ("StandardError", "StandardOutput") and target.split(":")[0] in (
            "file",
            "append",
            "truncate",
            "null",
        ):
            return Unreadable(f"the service logs to {target}, not to the journal", f"remove {name}= from {UNIT}")
    access = output["access"]
    user = access.lines[0] if access.lines else ""
    if user != "0" and not any(line.startswith("readable ") for line in access.lines[1:]):
        return Unreadable(
            "this user may not read the system journal",
            "run the probe as root (sudo), or add the user to the group systemd-journal",
        )
    return None


def _window(part: Part, is_last: bool) -> Window:
    """The lines with their times; a line that a byte limit may have cut is dropped."""
    text = part.text.split("\n")
    if len(part.text) >= WINDOW - 2 or part.rc is None:
        text = text[1:] if is_last else text[:-1]
    window: Window = []
    for line in text:
        if found := _LINE.match(line):
            window.append((float(found[1]), found[2]))
        elif line and line != "@cut" and window:
            window.append((window[-1][0], line))
    return window


def _merge(windows: list[Window]) -> tuple[list[str], bool]:
    """One sequence in time. Windows that overlap are joined at a time stamp, with GAP between those that do not."""
    windows = sorted(windows, key=lambda window: window[0][0])
    merged: Window = []
    gaps = False
    for window in windows:
        if merged and window[-1][0] <= merged[-1][0]:
            continue  # wholly inside what is there
        if merged and window[0][0] <= merged[-1][0]:
            # The last stamp of the earlier window may be cut in the middle: from there on the later one counts.
            seam = merged[-1][0]
            merged = [entry for entry in merged if entry[0] < seam] + [entry for entry in window if entry[0] >= seam]
        elif merged:
            gaps = True
            merged += [(merged[-1][0], GAP), *window]
        else:
            merged = list(window)
    return [text for _, text in merged], gaps


SECTION = Section(name="journal", shell=SHELL, parse=parse, seconds=20, max_bytes=700_000)
