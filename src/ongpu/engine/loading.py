"""The script that goes before the look of a proof: asks Ollama about each declared model, and loads what may be loaded.

What it does on a host, all bounded in time:
  /api/show, /api/ps   always; asking changes nothing
  /health              of the runner of a resident model: one that is frozen holds its memory and answers nothing
  /api/generate        only where loading is allowed: 32 tokens with a fixed seed (/api/embed for embedding models).
                       A resident model is asked with the num_ctx that /api/ps shows for it, because without one it
                       would be loaded anew with the service's context (seen: a different num_ctx reloads); where that
                       is not told (before Ollama 0.9.7), it is not asked. No keep_alive is sent: it would replace the
                       model's own for good. Its expiry moves by its own duration, as with any request. What was loaded
                       for the proof stays for the service's own keep_alive: unloading it would throw away what the
                       operator is about to use.
A model that is not resident is loaded only if nothing resident is evicted for it, by Ollama's own rule as far as it can
be foreseen (server/sched.go, llm/llama_server.go of 0.33; each doubt counts against loading). What an earlier turn of
the same proof has loaded is unloaded for it, unless its expiry has moved since: then somebody uses it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from ongpu.host.reading import Known
from ongpu.probe import endpoint
from ongpu.probe.output import Output
from ongpu.probe.script import build
from ongpu.probe.section import Section
from ongpu.proof import names

NAME = "load"
SECONDS = 740  # for all models together: a cold 70B model from a slow disk takes minutes
ASK_SECONDS = 45  # for all models together where nothing is loaded: a server that does not answer holds up no look
RESIDENT_SECONDS = 60  # for a model that is resident: somebody else may be served first
LEAST = 5  # seconds; with less left, nothing more is loaded: closing the connection would abort the load
TOKENS = 32
PROMPT = "Count from one to twenty in words."

# Ollama's forecast (PredictServerVRAM) is the file plus a KV cache of f16; with it a surcharge for the batch, which
# follows the context of all slots: none up to 4096 tokens, 768 MiB up to 32768, then 2 GiB. It evicts when more than
# 80 % of the free memory of the chosen GPUs is needed.
_SHARE = 80
_CONTEXT = "@CONTEXT@"  # in the request to a resident model: its own num_ctx
HEALTH_SECONDS = 5  # llama-server answers this at any load, from a thread of its own; twice in vain is frozen

# post URL BODY SECONDS: as `http` in probe.endpoint. Its wget: GNU shows an error's body with --content-on-error, and
# would repeat a request; busybox knows neither option and names the status on stderr.
POST = r"""
post() {
  if have curl; then
    curl -q -sS --noproxy '*' --max-time "$3" -w '\n%{http_code}\n' -H 'Content-Type: application/json' -d "$2" "$1"
    return
  fi
  unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
  case $(wget --version 2>/dev/null) in
    GNU*) bound "$3" wget -Y off -q -t 1 -T "$3" --content-on-error --header 'Content-Type: application/json' \
      --post-data "$2" -O - "$1" ;;
    *) bound "$3" wget -Y off -q --header 'Content-Type: application/json' --post-data "$2" -O - "$1" ;;
  esac
}
"""

# What is kept of /api/show: the file, what the model can do, its sizes, its input tensors, its own settings.
_FACTS = (
    r'"error": *"([^"\\]|\\.)*"|\\nFROM [^"\\]*sha256[-:][0-9a-f]+|"capabilities": *\[[^]]*\]'
    r'|"[A-Za-z0-9_.-]+\.(block_count|expert_count|embedding_length|context_length)": *[0-9]+'
    r'|"[A-Za-z0-9_.-]+\.attention\.head_count(_kv)?": *[0-9]+'
    r'|"name": *"(token_embd|per_layer_token_embd|position_embd|token_types|token_embd_norm)\.[^}]*\}'
    r'|"remote_(host|model)": *"[^"]+"'
    r"|num_ctx +[0-9]+|num_gpu +-?[0-9]+|(curl|wget): .*|^[0-9]{3}$"
)

# model NUMBER KEY FILE_BYTES ASK RUN EMBED RUN_RESIDENT EMBED_RESIDENT: one declared model; KEY is its full name in
# lower case, as /api/ps is compared with it; the last five are JSON bodies. A remote model is not run: that would ask
# its provider.
_MODEL = rf"""
fact() {{ printf '%s\n' "$facts" | sed -n "s/.*\.$1\": *//p" | head -n 1; }}
said() {{ printf '%s\n' "$body" | sed 's/"embeddings": *\[\[[^]]\{{1,\}}/"embeddings":[[0/'; return "$rc"; }}
told() {{ printf '%s\n' "$facts"; return "$rc"; }}
listed() {{ printf '%s\n' "$ps"; return "$rc"; }}
decide() {{ p "decision:$number" printf '%s\n' "$*"; }}
residents() {{ printf '%s' "$ps" | grep -oE '"name": *"[^"]*"' | sed 's/.*"\([^"]*\)"$/\1/'; }}
free_mib() {{ have nvidia-smi && [ -e /proc/driver/nvidia/version ] &&
  bound 20 nvidia-smi --query-gpu=memory.free --format=csv,noheader,nounits; }}
