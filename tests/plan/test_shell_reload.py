"""The exchange of a driver on a host that is made of files and stand-in programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ongpu.plan import shell
from ongpu.plan.types import Run
from tests.plan.bench import Bench, Said

OLLAMA, DAEMON, DCGM = "ollama.service", "nvidia-persistenced.service", "nvidia-dcgm.service"
GPU = "0000:01:00.0"
# Which units run, which modules are loaded, and which version is on disk are files in the bench's place.
PROGRAMS = {
    "systemctl": r"""
case $1 in
  show) unit=$5; [ ! -e PLACE/active/$unit ] && echo inactive || echo active ;;
  stop) [ ! -e PLACE/stuck ] || exit 1; rm -f PLACE/active/$2 ;;
  start) [ ! -e PLACE/lame/$2 ] || exit 1; : >PLACE/active/$2 ;;
esac""",
    "rmmod": r"""
[ ! -e PLACE/held ] || { echo "rmmod: ERROR: Module $1 is in use"; exit 1; }
rm -r PLACE/sys/module/$1""",
    "modprobe": r"""
[ ! -e PLACE/unloadable ] || { echo "modprobe: ERROR: could not insert '$1': Key was rejected by service"; exit 1; }
mkdir -p PLACE/sys/module/$(echo $1 | tr - _)
cat PLACE/disk >PLACE/sys/module/$(echo $1 | tr - _)/version
: >PLACE/dev/nvidia-uvm""",
    "modinfo": "cat PLACE/disk",
    "ldconfig": r"printf '\tlibnvidia-ml.so.1 (libc6,x86-64) => PLACE/lib/libnvidia-ml.so.1\n'",
    "nvidia-smi": "cat PLACE/sys/module/nvidia/version >/dev/null || exit 9; cat PLACE/listed",
    "dkms": "exit 0",
    "nvidia-modprobe": "exit 0",
    "curl": "exit 0",
    "sleep": "exit 0",
}


@pytest.fixture
def host(bench: Bench) -> Bench:
    """580.82.07 runs, Ollama and the persistence daemon hold it."""
    place = bench.place
    bench.environment["ONGPU_ROOT"] = str(place)
    for name, body in PROGRAMS.items():
        bench.fake(name, body.replace("PLACE", str(place)))
    for directory in ("active", "lame", "dev", "lib", "proc", f"sys/bus/pci/devices/{GPU}"):
        (place / directory).mkdir(parents=True)
    for unit in (OLLAMA, DAEMON):
        (place / "active" / unit).touch()
    for name, text in (("vendor", "0x10de"), ("class", "0x030000")):
        (place / "sys/bus/pci/devices" / GPU / name).write_text(text + "\n")
    (place / "listed").write_text(f"0000{GPU}\n".upper())
    for module in ("nvidia", "nvidia_uvm"):
        (place / "sys/module" / module).mkdir(parents=True)
        (place / "sys/module" / module / "version").write_text("580.82.07\n")
    release(place, "580.82.07")
    return bench


def release(place: Path, version: str) -> None:
    """The packages of this version are installed."""
    (place / "disk").write_text(f"{version}\n")
    (place / "lib/libnvidia-ml.so.1").unlink(missing_ok=True)
    (place / "lib" / f"libnvidia-ml.so.{version}").touch()
    (place / "lib/libnvidia-ml.so.1").symlink_to(f"libnvidia-ml.so.{version}")


def release_library(place: Path) -> None:
    release(place, "590.44.01")
    (place / "disk").write_text("580.82.07\n")


def install(place: Path, version: str) -> str:
    """The same as a script."""
    return (
        f"echo {version} >{place}/disk; : >{place}/lib/libnvidia-ml.so.{version}; "
        f"ln -sfn libnvidia-ml.so.{version} {place}/lib/libnvidia-ml.so.1\n"
    )


def variables(place: Path, expect: str = "1") -> dict[str, str]:
    return {
        "UNITS": f"{OLLAMA} {DCGM} {DAEMON}",
        "STOPPED": f"{place}/stopped",
        "HEADER": "Managed by ongpu",
        "SWITCH_FAILED": f"{place}/unfit",
        "TO": "590",
        "OLLAMA": OLLAMA,
        "API": "http://127.0.0.1:11434",
        "SECONDS_LIMIT": "5",
        "LOAD": shell.script("module", UVM="", VERSION=""),
        "CONFIRM": shell.script("confirm", EXPECT=expect),
    }


def exchange(place: Path, install: str = "", back: str = "", build: str = "") -> Run:
    return shell.run(
        "exchange", "nested", "units", "reload",
        INSTALL=install, BACK=back, BUILD=build, REBUILD=f": >{place}/rebuilt\n",
        RELOAD_FAILED=f"{place}/failed", **variables(place),
    )  # fmt: skip


def stage(place: Path, install: str, back: str, build: str) -> Run:
    noted = {name: value for name, value in variables(place).items() if name in ("HEADER", "SWITCH_FAILED", "TO")}
    return shell.run(
        "stage", "nested", "staged", INSTALL=install, BACK=back, BUILD=build, REBUILD=f": >{place}/rebuilt\n", **noted
    )


def settle(place: Path, expect: str = "1") -> Run:
    notes = f"{place}/stopped {place}/failed {place}/rebooted"
    return shell.run("confirm", "nested", "units", "settle", NOTES=notes, **variables(place, expect))


def loaded(host: Bench) -> str:
    return (host.place / "sys/module/nvidia/version").read_text().strip()


def active(host: Bench) -> set[str]:
    return {file.name for file in (host.place / "active").iterdir()}


def test_everything_is_stopped_and_started_the_other_way_round(host: Bench) -> None:
    release(host.place, "580.95.05")
    assert host.run(exchange(host.place)) == Said(0, "")
    assert loaded(host) == "580.95.05"
    verbs = [call for call in host.calls("systemctl") if call.startswith(("stop", "start"))]
    assert verbs == [f"stop {OLLAMA}", f"stop {DAEMON}", f"start {DAEMON}", f"start {OLLAMA}"]
    assert host.calls("rmmod") == ["nvidia_uvm", "nvidia"]
    assert not list(host.place.glob("stopped*"))


def test_the_packages_are_exchanged_while_nothing_is_loaded(host: Bench) -> None:
    look = f"[ ! -e {host.place}/sys/module/nvidia ] || exit 1; [ ! -e {host.place}/active/{OLLAMA} ] || exit 1\n"
    assert host.run(exchange(host.place, look + install(host.place, "590.44.01"))) == Said(0, "")
    assert loaded(host) == "590.44.01"


def test_a_module_in_use_leaves_everything_as_it_was(host: Bench) -> None:
    (host.place / "held").touch()
    holder = host.place / "proc/4711"
    (holder / "fd").mkdir(parents=True)
    (holder / "comm").write_text("trainer\n")
    (holder / "fd/3").symlink_to(f"{host.place}/dev/nvidia0")
    said = host.run(exchange(host.place, install(host.place, "590.44.01")))
    assert said.code == 1
    expected = "the kernel module cannot be unloaded: rmmod: ERROR: Module nvidia_uvm is in use; trainer (pid 4711)"
    assert said.reason.startswith(f"{expected} holds it; nothing was changed")
    assert (loaded(host), active(host)) == ("580.82.07", {OLLAMA, DAEMON})
    note = (host.place / "failed").read_text().splitlines()
    assert note[1] == f"why: {expected}"
    assert note[2].startswith("boot: ")


def test_what_loads_the_module_in_between_is_outwaited(host: Bench) -> None:
    """A monitor's nvidia-smi loads it again as soon as it is gone."""
    again = f"mkdir -p {host.place}/sys/module/nvidia; echo 580.82.07 >{host.place}/sys/module/nvidia/version\n"
    assert host.run(exchange(host.place, install(host.place, "590.44.01") + again)) == Said(0, "")
    assert loaded(host) == "590.44.01"


