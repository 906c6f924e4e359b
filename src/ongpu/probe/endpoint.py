"""Where the server listens, and how to ask it: shell that the `api` section and the idle check share."""

from __future__ import annotations

from ongpu.host.paths import UNIT

# find_ollama: sets PID (0 = no server), HOST (OLLAMA_HOST as set) and SOURCE:
#   environ   the running process's environment: certain
#   unit      systemd's Environment=, when the process may not be looked into
#   guess     the same, but EnvironmentFile= may say otherwise
#   default   no server runs, or it runs without the variable
# Without systemd the process is found by name; a container's (inner PID namespace) is another system's.
FIND = rf"""
find_ollama() {{
  PID=0; HOST=; SOURCE=default; shown=
  if have systemctl; then
    shown=$(bound 5 systemctl show {UNIT} -p MainPID,Environment,EnvironmentFiles 2>/dev/null)
  fi
  case $shown in *MainPID=*) PID=${{shown#*MainPID=}}; PID=${{PID%%[!0-9]*}} ;; *)
    for comm in $(grep -lsx ollama /proc/[0-9]*/comm); do
      dir=${{comm%/comm}}
      grep -qsE '^NSpid:[^0-9]*[0-9]+$' "$dir/status" || continue
      {{ tr '\000' '\n' <"$dir/cmdline" | grep -qx serve; }} 2>/dev/null && PID=${{dir#/proc/}} && break
    done ;;
  esac
  PID=${{PID:-0}}
  if [ "$PID" != 0 ] && {{ vars=$(tr '\000' '\n' <"/proc/$PID/environ"); }} 2>/dev/null && [ -n "$vars" ]; then
    HOST=$(printf '%s\n' "$vars" | sed -n 's/^OLLAMA_HOST=//p' | head -n 1); SOURCE=environ
  else
    HOST=$(printf '%s\n' "$shown" | sed -n 's/^Environment=\(.* \)\{{0,1\}}"\{{0,1\}}OLLAMA_HOST=\([^" ]*\).*/\2/p')
    if [ -n "$HOST" ]; then SOURCE=unit; fi
    if [ "$PID" != 0 ]; then SOURCE=unit; fi
    case $shown in *EnvironmentFiles=/*) SOURCE=guess ;; esac
  fi
}}
"""

# url_of VALUE: sets URL from a value of OLLAMA_HOST, by the rules of Ollama's envconfig.Host (envconfig/config.go):
# spaces and quotes around it go; `http://` and `https://` change the default port, nothing else; a port that is no
# number from 0 to 65535 falls back to the default port; a path is dropped. The server speaks plain HTTP whatever the
# scheme. An address that means "all interfaces" is asked on 127.0.0.1.
URL = r"""
trimmed() {
  while :; do case $text in [[:space:]]*) text=${text#?} ;; *[[:space:]]) text=${text%?} ;; *) break ;; esac; done
}
url_of() {
  text=$1; trimmed
  while :; do case $text in [\"\']*) text=${text#?} ;; *[\"\']) text=${text%?} ;; *) break ;; esac; done
  trimmed
  standard=11434
  case $text in http://*) standard=80 ;; https://*) standard=443 ;; esac
  text=${text#*://}; text=${text%%/*}
  case $text in
    \[*\]:*) port=${text##*\]:}; address=${text#\[}; address=${address%%\]*} ;;
    \[*\]) port=$standard; address=${text#\[}; address=${address%\]} ;;
    *:*:*) port=$standard; address=$text ;;
    *:*) port=${text##*:}; address=${text%:*} ;;
    *) port=$standard; address=$text ;;
  esac
  port=${port#+}
  while :; do case $port in 0?*) port=${port#0} ;; *) break ;; esac; done
  case $port in '' | *[!0-9]*) port=$standard ;; ??????*) port=$standard ;; esac
  [ "$port" -le 65535 ] || port=$standard
  case $address in '' | 0.0.0.0 | ::) address=127.0.0.1 ;; *:*) address="[$address]" ;; esac
  URL=http://$address:$port
}
"""

# http URL SECONDS: the body, then (curl only) the status code on a line of its own. Never a proxy. GNU wget with -q
# says nothing when it fails (4 = no connection, 8 = an error status), so that it is asked once more, without -q, for
# its reason. `-Y off` is understood by GNU wget 1.21 and by busybox.
HTTP = r"""
http() {
  if have curl; then curl -q -sS --noproxy '*' --max-time "$2" -w '\n%{http_code}\n' "$1"; return; fi
  unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
  bound "$2" wget -Y off -q -O - "$1" && return
  failed=$?
  case $failed in 4 | 8) bound "$2" wget -Y off -nv -O /dev/null "$1" ;; esac
  return "$failed"
}
"""
