"""Shell that several sections share: where ollama.service looks for libraries first."""

from __future__ import annotations

from ongpu.host.paths import UNIT

# The running process's environment, as root; else what the unit declares.
SHELL = rf"""
service_path() {{
  have systemctl && [ -d /run/systemd/system ] || return 0
  said=$(bound 3 systemctl show -p Environment -p MainPID {UNIT} 2>/dev/null)
  pid=$(printf '%s\n' "$said" | sed -n 's/^MainPID=//p')
  [ "${{pid:-0}}" != 0 ] && [ -r "/proc/$pid/environ" ] &&
    tr '\0' '\n' <"/proc/$pid/environ" | sed -n 's/^LD_LIBRARY_PATH=//p' && return 0
  printf '%s\n' "$said" | sed -n 's/^Environment=.*LD_LIBRARY_PATH=\([^" ]*\).*/\1/p'
}}
"""