def test_an_installation_that_fails_ends_with_the_driver_that_was_there(host: Bench) -> None:
    said = host.run(exchange(host.place, "echo 'Error! Bad return status; the previous driver was put back'; exit 1\n"))
    assert (said.code, said.reason) == (1, "Error! Bad return status; the previous driver was put back")
    assert (host.place / "rebuilt").exists()
    assert (loaded(host), active(host)) == ("580.82.07", {OLLAMA, DAEMON})


def test_a_module_that_does_not_load_is_replaced_by_the_previous_one(host: Bench) -> None:
    rejected = f": >{host.place}/unloadable\n" + install(host.place, "590.44.01")
    back = f"rm {host.place}/unloadable\n" + install(host.place, "580.82.07")
    said = host.run(exchange(host.place, rejected, back))
    assert said.code == 1
    assert "Key was rejected by service" in said.reason
    assert said.reason.endswith("; the previous driver was put back and is loaded")
    assert (loaded(host), active(host)) == ("580.82.07", {OLLAMA, DAEMON})


def test_a_driver_that_does_not_build_for_the_next_kernel_is_taken_back(host: Bench) -> None:
    new, old = install(host.place, "590.44.01"), install(host.place, "580.82.07")
    said = host.run(exchange(host.place, new, old, build="echo 'it does not build for 6.1.0-57'; exit 1\n"))
    expected = "it does not build for 6.1.0-57; the previous driver was put back and is loaded"
    note = (
        "# Managed by ongpu. Not tried again while this file is here.\nto: 590\nwhy: it does not build for 6.1.0-57\n"
    )
    assert (said.code, said.reason) == (1, expected)
    assert (host.place / "unfit").read_text() == note
    assert (loaded(host), active(host)) == ("580.82.07", {OLLAMA, DAEMON})


