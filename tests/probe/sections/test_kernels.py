"""Installed kernels, the next one, their NVIDIA modules, and what DKMS did for them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ongpu.host.boot import DkmsBuild, Kernels, release_order
from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.probe.output import Output, Part
from ongpu.probe.sections import kernels
from tests.probe.sections.samples import KERNELS, Parts, output
from tests.probe.sections.trees import on_tree, put
from tests.probe.shells import SHELLS, tool

OLD, NEW = "6.1.0-56-amd64", "6.1.0-100-amd64"


def read(**changed: str | Part | None) -> Kernels:
    parts: Parts = {name: part for name, part in (KERNELS | changed).items() if part is not None}
    found = kernels.parse(output("kernels", **parts))
    assert isinstance(found, Known), found
    return found.value


def test_a_next_kernel_without_a_module() -> None:
    found = read()
    assert [kernel.release for kernel in found.installed] == [OLD, NEW]
    assert found.next_boot == Known(NEW, "the first entry of GRUB's menu")
    old, new = found.installed
    assert (old.headers, new.headers) == (True, False)
    assert isinstance(new.module, Absent)
    assert isinstance(old.module, Known)
    assert (old.module.value.name, old.module.value.version, old.module.value.flavour) == (
        "nvidia-current",
        "535.309.01",
        "proprietary",
    )
    assert value_or_none(old.module.value.signer) == "DKMS module signing key"
    assert old.module.value.sig_key.startswith("08:84:55")
    assert found.dkms == (DkmsBuild(name="nvidia-current", version="535.309.01", kernel=OLD, state="installed"),)


def test_releases_in_their_order() -> None:
    releases = ["5.14.0-70.13.1.el9_0.x86_64", "5.14.0-427.el9.x86_64", "6.1.0-9-amd64", "6.1.0-56-amd64", "6.12.1"]
    assert sorted([*releases[3:], *releases[:3]], key=release_order) == releases


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"menu": None}, NEW),
        (
            {
                "menu": ' set default="${saved_entry}"\n',
                "environment": f"saved_entry=gnulinux-advanced-1>gnulinux-{OLD}-advanced-1",
            },
            OLD,
        ),
        ({"environment": f"next_entry=gnulinux-{OLD}-advanced-1a2b"}, OLD),
        ({"menu": None, "environment": f"saved_entry={'f' * 32}-{OLD}"}, OLD),  # BLS
        ({"menu": 'set default="${saved_entry}"\n linux /vmlinuz-' + OLD, "environment": "saved_entry="}, OLD),
    ],
)
def test_next_boot(changed: dict[str, str | None], expected: str) -> None:
    assert value_or_none(read(**changed).next_boot) == expected


def test_next_boot_is_not_guessed() -> None:
    assert isinstance(read(environment="next_entry=Windows").next_boot, Unreadable)
    assert isinstance(read(menu='set default="3"').next_boot, Unreadable)
    assert isinstance(read(menu=Part(2, "grep: /boot/grub/grub.cfg: Permission denied")).next_boot, Unreadable)
    assert isinstance(read(kernels=f"{OLD} no yes").next_boot, Absent)


def test_signatures() -> None:
    unsigned = str(KERNELS["modinfo"]).split("\nsig_id")[0]
    kernel = read(modinfo=unsigned).find(OLD)
    assert kernel
    assert isinstance(kernel.module, Known)
    assert isinstance(kernel.module.value.signer, Absent)
    kernel = read(modinfo=unsigned, tool="/bin/busybox").find(OLD)
    assert kernel
    assert isinstance(kernel.module, Known)
    assert isinstance(kernel.module.value.signer, Unreadable), "busybox shows none"
    kernel = read(modinfo=Part(None, "", "modinfo")).find(OLD)
    assert kernel
    assert isinstance(kernel.module, Unreadable)


# make.log of Debian 13's open 550 for 6.12.117 (dkms 3.2.2), as recorded, through the section's grep
LOG = """1:DKMS (dkms-3.2.2) make.log for nvidia-current-open/550.163.01 for kernel 6.12.117+deb13-amd64 (x86_64)
179:/var/lib/dkms/nvidia-current-open/550.163.01/build/nvidia/nv-pci.c:237:9: error: too few arguments to function
make: *** [Makefile:140: modules] Error 2"""


def test_a_failed_build() -> None:
    path = "/var/lib/dkms/nvidia-current-open/550.163.01/build/make.log"
    found = read(**{f"log:{path}": LOG, "dkms": "added nvidia-current-open 550.163.01 -"})
    assert found.dkms == (DkmsBuild(name="nvidia-current-open", version="550.163.01", kernel="", state="added"),)
    failure = found.failure("6.12.117+deb13-amd64")
    assert failure
    assert (failure.name, failure.version, failure.log) == ("nvidia-current-open", "550.163.01", path)
    assert "too few arguments" in failure.lines[0]
    assert not read(**{f"log:{path}": LOG.split("\n")[0]}).failures, "a build that still runs has no error"


def test_no_kernel_and_no_look() -> None:
    assert isinstance(kernels.parse(output("kernels", none="no")), Absent)
    assert isinstance(kernels.parse(Output("kernels")), Unreadable)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_tree(shell: tuple[str, ...], tmp_path: Path) -> None:
    """Two kernels: one with a module of DKMS, one whose build failed; the lab's modinfo is real elsewhere."""
    dkms = "var/lib/dkms/nvidia/580.95.05"
    put(
        tmp_path,
        {
            "boot/vmlinuz-6.1.0-9-amd64": "",
            "boot/vmlinuz-6.1.0-56-amd64": "",
            "boot/grub/grub.cfg": 'set default="0"\n\tlinux\t/boot/vmlinuz-6.1.0-56-amd64 ro\n',
            "boot/grub/grubenv": "# GRUB Environment Block\nsaved_entry=\n",
            "lib/modules/6.1.0-9-amd64/modules.dep": "updates/dkms/nvidia.ko.xz: kernel/drm.ko\nkernel/x.ko:\n",
            "lib/modules/6.1.0-9-amd64/build/Makefile": "",
            "lib/modules/6.1.0-56-amd64/modules.dep": "updates/dkms/nvidia-uvm.ko: updates/dkms/nvidia.ko\n",
            "lib/modules/6.1.0-56-amd64/build": "-> /nowhere",
            f"{dkms}/source": "-> /",
            f"{dkms}/6.1.0-9-amd64/x86_64/module/nvidia.ko.xz": "",
            "var/lib/dkms/nvidia/kernel-6.1.0-9-amd64-x86_64": "-> 580.95.05/6.1.0-9-amd64/x86_64",
            f"{dkms}/build/make.log": "DKMS make.log for nvidia-580.95.05 for kernel 6.1.0-56-amd64 (x86_64)\n"
            "Tue Nov 24\nnv.c:1:2: error: no\nok\nmake: *** [Makefile:1] Error 2\n",
        },
    )
    tool(tmp_path / "tools", "uname", "echo 6.1.0-9-amd64")
    tool(tmp_path / "tools", "modinfo", 'for f; do echo "filename: $f"; echo "version: 580.95.05"; done')
    found = kernels.parse(
        on_tree(shell, kernels.SECTION, tmp_path, tmp_path / "tools", "/lib/modules", "/boot", "/var/lib/dkms")
    )
    assert isinstance(found, Known)
    assert found.value.next_boot == Known("6.1.0-56-amd64", "the first entry of GRUB's menu")
    old, new = found.value.installed
    assert (old.release, old.headers, new.release, new.headers) == ("6.1.0-9-amd64", True, "6.1.0-56-amd64", False)
    assert isinstance(old.module, Known)
    assert old.module.value.path == "/lib/modules/6.1.0-9-amd64/updates/dkms/nvidia.ko.xz"
    assert isinstance(new.module, Absent)
    assert [(build.kernel, build.state) for build in found.value.dkms] == [("6.1.0-9-amd64", "installed")]
    failure = found.value.failure("6.1.0-56-amd64")
    assert failure
    assert failure.lines == ("3:nv.c:1:2: error: no", "5:make: *** [Makefile:1] Error 2")


def test_the_grep_of_the_recorded_log() -> None:
    """The error lines are found wherever they stand: parallel make goes on for long after the first."""
    noise = "# CC [M]  nvidia/nv.o\n" * 3000
    text = (
        f"{LOG.split(chr(10))[0][2:]}\nx.c:237:9: error: too few arguments\n{noise}make: *** [Makefile:140] Error 2\n"
    )
    pattern = r"error:|Error [0-9]|\*\*\*|fatal|No such file"
    assert pattern in kernels.SHELL
    done = subprocess.run(["grep", "-m", "20", "-nE", pattern], input=text, capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 2