needed() {{
  layers=$(fact block_count); width=$(fact embedding_length); heads=$(fact 'attention\.head_count')
  kv=$(fact 'attention\.head_count_kv'); kv=${{kv:-$heads}}
  context=$(printf '%s\n' "$facts" | sed -n 's/^num_ctx *//p' | head -n 1)
  context=${{context:-$CONTEXT}}; [ "$context" != 0 ] || context=$(fact context_length)
  surcharge=$((2 << 30))
  case $context in
    '' | *[!0-9]* | ?????????*) ;;
    *)
      if [ $((context * PARALLEL)) -le 4096 ]; then surcharge=0
      elif [ $((context * PARALLEL)) -le 32768 ]; then surcharge=$((768 << 20)); fi ;;
  esac
  for given in "$1" "$layers" "$width" "$heads" "$kv" "$context"; do
    case $given in '' | 0 | *[!0-9]* | ????????????????*) return 1 ;; esac
  done
  need=$(($1 + 4 * layers * kv * (width / heads) * context * PARALLEL))
}}
evicts() {{
  others=$(residents | tr '\n' ' '); others=${{others% }}
  [ -n "$others" ] || return 1
  set -- "$1" $others
  [ $(($# - 1)) -lt "$MOST" ] || {{ why="Ollama keeps at most $MOST models"; return 0; }}
  needed "$1" || {{ why="how much memory it needs cannot be foreseen"; return 0; }}
  sum=0; most=0; free=$(free_mib 2>/dev/null)
  for one in $free; do
    case $one in *[!0-9]*) continue ;; esac
    sum=$((sum + one)); [ "$one" -le "$most" ] || most=$one
  done
  [ "$sum" -gt 0 ] || {{ why="how much GPU memory is free is not known"; return 0; }}
  room=$most; [ $((need >> 20)) -le $((most * {_SHARE} / 100)) ] || room=$sum
  need=$((need + surcharge))
  why="it needs about $((need >> 20)) MiB, $((room * {_SHARE} / 100)) MiB are usable"
  [ $((need >> 20)) -gt $((room * {_SHARE} / 100)) ]
}}
listing() {{ printf '%s' "$ps" | tr '{{' '\n' | awk -v key="$1" -v field="$2" '
  /"name": *"/ {{ name = $0; sub(/.*"name": *"/, "", name); sub(/".*/, "", name); on = (tolower(name) == key) }}
  on && $0 ~ "\"" field "\": *[\"0-9]" {{
    text = $0; sub(".*\"" field "\": *\"?", "", text); sub(/["}},].*/, "", text); print text; exit
  }}'; }}
release() {{
  freed=1
  while read -r one expires; do
    [ -n "$one" ] && [ "$(listing "$one" expires_at)" = "$expires" ] || continue
    post "$URL/api/generate" "{{\"model\":\"$one\",\"keep_alive\":0}}" 15 >/dev/null 2>&1 </dev/null
    for time in 1 2 3 4 5 6 7 8 9 10; do
      ps=$(http "$URL/api/ps" 10 2>&1 </dev/null)
      residents | tr 'A-Z' 'a-z' | grep -qxF -- "$one" || {{ freed=0; break; }}
      sleep 1
    done
  done <<END
$OURS
END
  return "$freed"
}}
runner() {{
  blob=$(printf '%s\n' "$facts" | sed -n 's/.*\(sha256[-:][0-9a-f]\{{1,\}}\).*/\1/p' | head -n 1)
  [ -n "$blob" ] && [ "$PID" != 0 ] || return 1
  port= pid=
  for line in $(grep -lsF -- "$blob" /proc/[0-9]*/cmdline); do
    pid=${{line#/proc/}}; pid=${{pid%/cmdline}}
    [ "$(sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$pid/stat" 2>/dev/null)" = "$PID" ] || {{ pid=; continue; }}
    port=$(tr '\000' '\n' <"$line" 2>/dev/null | sed -n '/^--port$/{{n;p;}}; s/^--port=//p' | head -n 1)
    break
  done
}}
health() {{
  runner || return 0
  if [ -z "$pid" ]; then printf 'gone\n'; return 0; fi
  case $port in '' | *[!0-9]*) return 0 ;; esac
  for time in 1 2; do
    said=$(http "http://127.0.0.1:$port/health" {HEALTH_SECONDS} 2>&1)
    case $? in 0 | 8) printf 'answers %s %s\n' "$pid" "$port"; return 0 ;; esac
  done
  printf 'silent %s %s %s\n' "$pid" "$port" "$(printf '%s' "$said" | tr '\n' ' ' | head -c 200)"
}}
model() {{
  number=$1 key=$2 file=$3 ask=$4 run=$5 embed=$6 again=$7 embed_again=$8
  body=$(post "$URL/api/show" "$ask" 15 2>&1); rc=$?
  facts=$(printf '%s\n' "$body" | grep -oE '{_FACTS}' | head -c 20000)
  p "show:$number" told
  ps=$(http "$URL/api/ps" 10 2>&1); rc=$?
  p "ps:$number" listed
  case $rc$ps in 0*'"models"'*) ;; *) decide unknown; return ;; esac
  if residents | tr 'A-Z' 'a-z' | grep -qxF -- "$key"; then state=resident; else state=missing; fi
  found=
  if [ "$state" = resident ]; then found=$(health); p "runner:$number" printf '%s\n' "$found"; fi
  if [ "$LOAD" = 0 ]; then decide "$state"; return; fi
  case $found in gone* | silent*) decide "$state"; return ;; esac
  if [ "$state" = resident ]; then
    own=$(listing "$key" context_length)
    if [ -z "$own" ]; then decide "$state" unasked; return; fi
    run=${{again%%{_CONTEXT}*}}$own${{again#*{_CONTEXT}}}
    embed=${{embed_again%%{_CONTEXT}*}}$own${{embed_again#*{_CONTEXT}}}
  fi
  case $facts in *'"error"'*'not found'* | *'"remote_'*) decide "$state"; return ;; esac
  if [ "$state" = missing ]; then
    # Ollama keeps one runner for each file: it would end the one that has these weights under another name.
    if runner && [ -n "$pid" ]; then decide evicts "the same weights under another name (process $pid)"; return; fi
    if evicts "$file" && {{ ! release || evicts "$file"; }}; then decide evicts "$others: $why"; return; fi
  fi
  left=$((END - $(date +%s)))
  if [ "$left" -lt "$LEAST" ]; then decide late; return; fi
  if [ "$state" = resident ] && [ "$left" -gt {RESIDENT_SECONDS} ]; then left={RESIDENT_SECONDS}; fi
  decide "$state" load
  case $facts in
    *'"capabilities"'*'"completion"'*) path=generate ;;
    *'"capabilities"'*'"embedding"'*) path=embed run=$embed ;;
    *) path=generate ;;
  esac
  body=$(post "$URL/api/$path" "$run" "$left" 2>&1); rc=$?
  case $body in *'does not support generate'*)
    path=embed; body=$(post "$URL/api/embed" "$embed" "$left" 2>&1); rc=$? ;;
  esac
  p "$path:$number" said
  [ "$state" = missing ] || return 0
  ps=$(http "$URL/api/ps" 10 2>&1) && p "expires:$number" listing "$key" expires_at
}}
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A declared model: its name as it is declared, and the bytes of its file (0 = not known)."""

    name: str
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Setting:
    """What Ollama's forecast depends on: default context per slot (0 = the model's own, the worst case), slots, and
    how many models may be resident."""

    context: int
    parallel: int
    most: int


def text(wanted: tuple[Wanted, ...], setting: Setting, load: bool, ours: Mapping[str, str] | None = None) -> str:
    """The whole script as POSIX sh. Another script may follow it: it ends in a subshell of its own.

    `ours`: full name -> expires_at of what an earlier turn has loaded, as /api/ps told it then.
    """
    section = Section(
        name=NAME,
        shell=_shell(wanted, setting, load, ours or {}),
        parse=_keep,
        seconds=SECONDS + 20 if load else ASK_SECONDS,
        max_bytes=2_000_000,
    )
    return f"(\n{build((section,))})\n"


def _keep(output: Output) -> Known[Output]:
    return Known(output, NAME)


def _shell(wanted: tuple[Wanted, ...], setting: Setting, load: bool, ours: Mapping[str, str]) -> str:
    held = shlex.quote("\n".join(f"{name} {expires}" for name, expires in ours.items()))
    head = f"""
OURS={held}
LOAD={int(load)} CONTEXT={setting.context} PARALLEL={max(1, setting.parallel)} MOST={max(1, setting.most)} LEAST={LEAST}
find_ollama; url_of "$HOST"
p endpoint printf '%s %s\\n' "$URL" "$PID"
have curl || have wget || {{ need client curl; return 0; }}
END=$(($(date +%s) + {SECONDS}))
"""
    calls = [_call(number, model) for number, model in enumerate(wanted)]
    return "".join([endpoint.FIND, endpoint.URL, endpoint.HTTP, POST, _MODEL, head, *calls])


def _call(number: int, model: Wanted) -> str:
    options = {"num_predict": TOKENS, "temperature": 0, "seed": 1}
    run = {"model": model.name, "prompt": PROMPT, "stream": False}
    embed = {"model": model.name, "input": PROMPT}
    resident = {"num_ctx": _CONTEXT}
    bodies = (
        {"model": model.name},
        {**run, "options": options},
        embed,
        {**run, "options": {**options, **resident}},
        {**embed, "options": resident},
    )
    texts = (json.dumps(body).replace(f'"{_CONTEXT}"', _CONTEXT) for body in bodies)
    words = [str(number), names.full(model.name), str(model.file_bytes), *texts]
    return f"model {' '.join(shlex.quote(word) for word in words)}\n"