def test_before_a_reboot_it_is_taken_back_too(host: Bench) -> None:
    new, old = install(host.place, "590.44.01"), install(host.place, "580.82.07")
    fails = "echo 'it does not build for 6.1.0-57'; exit 1\n"
    assert host.run(stage(host.place, new, old, "")) == Said(0, "")
    assert (host.place / "disk").read_text() == "590.44.01\n"
    said = host.run(stage(host.place, new, old, fails))
    assert (
        said.reason == "it does not build for 6.1.0-57; the previous driver was put back, and the host was not rebooted"
    )
    assert (host.place / "disk").read_text() == "580.82.07\n"
    assert loaded(host) == "580.82.07"


def test_a_way_back_that_fails_too_is_said(host: Bench) -> None:
    rejected = f": >{host.place}/unloadable\n" + install(host.place, "590.44.01")
    said = host.run(exchange(host.place, rejected, "echo 'E: no such version'; exit 1\n"))
    assert said.code == 1
    assert said.reason.endswith("; putting the previous driver back failed too: E: no such version")
    assert active(host) == {OLLAMA, DAEMON}


def test_a_unit_that_does_not_start_again_is_named_and_hinders_no_other(host: Bench) -> None:
    (host.place / "lame" / DAEMON).touch()
    said = host.run(exchange(host.place))
    assert (said.code, said.reason) == (1, f"the driver was exchanged, but these do not start again: {DAEMON}")
    assert active(host) == {OLLAMA}


def test_an_ollama_that_does_not_start_again_is_left_to_the_restart(host: Bench) -> None:
    """Its program may be gone, and be installed by the same run."""
    (host.place / "lame" / OLLAMA).touch()
    assert host.run(exchange(host.place)).code == 0
    assert active(host) == {DAEMON}


