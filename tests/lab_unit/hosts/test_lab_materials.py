from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from ongpu_lab.hosts import materials
from ongpu_lab.hosts.paths import LabDir


def test_the_certificate_is_for_the_vendors_names_and_the_ca_cannot_sign_again(tmp_path: Path) -> None:
    lab = LabDir.at(tmp_path)
    materials.certificates(lab, "abcd1234", ("github.com", "registry.ollama.ai"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.crt", "server.crt", "server.key"]
    assert (lab / "server.key").stat().st_mode & 0o777 == 0o600
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(lab / "server.crt", lab / "server.key")
    for name, good in (("github.com", True), ("registry.ollama.ai", True), ("example.com", False)):
        argv = ["openssl", "verify", "-CAfile", str(lab / "ca.crt"), "-verify_hostname", name, str(lab / "server.crt")]
        assert (subprocess.run(argv, capture_output=True, check=False).returncode == 0) is good, name
    assert len(materials.ca_hash(lab / "ca.crt")) == 8


def test_a_host_keeps_its_key(tmp_path: Path) -> None:
    materials.ssh_key(tmp_path / "key", "lab1")
    before = (tmp_path / "key.pub").read_text()
    materials.ssh_key(tmp_path / "key", "lab1")
    assert (tmp_path / "key.pub").read_text() == before
