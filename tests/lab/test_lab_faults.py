"""Every fault really happens on a booted host, can be seen there, and is gone after its clearing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ongpu_lab import faults
from ongpu_lab.errors import LabError
from ongpu_lab.lab import Lab
from tests.lab import serving
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

RELEASE = "https://github.com/ollama/ollama/releases/download/v0.32.15"
ARCHIVE = f"{RELEASE}/ollama-linux-amd64.tar.zst"
REPOSITORY = "https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64/InRelease"
MANIFEST = "https://registry.ollama.ai/v2/library/llama3.2/manifests/3b"

RELOAD = (
    "systemctl stop nvidia-persistenced; rmmod nvidia_uvm && rmmod nvidia; code=$?; modprobe nvidia-uvm; (exit $code)"
)


def blank(host: Host) -> None:
    """As it is."""


def with_driver(host: Host) -> None:
    serving.install_driver(host)


def with_ollama(host: Host) -> None:
    serving.install_driver(host)
    serving.install_ollama(host)


def shell(command: str) -> Callable[[Host], str]:
    return lambda host: host.run(command).stdout.strip()


def status_of(url: str) -> Callable[[Host], str]:
    return shell(f"curl --silent --location --output /dev/null --write-out '%{{http_code}}' {url}")


def with_loaded(host: Host) -> None:
    with_ollama(host)
    serving.load(host)


def loaded_line(words: str) -> Callable[[Host], str]:
    """How many lines of the journal have these words after a load, since the service was started."""

    def look(host: Host) -> str:
        serving.load(host)
        return shell(
            "id=$(systemctl show -p InvocationID --value ollama); journalctl --sync;"
            f" journalctl --output=cat _SYSTEMD_INVOCATION_ID=$id | grep -c '{words}'"
        )(host)

    return look


def loaded_share(host: Host) -> str:
    serving.load(host)
    return f"{serving.share_on_gpu(host):.0%}"


def load_lines(host: Host) -> str:
    """How many lines the journal has about layers on the GPU, since the service was started."""
    serving.load(host)
    return shell(
        "id=$(systemctl show -p InvocationID --value ollama); journalctl --sync;"
        " journalctl --output=cat _SYSTEMD_INVOCATION_ID=$id | grep -c 'offloaded .* layers to GPU'"
    )(host)


def api_and_driver(host: Host) -> str:
    """What the API says, and how many processes the driver sees."""
    processes = "nvidia-smi --query-compute-apps=pid --format=csv,noheader | grep -c ."
    return f"{loaded_share(host)} {shell(processes)(host)}"


@dataclass(frozen=True)
class Effect:
    prepare: Callable[[Host], None]
    look: Callable[[Host], str]
    broken: str
    cured: str


EFFECTS = {
    "server-down": Effect(blank, status_of(ARCHIVE), "000", "200"),
    "repository-down": Effect(blank, status_of(REPOSITORY), "503", "200"),
    "registry-down": Effect(blank, status_of(MANIFEST), "503", "200"),
    "wrong-checksum": Effect(
        blank,
        shell(
            f"cd /root && curl -sLO {ARCHIVE} && curl -sL {RELEASE}/sha256sum.txt | sha256sum --status -c -"
            " && echo right || echo wrong"
        ),
        "wrong",
        "right",
    ),
    "slow-network": Effect(blank, shell(f"curl -sL --max-time 3 -o /dev/null {ARCHIVE}; echo $?"), "28", "0"),
    "disk-full": Effect(
        blank, shell("head -c 1M /dev/zero >/root/big && echo room || echo full; rm -f /root/big"), "full", "room"
    ),
    "no-sudo": Effect(blank, shell("su ops -c 'sudo -n id -u' 2>/dev/null || echo refused"), "refused", "0"),
    "host-down": Effect(blank, lambda host: str(host.status()["state"]), "down", "running"),
    "dkms-fails": Effect(
        with_driver,
        shell(
            "v=$(cat /sys/module/nvidia/version); dkms remove -m nvidia -v $v --all >/dev/null 2>&1;"
            " dkms install -m nvidia -v $v -k $(uname -r) >/dev/null 2>&1; echo $?"
        ),
        "10",
        "0",
    ),
    "driver-upgraded-under-service": Effect(with_driver, shell("nvidia-smi >/dev/null; echo $?"), "18", "0"),
    "gpu-used-by-another": Effect(
        with_driver, shell("nvidia-smi --query-compute-apps=name --format=csv,noheader"), "trainer", ""
    ),
    "module-held": Effect(with_driver, shell(f"{RELOAD} >/dev/null 2>&1; echo $?"), "1", "0"),
    "driver-by-run-file": Effect(
        blank, shell("nvidia-smi --query-gpu=driver_version --format=csv,noheader"), "570.195.03", ""
    ),
    "nouveau": Effect(blank, shell("readlink /sys/bus/pci/devices/0000:01:00.0/driver"), "../../drivers/nouveau", ""),
    "secure-boot": Effect(
        with_driver,
        shell(
            "systemctl stop nvidia-persistenced; rmmod nvidia_uvm; rmmod nvidia;"
            " modprobe nvidia-uvm 2>&1 | grep -c 'Key was rejected'"
        ),
        "1",
        "0",
    ),
    "new-kernel": Effect(blank, shell("ls /boot | grep -c vmlinuz"), "1", "0"),
    "dkms-fails-for-new-kernel": Effect(
        with_driver,
        shell(
            "k=$(ls /boot | sed -n 's/vmlinuz-//p'); mkdir -p /lib/modules/${k:-none}/build;"
            ' dkms build -m nvidia -v $(cat /sys/module/nvidia/version) -k "$k" >/dev/null 2>&1; echo $?'
        ),
        "10",
        "0",
    ),
    "gpu-lost": Effect(with_driver, shell("nvidia-smi -L >/dev/null; echo $?"), "15", "0"),
    "env-cpu": Effect(with_ollama, loaded_share, "0%", "100%"),
    "service-started-before-driver": Effect(with_ollama, loaded_share, "0%", "100%"),
    "cpu-moe": Effect(
        with_ollama,
        shell(
            "tr '\\0' '\\n' </proc/$(systemctl show -p MainPID --value ollama)/environ | grep -c LLAMA_ARG_CPU_MOE=1"
        ),
        "1",
        "0",
    ),
    "quiet-log": Effect(with_ollama, load_lines, "0", "1"),
    "silent-cpu": Effect(with_ollama, api_and_driver, "100% 0", "100% 1"),
    "kv-on-cpu": Effect(with_ollama, loaded_line("CPU KV buffer"), "1", "0"),
    "device-none": Effect(with_ollama, loaded_line("offloaded 29/29 layers to GPU$\\|CUDA0 model buffer"), "1", "2"),
    "draft-hides-cpu": Effect(with_ollama, loaded_line("offloaded 2/29 layers"), "1", "0"),
    "runner-killed": Effect(
        with_loaded,
        shell(f"echo $(($(curl -s {serving.API}/api/ps | grep -o '\"digest\"' | wc -l) - $(pgrep -cx llama-server)))"),
        "1",
        "0",
    ),
    "runner-frozen": Effect(
        with_loaded,
        shell("grep -l '^State:.T' $(pgrep -x llama-server | sed 's|.*|/proc/&/status|') /dev/null | wc -l"),
        "1",
        "0",
    ),
    "memory-not-told": Effect(
        with_loaded,
        shell("nvidia-smi --query-compute-apps=used_memory --format=csv,noheader | tr -d '0-9'"),
        "[N/A]",
        "MiB",
    ),
    "unit-stopped": Effect(with_ollama, shell("systemctl is-active ollama"), "inactive", "active"),
}


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_a_fault_is_seen_and_can_be_undone(name: str, host: Host, lab: Lab) -> None:
    effect = EFFECTS[name]
    fault = faults.find(name)
    effect.prepare(host)
    assert effect.look(host) == effect.cured, "before"
    where = faults.apply(lab, fault, None if fault.of_lab else host.name)
    assert effect.look(host) == effect.broken
    assert (name, where) in faults.active(lab)
    assert faults.clear(lab, name, where) == [(name, where)]
    assert effect.look(host) == effect.cured, "after"
    assert faults.active(lab) == []


def test_a_lost_gpu_is_in_the_kernel_log(host: Host, lab: Lab) -> None:
    faults.apply(lab, faults.find("gpu-lost"), host.name)
    host.out("journalctl --sync")
    assert "NVRM: Xid (PCI:0000:01:00): 79," in host.out("journalctl --dmesg --no-pager")


def test_a_fault_that_does_not_fit_says_so(host: Host, lab: Lab) -> None:
    with pytest.raises(LabError, match=r"^lab1: .*no ollama\.service on this host yet"):
        faults.apply(lab, faults.find("env-cpu"), host.name)
    assert faults.clear(lab, host=host.name) == [("env-cpu", "lab1")], "what failed half-way can be cleared"
    with pytest.raises(LabError, match="concerns one host: name it"):
        faults.apply(lab, faults.find("env-cpu"), None)
    with pytest.raises(LabError, match="concerns the whole lab"):
        faults.apply(lab, faults.find("server-down"), host.name)