def test_a_unit_that_does_not_stop_changes_nothing(host: Bench) -> None:
    (host.place / "stuck").touch()
    said = host.run(exchange(host.place))
    assert (said.code, said.reason) == (1, f"{OLLAMA} cannot be stopped; what was stopped was started again")
    assert host.calls("rmmod") == []


@pytest.mark.parametrize("cut", ["stop", "rmmod", "install"])
def test_a_killed_exchange_is_finished_by_the_next_run(host: Bench, cut: str) -> None:
    """Killed with its whole process group, as `kill -9` and a power cut do."""
    place = host.place
    kill = "kill -9 0"
    if cut != "install":
        body = PROGRAMS["systemctl" if cut == "stop" else cut].replace("PLACE", str(place))
        once = f"[ -e {place}/killed ] || case $1 in stop|nvidia*) : >{place}/killed; {kill} ;; esac"
        host.fake("systemctl" if cut == "stop" else cut, f"{once}\n{body}")
    step = exchange(place, f"{kill}\n" if cut == "install" else install(place, "590.44.01"))
    wrapped = Run(command="sh -s", what="in a group of its own", stdin=f"setsid sh -s <<'END'\n{step.stdin}\nEND\n")
    assert host.run(wrapped).code != 0
    assert (place / "stopped").exists()
    assert host.run(settle(place)) == Said(0, "")
    assert (loaded(host), active(host)) == ("580.82.07", {OLLAMA, DAEMON})
    assert not (place / "stopped").exists()


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (lambda place: release(place, "590.44.01"), "the module 580.82.07 is loaded, the one on disk for this kernel"),
        (release_library, "the libraries are of 590.44.01"),
        (lambda place: (place / "listed").write_text(""), "lists 0 GPUs, there are 1 on the PCI bus"),
        (lambda place: (place / "dev/nvidia-uvm").unlink(), "there is no /dev/nvidia-uvm"),
    ],
)
def test_what_is_no_working_driver_is_not_confirmed(host: Bench, trouble: object, says: str) -> None:
    (host.place / "dev/nvidia-uvm").touch()
    assert host.run(confirm()) == Said(0, "")
    assert callable(trouble)
    trouble(host.place)
    said = host.run(confirm())
    assert said.code == 1
    assert says in said.reason


def confirm(expect: str = "1") -> Run:
    return shell.run("confirm", "confirm", EXPECT=expect)


def test_a_fabric_manager_of_another_release_is_not_confirmed(host: Bench) -> None:
    (host.place / "dev/nvidia-uvm").touch()
    host.fake("nv-fabricmanager", "echo 'Fabric Manager version is : 570.195.03'")
    said = host.run(confirm())
    assert (said.code, said.reason) == (1, "the module is 580.82.07, the fabric manager 570.195.03")


def test_fewer_gpus_than_expected_are_not_confirmed(host: Bench) -> None:
    (host.place / "dev/nvidia-uvm").touch()
    said = host.run(confirm("2"))
    assert (said.code, said.reason) == (1, "the driver 580.82.07 lists 1 GPUs, expect.gpus is 2")


def test_a_gpu_that_is_given_to_a_guest_is_not_counted(host: Bench) -> None:
    (host.place / "dev/nvidia-uvm").touch()
    guest = host.place / "sys/bus/pci/devices/0000:02:00.0"
    guest.mkdir()
    (guest / "vendor").write_text("0x10de\n")
    (guest / "class").write_text("0x030000\n")
    (guest / "driver").symlink_to("../../../bus/pci/drivers/vfio-pci")
    assert host.run(confirm()) == Said(0, "")


def test_notes_go_only_after_the_confirmation(host: Bench) -> None:
    (host.place / "rebooted").touch()
    assert host.run(settle(host.place, expect="2")).code == 1
    assert (host.place / "rebooted").exists()
    assert host.run(settle(host.place)) == Said(0, "")
    assert not (host.place / "rebooted").exists()
