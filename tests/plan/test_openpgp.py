from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ongpu.host.paths import HEADER
from ongpu.plan import openpgp
from tests.plan.builders import FINGERPRINT, KEY


def test_the_fingerprint_of_a_key() -> None:
    assert openpgp.fingerprints(KEY) == (FINGERPRINT,)
    assert openpgp.fingerprints(KEY + KEY) == (FINGERPRINT, FINGERPRINT)
    assert openpgp.fingerprints(KEY.replace("\n", "\r\n")) == (FINGERPRINT,)


def test_our_comment_does_not_change_the_key() -> None:
    text = openpgp.with_comment(KEY, HEADER)
    assert HEADER in text
    assert openpgp.fingerprints(text) == (FINGERPRINT,)


@given(st.text() | st.binary().map(lambda raw: f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{raw.hex()}\n-----END"))
def test_what_is_no_key_has_no_fingerprint(text: str) -> None:
    assert FINGERPRINT not in openpgp.fingerprints(text)


@given(st.integers(0, len(KEY) - 1), st.characters(codec="ascii"))
def test_one_changed_character_never_raises(at: int, char: str) -> None:
    assert isinstance(openpgp.fingerprints(KEY[:at] + char + KEY[at + 1 :]), tuple)
