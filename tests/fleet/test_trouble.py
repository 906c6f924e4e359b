from __future__ import annotations

import pytest

from ongpu.fleet.connect import in_words
from ongpu.fleet.trouble import kind_of, unseen


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        # pyinfra's ConnectError texts, as an operator hears them
        (in_words("Authentication error (publickey)"), "authentication"),
        (in_words("SSH host key error (not the known one)"), "host key"),
        (in_words("SSH error (Server 'gpu01' not found in known_hosts)"), "host key"),
        (in_words("Could not resolve hostname gpu01"), "name"),
        (in_words("EOF error"), "unreachable"),
        (in_words("SSH error (Error reading SSH protocol banner)"), "unreachable"),
        ("unreachable: timed out", "unreachable"),
        ("the host does not answer any more (asked in the open connection for 45 s)", "unreachable"),
        ("SSHException: Timeout opening channel.", "unreachable"),
        ("ConnectionResetError: [Errno 104] Connection reset by peer", "unreachable"),
        ("no answer within 165 s", "timeout"),
        ("not done within 240 s", "timeout"),
        ("sudo: a password is required", "sudo"),
        ("ops is not in the sudoers file.", "sudo"),
        ("ongpu bug, please report: KeyError('sudo')", "bug"),
        ("the shell answered with other words: This account is currently not available.", "shell"),
    ],
)
def test_each_reason_has_its_kind(sentence: str, kind: str) -> None:
    assert kind_of(sentence) == kind
    result = unseen("gpu01", sentence)
    assert (result.verdict, result.error, result.unknowns[0].what) == ("unknown", sentence, kind)
