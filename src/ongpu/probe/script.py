"""Joins the sections into the one script that is sent to a host.

Shape of the output, each marker on a line of its own (N = a nonce drawn on the host, so that no log line can
imitate a marker):

    @@ongpu 1 N              first line
    @@N section NAME
    @@N part NAME            a command's output follows (stdout and stderr together, ASCII only)
    @@N rc CODE              its exit code; without this line the part was cut off
    @@N missing TOOL         instead of output: the tool is not installed
    @@N done NAME            the section ran to its end
    @@N end                  the script ran to its end

A background section that its reader gave up on dies at its next write, or when what it waits for ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from ongpu.probe.section import Section

PROTOCOL = 1

# `timeout` bounds the *reader* of a section, never the section: a process that hangs in the kernel (state D,
# as nvidia-smi does on a dead GPU) cannot be killed, but its pipe can be abandoned. The section runs in the
# background for the same reason: the shell must not wait for it. `cat` reads because it does not buffer: what
# came before the limit is kept. What ignores SIGTERM is killed two seconds later. Without `timeout` (very old busybox)
# only the caller's time limit is left.
# `p` gives back the command's exit code, so that a section can choose its next command. `show` prints
# "PATH<tab>FIRST LINE" of each file that it may read, without a fork.
_HEAD = r"""{ {
export LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
umask 077
N=$(od -An -N8 -tx1 /dev/urandom 2>/dev/null | tr -d ' \n'); [ -n "$N" ] || N=x$$
have() { command -v "$1" >/dev/null 2>&1; }
p() { printf '\n@@%s part %s\n' "$N" "$1"; shift; ( "$@" ) 2>&1; P=$?; printf '\n@@%s rc %s\n' "$N" "$P"; return "$P"; }
need() { have "$2" && return 0; printf '\n@@%s part %s\n\n@@%s missing %s\n' "$N" "$1" "$N" "$2"; return 1; }
show() { for F; do
  [ -f "$F" ] && [ -r "$F" ] || continue
  V=; IFS= read -r V <"$F"; printf '%s\t%s\n' "$F" "$V"
done; }
if ! have timeout; then bound() { shift; "$@"; }
elif timeout -k 2 1 true 2>/dev/null; then bound() { timeout -k 2 "$@"; }
elif timeout 1 true 2>/dev/null; then bound() { timeout "$@"; }
else bound() { timeout -t "$@"; }; fi
section() { printf '\n@@%s section %s\n' "$N" "$1"
  { { "sec_$1"; printf '\n@@%s done %s\n' "$N" "$1"; } 2>&1 & } | bound "$2" cat | head -c "$3"
}
printf '@@ongpu %s %s\n' """

_TAIL = r"""printf '\n@@%s end\n' "$N"
} | tr '\000\200-\377' '?'
exit 0
} </dev/null
"""


def build(sections: Sequence[Section]) -> str:
    """The whole script. It does nothing at all when it arrives cut off: the braces are then never closed."""
    functions = [f"sec_{section.name}() {{\n{section.shell.strip()}\n}}\n" for section in sections]
    calls = [f"section {section.name} {section.seconds} {section.max_bytes}\n" for section in sections]
    return "".join([_HEAD, f'{PROTOCOL} "$N"\n', *functions, *calls, _TAIL])
