"""Faults that show when a model is loaded: ask for it, and keep it."""

from __future__ import annotations

import json

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

MODEL = "llama3.2:3b"
_URL = "http://127.0.0.1:11434/api/generate"


def load(target: Target, model: str = MODEL, *, may_fail: bool = False, **options: int) -> None:
    """The model is loaded with these options of the request, and stays."""
    _service.require(target)
    body = {"model": model, "prompt": "Hi", "stream": False, "keep_alive": -1}
    request = json.dumps({**body, "options": {"num_predict": 1, **options}})
    end = " || :" if may_fail else ""
    target.sh(f"curl --silent --fail --output /dev/null --max-time 60 --data '{request}' {_URL}{end}")


def fresh(target: Target) -> None:
    """The server forgets what it has loaded."""
    _service.restart(target)
