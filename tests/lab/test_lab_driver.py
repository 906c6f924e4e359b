"""The life of a driver on a lab host, by the product's own steps and standard tools only."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ongpu.host.gpu import DiskModule, KernelModule, LoadedModule
from ongpu.host.paths import APT_KEYRING
from ongpu.host.reading import Absent, Known
from ongpu.host.snapshot import HostSnapshot
from ongpu.plan import shell
from ongpu.plan.choice import Choice
from ongpu.plan.distributions import Install
from ongpu.plan.distributions.apt import APT
from ongpu.plan.distributions.base import Wanted
from ongpu.plan.types import Run
from ongpu.probe import decode
from ongpu_lab.lab import Lab
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

SITE = "https://developer.download.nvidia.com/compute/cuda/repos"
NOTHING = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."


def step(host: Host, run: Run) -> tuple[int, str]:
    """A step of a plan, as the engine runs it."""
    script = run.stdin if run.stdin is not None else run.command
    done = host.run(f"sh -s <<'END_OF_STEP'\n{script}\nEND_OF_STEP\n", timeout=300)
    return done.returncode, done.stdout + done.stderr


def write(host: Host, path: str, text: str) -> None:
    host.out(f"mkdir -p $(dirname {path}); cat >{path} <<'END_OF_FILE'\n{text}\nEND_OF_FILE\n")


def install(host: Host, lab: Lab, branch: str, flavour: Choice = "open") -> tuple[int, str]:
    """Repository, pin and packages; what is installed already moves along."""
    version = host.out(". /etc/os-release; echo $VERSION_ID")
    url = f"{SITE}/debian{version}/x86_64/"
    kernel_package = "nvidia-kernel-open-dkms" if flavour == "open" else "nvidia-kernel-dkms"
    write(host, APT_KEYRING, (lab.dir / "nvidia-key.asc").read_text())
    code, said = step(host, APT.refresh(url, kernel_package, branch, own=True))
    assert code == 0, said
    for file in (APT.source(url, branch), APT.pin(branch)):
        write(host, file.path, file.content)
    listing = host.out("dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n' | awk '$3 ~ /^5[0-9][0-9][.]/'")
    present = {line.split()[1]: line.split()[2] for line in listing.splitlines() if line.startswith(("ii", "hi"))}
    names = {"nvidia-driver-cuda", kernel_package, *present}
    seen = snapshot(host)
    assert isinstance(seen.system, Known)
    assert isinstance(seen.packages, Known)
    wanted = Wanted(
        system=seen.system.value, packages=seen.packages.value, source="nvidia", branch=branch, flavour=flavour
    )
    what = Install(
        wanted=wanted, exact=dict.fromkeys(names, f"{branch}*"), version=branch, old=present, broken=(), hold=True
    )
    return step(host, APT.install(what))


def load(host: Host, version: str) -> tuple[int, str]:
    return step(host, shell.run("load", "module", UVM="", VERSION=version))


def snapshot(host: Host) -> HostSnapshot:
    done = host.run(f"sh -s <<'END_OF_PROBE'\n{decode.script()}\nEND_OF_PROBE\n")
    return decode.decode(done.stdout)


def module(host: Host) -> KernelModule:
    found = snapshot(host).module
    assert isinstance(found, Known)
    return found.value


def smi(host: Host, *words: str) -> tuple[int, str]:
    done = host.run(" ".join(("nvidia-smi", *words)))
    return done.returncode, done.stdout


def test_blank(each_host: Host) -> None:
    found = snapshot(each_host)
    assert isinstance(found.pci, Known)
    assert [(gpu.address, gpu.device_id, gpu.driver) for gpu in found.pci.value] == [("0000:01:00.0", "0x2882", "")]
    assert isinstance(module(each_host).loaded, Absent)
    assert isinstance(module(each_host).on_disk, Absent)
    assert isinstance(found.nvml, Absent)
    assert isinstance(found.kernel_log, Known)
    assert "10de:2882" in each_host.out("lspci -nn")
    refused = each_host.run("modprobe nvidia")
    assert (refused.returncode, "Module nvidia not found in directory /lib/modules/" in refused.stderr) == (1, True)


def test_installed_loaded_upgraded_rebooted(each_host: Host, lab: Lab) -> None:
    host = each_host
    assert install(host, lab, "580.82.07") == (0, ""), "blank to installed"
    assert host.out("dkms status") == f"nvidia/580.82.07, {host.out('uname -r')}, x86_64: installed"
    code, text = smi(host)
    assert (code, text.startswith(NOTHING)) == (9, True)
    assert load(host, "580.82.07") == (0, "")
    assert smi(host, "--query-gpu=name,driver_version", "--format=csv,noheader") == (
        0,
        "NVIDIA GeForce RTX 4060, 580.82.07\n",
    )
    assert host.out("ls /dev/nvidia*").split() == [
        "/dev/nvidia-uvm",
        "/dev/nvidia-uvm-tools",
        "/dev/nvidia0",
        "/dev/nvidiactl",
    ]
    found = module(host)
    assert found.loaded == Known(LoadedModule(version="580.82.07", flavour="open"), "/sys/module/nvidia/version")
    assert found.uvm_loaded == Known(True, "/sys/module/nvidia_uvm")
    assert "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.82.07" in host.out("journalctl -k -b")
    assert host.out("nvidia-smi --query-gpu=persistence_mode --format=csv,noheader") == "Enabled"

    assert install(host, lab, "590.44.01") == (0, ""), "upgrade without a reload"
    assert smi(host) == (
        18,
        "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 590.44\n",
    )
    assert "NVRM: API mismatch: the client 'nvidia-smi'" in host.out("journalctl --sync; journalctl -k -b")
    found = module(host)
    assert isinstance(found.on_disk, Known)
    assert isinstance(found.on_disk.value, DiskModule)
    assert (found.on_disk.value.version, found.on_disk.value.flavour) == ("590.44.01", "open")

    host.reboot()
    assert smi(host, "--query-gpu=driver_version", "--format=csv,noheader") == (0, "590.44.01\n")
    assert module(host).uvm_loaded == Known(False, "/sys/module/nvidia_uvm"), "nobody asked for it at boot"
    assert host.out("systemctl is-system-running") == "running"

    assert install(host, lab, "570.195.03") == (0, ""), "downgrade"
    write(host, "/etc/modules-load.d/ongpu-nvidia.conf", "nvidia\nnvidia-uvm")
    host.reboot()
    assert smi(host, "--query-gpu=driver_version", "--format=csv,noheader") == (0, "570.195.03\n")
    assert module(host).uvm_loaded == Known(True, "/sys/module/nvidia_uvm")


def test_two_gpus_and_the_proprietary_flavour(blank: Callable[..., list[Host]], lab: Lab) -> None:
    (host,) = blank("lab3")
    assert install(host, lab, "580.95.05", "proprietary") == (0, "")
    assert load(host, "580.95.05") == (0, "")
    code, text = smi(host, "-L")
    assert (code, len(text.splitlines())) == (0, 2)
    loaded = module(host).loaded
    assert loaded == Known(LoadedModule(version="580.95.05", flavour="proprietary"), "/sys/module/nvidia/version")
    assert "nvidia: module license 'NVIDIA' taints kernel." in host.out("journalctl -k -b")


def test_a_failed_build_says_so_and_can_be_finished(host: Host, lab: Lab) -> None:
    host.out("printf '[dkms]\\nfail = yes\\n' >>/etc/ongpu-lab/host.ini")
    code, said = install(host, lab, "580.95.05")
    assert code == 1
    assert "Bad return status for module build on kernel" in said
    assert host.out("dkms status") == "nvidia/580.95.05: added"
    assert load(host, "580.95.05")[0] == 1
    host.out("sed -i '/^fail/d' /etc/ongpu-lab/host.ini; dpkg --configure -a")
    assert load(host, "580.95.05") == (0, "")


def test_modules_are_unloaded_only_when_nobody_holds_them(host: Host, lab: Lab) -> None:
    assert install(host, lab, "580.95.05") == (0, "")
    assert load(host, "580.95.05") == (0, "")
    used = host.run("modprobe -r nvidia")
    assert (used.returncode, used.stderr) == (1, "modprobe: FATAL: Module nvidia is in use.\n")
    host.out("systemctl stop nvidia-persistenced; modprobe -r nvidia_uvm; modprobe -r nvidia")
    assert isinstance(module(host).loaded, Absent)
    assert smi(host)[0] == 9
    assert host.run("ls /dev/nvidia0").returncode != 0


def test_an_unprivileged_program_gets_its_device_nodes(host: Host, lab: Lab) -> None:
    """By the setuid nvidia-modprobe, as on a server just booted."""
    assert install(host, lab, "580.95.05") == (0, "")
    assert load(host, "580.95.05") == (0, "")
    host.out("rm /dev/nvidia*")
    assert host.out("setpriv --reuid=viewer --regid=viewer --clear-groups nvidia-smi -L").startswith("GPU 0: ")
    host.out("rm /dev/nvidia* /usr/bin/nvidia-modprobe")
    denied = host.run("setpriv --reuid=viewer --regid=viewer --clear-groups nvidia-smi -L")
    assert (denied.returncode, NOTHING in denied.stdout) == (9, True)


def test_an_xid_is_in_the_kernel_log_of_this_host_only(blank: Callable[..., list[Host]]) -> None:
    first, second = blank("lab1", "lab2")
    line = "NVRM: Xid (PCI:0000:01:00): 79, pid=1234, name=ollama, GPU has fallen off the bus."
    first.out(f"/usr/lib/ongpu-lab/kmsg 3 '{line}'; journalctl --sync")
    found = snapshot(first).kernel_log
    assert isinstance(found, Known)
    assert [(xid.code, xid.pci) for xid in found.value.xids] == [(79, "0000:01:00.0")]
    other = snapshot(second).kernel_log
    assert isinstance(other, Known)
    assert other.value.xids == ()
