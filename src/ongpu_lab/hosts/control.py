"""How commands speak with the supervisor: one JSON line each way on a socket file of the lab directory."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

from ongpu_lab.errors import LabError
from ongpu_lab.hosts.paths import LabDir

SOCKET = "control.sock"


def ask(lab: LabDir, request: dict[str, Any], seconds: float = 120) -> dict[str, Any]:
    """Send a request, give the answer. Raises LabError for an answer that is an error, or none in time;
    ConnectionError or FileNotFoundError when no supervisor listens."""
    directory = os.open(lab.root, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(f"/proc/self/fd/{directory}/{SOCKET}")
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = connection.makefile("rb").readline()
    except TimeoutError as error:
        raise LabError(f"The lab in {lab.root} did not answer `{request['do']}` within {seconds:.0f} s.") from error
    finally:
        os.close(directory)
    if not line.endswith(b"\n"):
        raise ConnectionResetError("the supervisor ended while it was asked")
    answer: dict[str, Any] = json.loads(line)
    if error_text := answer.get("error"):
        raise LabError(error_text)
    return answer


def running(lab: LabDir) -> bool:
    """Whether a supervisor answers."""
    try:
        ask(lab, {"do": "status"}, seconds=10)
    except (ConnectionError, FileNotFoundError, NotADirectoryError):
        return False
    return True
