"""The CUDA initialisation as the service's user: asked only where it changes nothing, and every answer named."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from ongpu.host.cuda import MEANINGS, CudaInit
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.probe.output import Output, Part
from ongpu.probe.sections import cuda
from tests.probe.sections.samples import CUDA, Parts, output
from tests.probe.sections.trees import on_tree, put
from tests.probe.shells import SHELLS, tool

DRIVER = "580.95.05"


def read(**changed: str | Part | None) -> Known[CudaInit] | Absent | Unreadable:
    parts: Parts = {name: part for name, part in (CUDA | changed).items() if part is not None}
    return cuda.parse(output("cuda", **parts))


def test_it_starts() -> None:
    found = read()
    assert isinstance(found, Known)
    assert (found.value.code, found.value.devices, found.value.user, found.value.meaning) == (0, 2, "ollama", "")
    assert found.value.library.endswith("libcuda.so.550.163.01")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (802, "fabric manager"),
        (999, "nvidia-uvm"),
        (100, "/dev/nvidia*"),
        (101, "permissions"),
        (803, "different drivers"),
        (34, "stub"),
        (712, "cuda.h"),
    ],
)
def test_the_codes_are_named(code: int, words: str) -> None:
    found = read(cuda=f"cuda {code} 0 /usr/lib/libcuda.so.1")
    assert isinstance(found, Known)
    assert words in found.value.meaning
    assert str(code) in found.value.meaning
    assert all(text and name.isupper() for name, text in MEANINGS.values())


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"cuda": Part(None, "", "python3")}, "python3 is not installed"),
        ({"cuda": "@blocked"}, "only root"),
        ({"cuda": Part(124, "")}, "no answer within"),
        ({"cuda": Part(139, "Segmentation fault")}, "exit 139"),
        ({"cuda": "load libcuda.so.1: cannot open shared object file: No such file or directory"}, "cannot open"),
        ({"cuda": "cuda x"}, "unexpected"),
        ({"cuda": None, "nouvm": "no"}, "nvidia-uvm"),
        ({"cuda": None, "nouser": "no"}, "no account 'ollama'"),
        ({"cuda": None, "hung": "4711"}, "process 4711"),
    ],
)
def test_not_tried_is_not_fine(changed: dict[str, str | Part | None], why: str) -> None:
    found = read(**changed)
    assert isinstance(found, Unreadable)
    assert why in found.why


def test_no_driver_and_no_look() -> None:
    assert isinstance(cuda.parse(output("cuda", unloaded="no")), Absent)
    assert isinstance(cuda.parse(Output("cuda")), Unreadable)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    from ongpu_lab.vendor.native import Compiler

    directory = tmp_path_factory.mktemp("cuda")
    with Compiler() as compiler:
        compiler.cuda(DRIVER, directory / "libcuda.so.1")
    directory.chmod(0o755)
    return directory


INI = "[gpu0]\nbus_id = 00000000:01:00.0\nuuid = GPU-1\n"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("loaded", "ini", "code"),
    [
        (DRIVER, INI, 0),
        ("570.86.15", INI, 803),
        (DRIVER, f"{INI}fabric = 2,0\n", 802),
        (DRIVER, f"[driver]\nerror.cuInit = 999\n{INI}", 999),
        (DRIVER, "", 100),
    ],
)
def test_the_lab_s_libcuda_through_the_section(
    shell: tuple[str, ...], tmp_path: Path, driver: Path, loaded: str, ini: str, code: int
) -> None:
    """The service's LD_LIBRARY_PATH leads to the library; a running service's environment is read from /proc."""
    run, dev = tmp_path / "lab", tmp_path / "devices"
    put(run, {"module/version": loaded, "module/uvm": "", "gpus.ini": ini})
    put(dev, {"nvidiactl": "", "nvidia0": "", "nvidia-uvm": ""})
    put(tmp_path, {"sys/module/nvidia/x": "", "sys/module/nvidia_uvm/x": "", "run/systemd/system/x": ""})
    put(tmp_path, {"proc/uptime": "1000.00 1.00\n"})
    (tmp_path / "dev").mkdir()
    for name in ("nvidia-uvm", "nvidiactl"):  # any character device will do
        (tmp_path / "dev" / name).symlink_to("/dev/null")
    tools = tmp_path / "tools"
    exports = f"export ONGPU_LAB_GPUS={run}/gpus.ini ONGPU_LAB_RUN={run} ONGPU_LAB_DEV={dev}"
    tool(tools, "python3", f'{exports}; exec {sys.executable} "$@"')
    tool(tools, "systemctl", f"printf 'User=\\nMainPID=0\\nEnvironment=LD_LIBRARY_PATH={driver}\\n'")
    found = cuda.parse(
        on_tree(
            shell, cuda.SECTION, tmp_path, tools, "/sys/module", "/dev/nvidia-uvm", "/dev/nvidiactl", "/run/systemd"
        )
    )
    assert isinstance(found, Known), found
    assert (found.value.code, found.value.devices) == (code, 0 if code else 1)
    assert found.value.library == str(driver / "libcuda.so.1").replace(str(tmp_path), "")


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
def test_as_another_user(tmp_path: Path) -> None:
    put(tmp_path, {"sys/module/nvidia/x": "", "sys/module/nvidia_uvm/x": "", "run/systemd/system/x": ""})
    (tmp_path / "dev").mkdir()
    for name in ("nvidia-uvm", "nvidiactl"):
        (tmp_path / "dev" / name).symlink_to("/dev/null")
    tools = tmp_path / "tools"
    tool(tools, "systemctl", "printf 'User=nobody\\nSupplementaryGroups=video\\nMainPID=0\\n'")
    tool(tools, "python3", "echo \"cuda 0 1 /$(id -u)/$(id -G | tr ' ' .)\"")
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    look = on_tree(
        ("dash",), cuda.SECTION, tmp_path, tools, "/sys/module", "/dev/nvidia-uvm", "/dev/nvidiactl", "/run/systemd"
    )
    found = cuda.parse(look)
    assert isinstance(found, Known), look
    assert found.value.user == "nobody"
    assert found.value.library == "/65534/65534.44"
