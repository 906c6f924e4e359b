"""The runner does not find libcublas: it ends before it can load anything. A complete installation has it."""

from __future__ import annotations

from ongpu_lab.faults import _load, _service
from ongpu_lab.faults.base import Target

_RUNNER = 'lib=$(dirname "$(dirname "$(readlink -f /usr/local/bin/ollama)")")/lib/ollama'
_SAYS = (
    "error while loading shared libraries: libcublas.so.13: cannot open shared object file: No such file or directory"
)


def apply(target: Target) -> None:
    _service.require(target)
    target.sh(f"""
{_RUNNER}
[ -e "$lib/llama-server.whole" ] || mv "$lib/llama-server" "$lib/llama-server.whole"
cat >"$lib/llama-server" <<'END'
#!/bin/sh
case " $* " in *" --model "*) echo "$0: {_SAYS}" >&2; exit 127 ;; esac
exec "$0.whole" "$@"
END
chmod 0755 "$lib/llama-server"
""")
    _service.restart(target)
    _load.load(target, may_fail=True)


def clear(target: Target) -> None:
    target.sh(f"""
{_RUNNER}
[ ! -e "$lib/llama-server.whole" ] || mv "$lib/llama-server.whole" "$lib/llama-server"
""")
    _service.restart(target)
