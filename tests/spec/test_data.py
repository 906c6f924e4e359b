"""A spec from pyinfra's host data: the same models, the same sentences."""

from __future__ import annotations

import pytest

from ongpu.errors import ConfigError
from ongpu.spec import from_data


def test_a_mapping_is_a_spec() -> None:
    assert from_data({"name": "gpu01", "ollama": {"release": "0.32.15"}}).ollama.release == "0.32.15"


def test_a_key_file_is_not_read_from_host_data() -> None:
    data = {"name": "gpu01", "ollama": {"release": "0.32.15"}, "driver": {"repository": {"key": "/etc/key.asc"}}}
    with pytest.raises(ConfigError) as caught:
        from_data(data)
    assert str(caught.value) == (
        "gpu01: ongpu.driver.repository.key: /etc/key.asc is only read for a YAML inventory; in host data give the key "
        "itself as key_text"
    )
    data["driver"] = {"repository": {"key": "/etc/key.asc", "key_text": "-----BEGIN"}}
    assert from_data(data).driver.repository.key_text == "-----BEGIN"


def test_every_error_names_host_and_key() -> None:
    with pytest.raises(ConfigError) as caught:
        from_data({"name": "gpu01", "ollama": {"release": "0.32.15", "gpuss": "all"}, "driver": {"branch": 580}})
    assert str(caught.value).split("\n") == [
        'gpu01: ongpu.driver.branch: 580 is read as a number and may lose digits; put it in quotes: "580"',
        "gpu01: ongpu.ollama.gpuss: unknown key; did you mean gpus?",
    ]
