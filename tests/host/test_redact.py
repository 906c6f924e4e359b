"""No secret leaves a host: whatever stands in a snapshot, the redacted JSON does not hold it."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.host.codec import dump
from ongpu.host.ollama import Api, Journal, Process, Runner, Service
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.redact import REDACTED, is_secret, redact, redact_text, redact_variable
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.system import ManagedFile, ManagedFiles


def process(environ: dict[str, str], command: tuple[str, ...] = ("ollama", "serve")) -> Process:
    return Process(
        pid=1,
        parent_pid=0,
        user="ollama",
        exe=Known("/usr/local/bin/ollama", "/proc"),
        command=command,
        environ=Known(environ, "/proc/1/environ"),
        started_at=Known(datetime(2026, 1, 1, tzinfo=UTC), "/proc"),
    )


def service(environment: dict[str, str], main: Process) -> Service:
    return Service(
        load_state="loaded",
        active_state="active",
        sub_state="running",
        enabled="enabled",
        fragment="/etc/systemd/system/ollama.service",
        drop_ins=(),
        needs_reload=False,
        user="ollama",
        group="ollama",
        exec_start="/usr/local/bin/ollama serve",
        environment=environment,
        environment_files=(),
        properties={"ProtectSystem": "no"},
        main_pid=1,
        started_at=Absent("x"),
        restarts=0,
        invocation_id="",
        main=Known(main, "/proc"),
        runners=Known((Runner(process=main, model_path="/m", port=1, orphan=False),), "/proc"),
    )


def snapshot(secret: str) -> HostSnapshot:
    """A host with the secret in every place that is meant to hide one."""
    unit = f'[Service]\nEnvironment="HF_TOKEN={secret}" OLLAMA_DEBUG=1\nEnvironment=HTTPS_PROXY=http://me:{secret}@proxy:3128\n'
    file = ManagedFile(
        path="/x", sha256="0" * 64, mode="644", owner="root", group="root", ours=True, content=Known(unit, "/x")
    )
    command = ("llama-server", "--model", "/m", "--api-key", secret, f"--hf-token={secret}")
    lines = (
        f"services:\n  ollama:\n    environment:\n      HF_TOKEN: {secret}\n      OLLAMA_DEBUG: 1",
        f'    "API_KEY": "{secret}"',
        f'time=x level=INFO msg="server config" env="map[A:1 HTTP_PROXY:http://u:{secret}@proxy:1 MY_TOKEN:{secret}]"',
        f"Authorization: Bearer {secret}",
        f'level=WARN msg=x cmd="llama-server --api-key {secret} --port 1"',
        f'{{"api_key": "{secret}"}}',
        f"GET https://{secret}@host/path?token={secret}",
        "load_tensors: offloaded 7/7 layers to GPU",
    )
    environment = {"HF_TOKEN": secret, "ALL_PROXY": f"me:{secret}@proxy:3128", "OLLAMA_KEEP_ALIVE": "5m"}
    return replace(
        HostSnapshot.unreadable(f"sudo: https://me:{secret}@host failed", f"set PASSWORD={secret}"),
        service=Known(service(environment, process(environment, command)), "systemctl"),
        files=Known(ManagedFiles(files={"/x": Known(file, "/x"), "/y": Absent("no /y")}), "stat"),
        journal=Known(Journal(lines=lines, truncated=False, suppressed=0), "journalctl"),
        api=Known(
            Api(
                endpoint=f"http://me:{secret}@127.0.0.1:11434",
                version=Unreadable(f"http://me:{secret}@h: HTTP 500"),
                models=Absent("x"),
                loaded=Absent("x"),
            ),
            "api",
        ),
    )


# In a URL, `/` and `@` of a password are percent-encoded.
SECRETS = st.text(alphabet="abcdefgXYZ0123456789+=_-.~%$!*", min_size=8, max_size=40)


@given(SECRETS)
@settings(max_examples=60, deadline=None)
def test_the_secret_is_nowhere_in_the_redacted_json(secret: str) -> None:
    secret = "s3cr" + secret  # so that it is no part of an ordinary word
    text = json.dumps(dump(snapshot(secret)))
    assert secret in text
    clean = redact(snapshot(secret))
    assert secret not in json.dumps(dump(clean))
    assert redact(clean) == clean


def test_what_is_no_secret_stays() -> None:
    before = snapshot("s3cret-value")
    after = redact(before)
    assert isinstance(after.service, Known)
    assert after.service.value.environment["OLLAMA_KEEP_ALIVE"] == "5m"
    assert after.service.value.environment["HF_TOKEN"] == REDACTED
    assert after.service.value.environment["ALL_PROXY"] == f"{REDACTED}@proxy:3128"
    assert isinstance(after.journal, Known)
    assert after.journal.value.lines[-1] == "load_tensors: offloaded 7/7 layers to GPU"
    assert after.service.value.main == replace(
        after.service.value.main,
        value=replace(
            process({"HF_TOKEN": REDACTED, "ALL_PROXY": f"{REDACTED}@proxy:3128", "OLLAMA_KEEP_ALIVE": "5m"}),
            command=("llama-server", "--model", "/m", "--api-key", REDACTED, f"--hf-token={REDACTED}"),
        ),
    )


@pytest.mark.parametrize(
    "line",
    [
        'time=2026-11-22T12:26:21.281Z level=WARN msg="invalid value" key=OLLAMA_GPU_OVERHEAD value=8G default=0',
        "print_info: EOS token             = 2 '</s>'",
        "load: special tokens cache size = 3",
        'llama_model_loader: - kv  14: tokenizer.ggml.tokens arr[str,224] = ["<unk>"]',
        "slot print_timing: id  0 | task 0 | n_tokens = 5, tokens=5",
        "OLLAMA_HOST=0.0.0.0:11434 TOKENIZERS_PARALLELISM=false KEYBOARD=de",
        "deb [signed-by=/etc/apt/keyrings/ongpu-nvidia.asc] https://repo.example/x /",
        "server config env=map[OLLAMA_KEEP_ALIVE:5m0s OLLAMA_KV_CACHE_TYPE:q8_0 HF_TOKEN: NO_PROXY:]",
    ],
)
def test_evidence_is_not_touched(line: str) -> None:
    assert redact_text(line) == line


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ('Environment="HF_TOKEN=a b" X=1', f'Environment="HF_TOKEN={REDACTED}" X=1'),
        ("Environment='MY_KEY=a \"b' X=1", f"Environment='MY_KEY={REDACTED}' X=1"),
        ('HF_TOKEN="never closed', f'HF_TOKEN="{REDACTED}"'),
        (r'"A_TOKEN=say \"hi\"" X', f'"A_TOKEN={REDACTED}" X'),
        ("AWS_SECRET_ACCESS_KEY=q PGPASSWORD=p x", f"AWS_SECRET_ACCESS_KEY={REDACTED} PGPASSWORD={REDACTED} x"),
        ("postgres://u@h password=x", f"postgres://{REDACTED}@h password={REDACTED}"),
    ],
)
def test_assignments(text: str, clean: str) -> None:
    assert redact_text(text) == clean
    assert redact_text(clean) == clean


def test_variables() -> None:
    assert redact_variable("https_proxy", "http://u:p@h:1") == f"http://{REDACTED}@h:1"
    assert redact_variable("https_proxy", "http://h:1") == "http://h:1"
    assert redact_variable("HF_TOKEN", "") == ""
    assert is_secret("OPENAI_API_KEY")
    assert not is_secret("OLLAMA_KEEP_ALIVE")


@given(st.text(max_size=500))
@settings(max_examples=200, deadline=None)
def test_any_text(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once
    redact_variable("A_PROXY", text)


@pytest.mark.parametrize(
    "text", ["a" * 300_000, "=" * 300_000, 'A_TOKEN="' * 30_000, "A_KEY=" * 50_000, "--token " * 40_000]
)
def test_hostile_text_takes_bounded_time(text: str) -> None:
    begin = time.perf_counter()
    redact_text(text)
    assert time.perf_counter() - begin < 1
