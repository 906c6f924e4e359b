from __future__ import annotations

import pytest

from ongpu.plan.endpoint import api_url


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("[::]:11434", "http://[::1]:11434"),
        ("[2001:db8::1]:1", "http://[2001:db8::1]:1"),
        ("gpu01.example:80", "http://gpu01.example:80"),
    ],
)
def test_where_we_ask_a_service(listen: str, url: str) -> None:
    assert api_url(listen) == url
