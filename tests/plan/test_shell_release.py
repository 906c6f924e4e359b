"""Ollama's release, really downloaded, unpacked and switched to: nothing half done is ever in use."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from ongpu.plan import shell
from ongpu.plan.types import Run
from tests.plan.bench import Bench, Said, Site

FILE = "ollama-linux-amd64.tgz"


def archive(*, with_program: bool = True, size: int = 300_000) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", compresslevel=1) as tar:
        entries = {"lib/ollama/libggml-cuda.so": hashlib.shake_256(b"x").digest(size)}
        if with_program:
            entries["bin/ollama"] = b"#!/bin/sh\n"
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


ARCHIVE = archive()
SUM = hashlib.sha256(ARCHIVE).hexdigest()


def download(bench: Bench, url: str, checksum: str = SUM) -> Run:
    return shell.run(
        "download ollama 1.2.3",
        "fetch",
        "ollama-download",
        BASE=url,
        FILE=FILE,
        SUM=checksum,
        ARCHIVE=f"{bench.place}/spool/1.2.3-{FILE}",
        RELEASES=f"{bench.place}/releases",
    )


def unpack(bench: Bench) -> Run:
    return shell.run(
        "unpack ollama 1.2.3",
        "ollama-unpack",
        ARCHIVES=f"{bench.place}/spool/1.2.3-{FILE}",
        VERSION="1.2.3",
        RELEASES=f"{bench.place}/releases",
    )


def switch(bench: Bench, version: str = "1.2.3") -> Run:
    return shell.run(
        f"switch to ollama {version}",
        "ollama-current",
        "ollama-switch",
        VERSION=version,
        RELEASES=f"{bench.place}/releases",
        CURRENT=f"{bench.place}/releases/current",
        PREVIOUS=f"{bench.place}/releases/previous",
        BINARY=f"{bench.place}/bin/ollama",
        BACKUPS=f"{bench.place}/backups",
        REPLACED=f"{bench.place}/last-good/binary",
    )


def spool(bench: Bench) -> list[str]:
    return sorted(path.name for path in (bench.place / "spool").iterdir())


def downloaded(bench: Bench) -> bytes:
    return (bench.place / "spool" / f"1.2.3-{FILE}").read_bytes()


def refused(said: Said, *words: str) -> None:
    assert said.code == 1, said.output
    for word in words:
        assert word in said.reason, said.output


def test_a_download_is_checked_and_kept(bench: Bench, site: Site) -> None:
    site.files["/" + FILE] = ARCHIVE
    assert bench.run(download(bench, site.url)) == Said(0, "")
    assert downloaded(bench) == ARCHIVE
    before = len(site.requests)
    assert bench.run(download(bench, site.url)).code == 0
    assert len(site.requests) == before, "what is there and right is not fetched again"


def test_a_wrong_checksum_names_both_and_leaves_nothing(bench: Bench, site: Site) -> None:
    site.files["/" + FILE] = ARCHIVE
    refused(bench.run(download(bench, site.url, "0" * 64)), f"is {SUM}, the inventory says {'0' * 64}")
    assert spool(bench) == []


def test_without_a_declared_checksum_the_releases_own_list_counts(bench: Bench, site: Site) -> None:
    site.files |= {"/" + FILE: ARCHIVE, "/sha256sum.txt": f"{'1' * 64}  ./other\n{SUM}  ./{FILE}\n".encode()}
    assert bench.run(download(bench, site.url, "")).code == 0
    site.files["/sha256sum.txt"] = f"{'0' * 64}  ./{FILE}\n".encode()
    refused(bench.run(download(bench, site.url, "")), SUM, f"the release's list says {'0' * 64}")
    site.files["/sha256sum.txt"] = b"garbage\n"
    refused(bench.run(download(bench, site.url, "")), "sha256sum.txt does not list " + FILE)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_partial_download_is_gone_on_with(bench: Bench, site: Site, ranges: bool) -> None:
    site.files["/" + FILE], site.ranges = ARCHIVE, ranges
    (bench.place / "spool").mkdir()
    (bench.place / "spool" / f"1.2.3-{FILE}").write_bytes(ARCHIVE[:1000])
    assert bench.run(download(bench, site.url)) == Said(0, "")
    assert downloaded(bench) == ARCHIVE
    assert ("GET", "/" + FILE, "bytes=1000-") in site.requests


def test_the_first_part_of_another_file_is_not_kept(bench: Bench, site: Site) -> None:
    site.files["/" + FILE] = ARCHIVE
    (bench.place / "spool").mkdir()
    (bench.place / "spool" / f"1.2.3-{FILE}").write_bytes(b"x" * 5000)
    assert bench.run(download(bench, site.url)) == Said(0, "")
    assert downloaded(bench) == ARCHIVE


def test_longer_than_the_file_is_fetched_anew(bench: Bench, site: Site) -> None:
    site.files["/" + FILE] = ARCHIVE
    (bench.place / "spool").mkdir()
    (bench.place / "spool" / f"1.2.3-{FILE}").write_bytes(ARCHIVE + b"x")
    assert bench.run(download(bench, site.url)) == Said(0, "")
    assert downloaded(bench) == ARCHIVE


def test_a_transfer_that_is_cut_off_goes_on(bench: Bench, site: Site) -> None:
    site.files["/" + FILE], site.cut_after, site.cuts = ARCHIVE, 100_000, 2
    assert bench.run(download(bench, site.url)) == Said(0, "")
    assert downloaded(bench) == ARCHIVE


def test_a_transfer_that_brings_nothing_more_ends_and_keeps_its_part(bench: Bench, site: Site) -> None:
    site.files["/" + FILE], site.cut_after, site.cuts = ARCHIVE, 0, 99
    refused(bench.run(download(bench, site.url)), "was cut off; run again to go on from here")


def test_a_server_that_is_down_or_lacks_the_file_is_named(bench: Bench, site: Site) -> None:
    refused(bench.run(download(bench, "http://127.0.0.1:9")), "the server 127.0.0.1:9 is down or unreachable")
    refused(bench.run(download(bench, site.url)), f"the server answered HTTP 404 for {site.url}/{FILE}")
    site.files["/" + FILE], site.status["/" + FILE] = ARCHIVE, 403
    refused(bench.run(download(bench, site.url)), "HTTP 403")


def test_a_name_that_does_not_resolve_is_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "sh")
    refused(bench.run(download(bench, "http://releases.invalid")), "the name releases.invalid does not resolve")


def test_a_disk_that_fills_up_is_given_back(bench: Bench, site: Site) -> None:
    site.files["/" + FILE] = ARCHIVE
    said = bench.run(download(bench, site.url), largest_file=50_000)
    refused(said, "disk full or not writable", f"{bench.place}/spool cannot hold {site.url}/{FILE}")
    assert spool(bench) == []


def test_room_is_looked_for_before_the_download(bench: Bench, site: Site) -> None:
    site.files["/" + FILE] = ARCHIVE
    bench.fake("df", "printf 'Filesystem 1024-blocks Used Available Capacity Mounted on\\n/dev/x 1 1 10 99%% /\\n'")
    refused(bench.run(download(bench, site.url)), "disk full: ", "has 0 MiB free")
    assert ("GET", "/" + FILE, "") not in site.requests


def fetched(bench: Bench, content: bytes = ARCHIVE) -> None:
    (bench.place / "spool").mkdir(exist_ok=True)
    (bench.place / "spool" / f"1.2.3-{FILE}").write_bytes(content)


def releases(bench: Bench) -> list[str]:
    return sorted(path.name for path in (bench.place / "releases").iterdir())


def test_unpacking_ends_with_one_whole_directory(bench: Bench) -> None:
    fetched(bench)
    (bench.place / "releases" / ".new-1.0.0").mkdir(parents=True)  # a run that was killed
    assert bench.run(unpack(bench)) == Said(0, "")
    assert releases(bench) == ["1.2.3"]
    assert (bench.place / "releases/1.2.3/bin/ollama").stat().st_mode & 0o777 == 0o755
    assert spool(bench) == []
    fetched(bench)
    assert bench.run(unpack(bench)).code == 0, "over one that is there"
    assert releases(bench) == ["1.2.3"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (archive(with_program=False), "has no bin/ollama"),
        (ARCHIVE[: len(ARCHIVE) // 2], "cannot be unpacked: "),
        (b"not an archive", "cannot be unpacked: "),
    ],
)
def test_a_bad_archive_is_never_a_release(bench: Bench, content: bytes, says: str) -> None:
    fetched(bench, content)
    refused(bench.run(unpack(bench)), f"the archive of ollama 1.2.3 {says}")
    assert releases(bench) == []


def test_a_full_disk_while_unpacking_is_one_sentence(bench: Bench) -> None:
    fetched(bench)
    (bench.place / "releases" / "1.0.0").mkdir(parents=True)
    bench.fake(
        "tar", "echo 'tar: lib/x: Cannot write: No space left on device'; echo 'tar: Exiting with failure'; exit 2"
    )
    refused(bench.run(unpack(bench)), f"disk full: {bench.place}/releases cannot hold ollama 1.2.3")
    assert releases(bench) == ["1.0.0"]


def test_zstd_archives_too(bench: Bench) -> None:
    plain = subprocess.run(["gzip", "-dc"], input=ARCHIVE, capture_output=True, check=True).stdout
    packed = subprocess.run(["zstd", "-c", "-q"], input=plain, capture_output=True, check=True).stdout
    (bench.place / "spool").mkdir()
    file = bench.place / "spool" / "x.tar.zst"
    file.write_bytes(packed)
    step = shell.run("unpack", "ollama-unpack", ARCHIVES=str(file), VERSION="1.2.3", RELEASES=f"{bench.place}/releases")
    assert bench.run(step) == Said(0, "")
    assert releases(bench) == ["1.2.3"]


def _release(bench: Bench, version: str) -> None:
    program = bench.place / "releases" / version / "bin" / "ollama"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)


def _runs(bench: Bench) -> str:
    return subprocess.run([f"{bench.place}/bin/ollama"], capture_output=True, text=True, check=True).stdout.strip()


def test_switching_keeps_a_foreign_program_and_is_done_once(bench: Bench) -> None:
    _release(bench, "1.2.3")
    _release(bench, "1.3.0")
    (bench.place / "bin").mkdir()
    (bench.place / "bin" / "ollama").write_text("theirs")
    assert bench.run(switch(bench)) == Said(0, "")
    assert _runs(bench) == "1.2.3"
    kept = list((bench.place / "backups").rglob("ollama.*"))
    assert [file.read_text() for file in kept] == ["theirs"]
    for version in ("1.2.3", "1.3.0", "1.2.3"):
        assert bench.run(switch(bench, version)) == Said(0, "")
        assert _runs(bench) == version
    assert list((bench.place / "backups").rglob("ollama.*")) == kept


def test_a_release_that_is_not_there_is_not_switched_to(bench: Bench) -> None:
    _release(bench, "1.2.3")
    bench.run(switch(bench))
    refused(bench.run(switch(bench, "9.9.9")), "9.9.9 is not complete")
    assert _runs(bench) == "1.2.3"


@pytest.mark.parametrize("dies_at", range(1, 12))
def test_a_kill_at_any_command_leaves_a_program_that_runs(tmp_path: Path, dies_at: int) -> None:
    bench = Bench(tmp_path, "sh")
    _release(bench, "1.2.3")
    _release(bench, "1.3.0")
    bench.run(switch(bench))
    for name in ("mv", "ln", "rm", "cp", "mkdir"):
        real = subprocess.run(["sh", "-c", f"command -v {name}"], capture_output=True, text=True, check=True).stdout
        count = f'n=$(cat {bench.place}/n 2>/dev/null || echo 0); n=$((n + 1)); echo "$n" >{bench.place}/n'
        bench.fake(name, f'{count}\n[ "$n" -lt {dies_at} ] || kill -9 $PPID\nexec {real.strip()} "$@"')
    bench.run(switch(bench, "1.3.0"))
    assert _runs(bench) in ("1.2.3", "1.3.0")
    for name in ("mv", "ln", "rm", "cp", "mkdir"):
        (bench.place / "programs" / name).unlink()
    assert bench.run(switch(bench, "1.3.0")) == Said(0, "")
    assert _runs(bench) == "1.3.0"


def test_paths_with_odd_characters_are_no_code(tmp_path: Path) -> None:
    text = shell.script("ollama-switch", VERSION="$(touch /tmp/x)'; `id`", RELEASES="a b")
    assert "VERSION='$(touch /tmp/x)'\"'\"'; `id`'" in text


def test_a_copy_from_the_controller_is_checked_and_never_fetched(bench: Bench) -> None:
    lists = bench.place / "spool" / "lists"
    lists.mkdir(parents=True)
    (lists / "sha256sum.txt").write_text(f"{SUM}  ./{FILE}\n")
    (bench.place / "spool" / f"1.2.3-{FILE}").write_bytes(ARCHIVE)
    assert bench.run(download(bench, f"file://{lists}", "")) == Said(0, "")
    assert downloaded(bench) == ARCHIVE
    assert spool(bench) == [f"1.2.3-{FILE}"]
    refused(bench.run(download(bench, f"file://{lists}", "0" * 64)), f"of the copied {FILE} is {SUM}, the inventory")
    assert spool(bench) == [], "it is copied anew"


def test_add_ons_are_unpacked_together_with_the_release(bench: Bench) -> None:
    place = bench.place / "spool"
    place.mkdir()
    (place / "a.tgz").write_bytes(ARCHIVE)
    with tarfile.open(place / "b.tgz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("lib/ollama/rocm_v7_2/libggml-hip.so"), io.BytesIO())
    step = shell.run(
        "unpack", "ollama-unpack", ARCHIVES=f"{place}/a.tgz {place}/b.tgz", VERSION="1.2.3",
        RELEASES=f"{bench.place}/releases",
    )  # fmt: skip
    assert bench.run(step) == Said(0, "")
    assert (bench.place / "releases/1.2.3/lib/ollama/rocm_v7_2/libggml-hip.so").exists()
    assert (bench.place / "releases/1.2.3/bin/ollama").exists()
    assert spool(bench) == []
