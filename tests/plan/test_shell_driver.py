"""The driver's installation, module and service steps, with stand-ins for apt, dpkg, modprobe and systemctl."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ongpu.host.system import Packages
from ongpu.plan import shell
from ongpu.plan.distributions.apt import APT
from ongpu.plan.distributions.base import Install, Wanted
from ongpu.plan.types import Run
from tests.plan.bench import Bench, Said
from tests.plan.world import World

KERNEL = "6.1.0-56-amd64"
WANTED = Wanted(
    system=World().snapshot().system.value,  # type: ignore[union-attr]
    packages=Packages(manager="apt", installed=(), candidates={}, sources=(), broken=()),
    source="nvidia",
    branch="580",
    flavour="open",
)
INSTALL = Install(
    wanted=WANTED,
    exact={"nvidia-driver-cuda": "580.95.05-1", "nvidia-kernel-open-dkms": "580.95.05-1"},
    version="580.95.05",
    old={},
    broken=(),
    hold=True,
)
DKMS_FAILS = (
    "echo 'Setting up nvidia-kernel-open-dkms (580.95.05-1) ...'; "
    f"echo 'Error! Bad return status for module build on kernel: {KERNEL} (x86_64)'; "
    "echo 'dpkg: error processing package nvidia-kernel-open-dkms (--configure):'; "
    "echo ' installed nvidia-kernel-open-dkms package post-installation script returned error exit status 10'; "
    "echo 'E: Sub-process /usr/bin/dpkg returned an error code (1)'; exit 100"
)


@pytest.fixture
def host(bench: Bench) -> Bench:
    """apt that knows everything and does nothing, a running kernel, nobody's DKMS."""
    bench.fake("uname", f"echo {KERNEL}")
    bench.fake("apt-cache", '[ $1 = madison ] && echo "$2 | 580.95.05-1 | https://x / Packages"; exit 0')
    bench.fake("dpkg", "exit 0")
    bench.fake("apt-mark", "exit 0")
    bench.fake(
        "dpkg-query",
        "printf '%s\\n' 'libcuda1 580.95.05-1 ii ' 'nvidia-driver-cuda 580.95.05-1 ii ' "
        "'libnvidia-ml1 1:580.95.05-1 hi ' 'nvidia-settings 570.10-1 ii ' 'nvidia-next 580.95.051 ii ' "
        "'less 580-2 ii ' 'libnvidia-old 580.95.05-1 rc '",
    )
    apt(bench)
    return bench


def apt(
    bench: Bench, simulated: str = f"Inst dkms (3 x)\nInst linux-headers-{KERNEL} (6 x)", real: str = "exit 0"
) -> None:
    """What `apt-get --simulate` prints, and what the real installation does."""
    (bench.place / "foresight").write_text(simulated + "\n")
    bench.fake("apt-get", f'case "$*" in *--simulate*) cat {bench.place}/foresight; exit 0 ;; esac\n{real}')


def real_installations(bench: Bench) -> list[str]:
    return [call for call in bench.calls("apt-get") if "--simulate" not in call]


def test_everything_comes_in_one_transaction_and_is_held(host: Bench) -> None:
    assert host.run(APT.install(INSTALL)) == Said(0, "")
    (call,) = real_installations(host)
    for wanted in (
        "nvidia-driver-cuda=580.95.05-1",
        "nvidia-kernel-open-dkms=580.95.05-1",
        "nvidia-persistenced=580.95.05-1",
        f"linux-headers-{KERNEL}",
        "linux-headers-amd64",
        "--allow-change-held-packages",
    ):
        assert wanted in call.split()
    assert host.calls("apt-mark") == ["hold libcuda1 nvidia-driver-cuda libnvidia-ml1"]


def test_a_branch_is_held_as_a_whole(host: Bench) -> None:
    """Where a newer driver is installed, apt resolves the pattern and the plan knows only the branch."""
    down = Install(wanted=WANTED, exact={"nvidia-driver-cuda": "580.*"}, version="580", old={}, broken=(), hold=True)
    assert host.run(APT.install(down)) == Said(0, "")
    assert "nvidia-driver-cuda=580.*" in real_installations(host)[0].split()
    assert host.calls("apt-mark") == ["hold libcuda1 nvidia-driver-cuda libnvidia-ml1 nvidia-next"]


def test_without_a_wish_nothing_is_held(host: Bench) -> None:
    free = Install(wanted=WANTED, exact=INSTALL.exact, version=INSTALL.version, old={}, broken=(), hold=False)
    assert host.run(APT.install(free)).code == 0
    assert host.calls("apt-mark") == []


def test_a_removal_of_something_foreign_stops_it(host: Bench) -> None:
    apt(host, f"Remv libnvidia-old [570]\nRemv gnome-shell [43]\nInst linux-headers-{KERNEL} (x)")
    said = host.run(APT.install(INSTALL))
    assert (said.code, said.reason) == (1, "apt would also remove gnome-shell")
    assert real_installations(host) == []


def test_missing_headers_are_said_before_anything_is_changed(host: Bench) -> None:
    apt(host, "Inst dkms (3 x)")
    said = host.run(APT.install(INSTALL))
    assert said.code == 1
    assert said.reason == (
        f"there are no kernel headers for {KERNEL}, so DKMS could not build the module; nothing was changed"
    )
    assert real_installations(host) == []


def test_what_apt_cannot_resolve_is_its_own_words(host: Bench) -> None:
    host.fake("apt-get", "echo 'Reading package lists...'; echo 'E: Version 580.95.05-1 was not found'; exit 100")
    said = host.run(APT.install(INSTALL))
    expected = "apt cannot install nvidia-driver-cuda, nvidia-kernel-open-dkms: Version 580.95.05-1 was not found"
    assert (said.code, said.reason) == (1, expected)


def test_a_failed_build_names_dkms_and_holds_nothing(host: Bench) -> None:
    apt(host, real=DKMS_FAILS)
    said = host.run(APT.install(INSTALL))
    assert said.code == 1
    assert said.reason == f"Error! Bad return status for module build on kernel: {KERNEL} (x86_64)"
    assert host.calls("apt-mark") == []


def test_a_failed_upgrade_puts_the_old_driver_back(host: Bench) -> None:
    apt(host, real=f'case "$*" in *=570.10-1*) exit 0 ;; esac\n{DKMS_FAILS}')
    old = {"nvidia-driver-cuda": "570.10-1"}
    said = host.run(
        APT.install(Install(wanted=WANTED, exact=INSTALL.exact, version="580.95.05", old=old, broken=(), hold=True))
    )
    assert said.code == 1
    assert said.reason.startswith("Error! Bad return status for module build")
    assert said.reason.endswith("; the previous driver was put back")
    assert "nvidia-driver-cuda=570.10-1" in real_installations(host)[-1].split()


def test_packages_are_fetched_without_a_change_to_the_host(host: Bench) -> None:
    fetch = APT.fetch(dataclasses.replace(INSTALL, broken=("x",)))
    assert fetch is not None
    host.fake("dpkg", "exit 1")
    assert host.run(fetch) == Said(0, "")
    assert any("--download-only" in call for call in host.calls("apt-get"))
    assert all("--simulate" in call or "--download-only" in call for call in host.calls("apt-get"))
    assert host.calls("apt-mark") == host.calls("dpkg") == []
    apt(host, real="echo 'E: Unable to connect'; exit 100")
    assert host.run(fetch) == Said(1, "E: Unable to connect\nE: Unable to connect; nothing was changed\n")


def test_a_driver_by_the_run_installer_goes_once_the_packages_are_here(host: Bench) -> None:
    uninstaller = host.place / "programs/nvidia-uninstall"
    host.fake("nvidia-uninstall", f"cat {host.place}/calls.apt-get >{host.place}/before")
    what = dataclasses.replace(INSTALL, uninstaller=str(uninstaller))
    assert host.run(APT.install(what)) == Said(0, "")
    assert host.calls("nvidia-uninstall") == ["--silent"]
    assert "--download-only" in (host.place / "before").read_text().splitlines()[-1]
    host.fake("nvidia-uninstall", "echo 'ERROR: it is in use'; exit 1")
    said = host.run(APT.install(what))
    assert (said.code, said.reason) == (1, f"{uninstaller} failed: ERROR: it is in use")
    apt(host, real="echo 'E: Unable to connect'; exit 100")
    said = host.run(APT.install(what))
    assert (said.code, said.reason) == (1, "E: Unable to connect; nothing was changed")


def test_a_full_disk_while_installing_is_the_reason(host: Bench) -> None:
    says = "dpkg: error processing archive x.deb (--unpack):\\n cannot copy: No space left on device\\n"
    apt(host, real=f"printf '{says}'; exit 100")
    assert host.run(APT.install(INSTALL)).reason.strip() == "disk full: cannot copy: No space left on device"


def test_what_is_half_installed_is_configured_first(host: Bench) -> None:
    broken = Install(wanted=WANTED, exact=INSTALL.exact, version="580.95.05", old={}, broken=("x",), hold=True)
    host.fake("dpkg", "exit 1")
    assert host.run(APT.install(broken)).code == 0
    assert host.calls("dpkg") == ["--configure -a"]


def module(uvm: bool = False) -> Run:
    return shell.run("load", "module", UVM="yes" if uvm else "", VERSION="580.95.05")


def modules(bench: Bench, on_disk: str) -> None:
    bench.fake("uname", f"echo {KERNEL}")
    bench.fake("modinfo", f"[ -n '{on_disk}' ] && echo '{on_disk}'")
    for name in ("dkms", "nvidia-modprobe", "modprobe"):
        bench.fake(name, "exit 0")


def test_modules_are_loaded_and_nodes_made(bench: Bench) -> None:
    modules(bench, "580.95.05")
    assert bench.run(module()) == Said(0, "")
    assert bench.calls("modprobe") == ["nvidia", "nvidia-uvm"]
    assert bench.calls("dkms") == []
    assert bench.calls("nvidia-modprobe") == ["-u -c=0"]


@pytest.mark.parametrize("on_disk", ["", "570.10"])
def test_a_module_that_is_missing_or_old_is_built_first(bench: Bench, on_disk: str) -> None:
    modules(bench, on_disk)
    assert bench.run(module()).code == 0
    assert bench.calls("dkms") == [f"autoinstall -k {KERNEL}"]


def test_only_uvm(bench: Bench) -> None:
    modules(bench, "570.10")
    assert bench.run(module(uvm=True)).code == 0
    assert (bench.calls("modprobe"), bench.calls("dkms")) == (["nvidia-uvm"], [])


def test_a_module_that_does_not_load_says_why(bench: Bench) -> None:
    modules(bench, "580.95.05")
    bench.fake(
        "modprobe", "echo \"modprobe: ERROR: could not insert 'nvidia': Key was rejected by service\" >&2; exit 1"
    )
    said = bench.run(module())
    assert said.code == 1
    assert said.reason.startswith(f"the kernel module for {KERNEL} does not load: modprobe: ERROR: could not insert")
    assert "Key was rejected by service" in said.reason


def restart(
    verb: str = "restart",
    enable: str = "",
    seconds: int = 2,
    models_dir: str = "",
    old: str = "",
    releases: str = "",
    user: str = "root",
    place: Path = Path("/nowhere"),
    bare: str = "",
) -> Run:
    return shell.run(
        "restart ollama",
        "serve",
        "health",
        "restart",
        VERB=verb,
        ENABLE=enable,
        UNIT="ollama.service",
        API="http://127.0.0.1:11434",
        SECONDS_LIMIT=str(seconds),
        MODELS_DIR=models_dir,
        USER=user,
        GROUP=user,
        OLD=old,
        RELEASES=releases,
        CURRENT=f"{releases}/current",
        DROP_IN=f"{place}/ollama.service.d/50-ongpu.conf",
        GOOD=f"{place}/last-good/50-ongpu.conf",
        BARE=bare,
        API_BEFORE="http://127.0.0.1:9999",
        BINARY=f"{place}/bin/ollama",
        REPLACED=f"{place}/last-good/binary",
        WHY="OLLAMA_HOST differs",
        WANTED="",
        GPUS="",
        DECLARED="",
        KEEP="300",
        CONTEXT="",
        TURNS="",
        LOAD_LIMIT="5",
        TRY_LIMIT="5",
    )


@pytest.fixture
def service(bench: Bench) -> Bench:
    """A service that answers at its third question."""
    bench.fake("systemctl", "[ $1 = show ] && echo 0; exit 0")
    bench.fake("journalctl", "printf '%s\\n' 'level=INFO msg=x' 'Error: listen tcp: address already in use' 'bye'")
    bench.fake("curl", f'[ "$(wc -l <{bench.place}/calls.curl)" -ge 3 ]')
    bench.fake("sleep", "exit 0")
    return bench


def test_a_restart_waits_for_the_answer(service: Bench) -> None:
    assert service.run(restart(seconds=60)) == Said(0, "")
    assert [call for call in service.calls("systemctl") if "show" not in call] == [
        "daemon-reload",
        "--quiet is-active ollama.service",
        "reset-failed ollama.service",
        "restart ollama.service",
    ]


def test_to_enable_is_not_to_start(service: Bench) -> None:
    assert service.run(restart(verb="", enable="yes")) == Said(0, "")
    assert service.calls("systemctl") == ["daemon-reload", "enable --quiet ollama.service"]


def test_a_service_that_never_answers_fails_in_time_with_its_words(service: Bench) -> None:
    service.fake("curl", "exit 7")
    said = service.run(restart(seconds=1))
    assert said.code == 1
    assert said.reason == (
        "ollama.service was started, but http://127.0.0.1:11434 did not answer within 1 s: "
        "Error: listen tcp: address already in use"
    )


def test_a_service_that_crashes_again_and_again_is_not_waited_for(service: Bench) -> None:
    service.fake("curl", "exit 7")
    service.fake("systemctl", "[ $1 = show ] && echo 3; exit 0")
    said = service.run(restart(seconds=600))
    assert said.reason.startswith("ollama.service keeps failing and was restarted 3 times: Error: listen")


def test_a_start_that_systemd_refuses(service: Bench) -> None:
    service.fake("systemctl", "[ $1 != restart ]")
    said = service.run(restart())
    assert said.reason == "ollama.service does not start: Error: listen tcp: address already in use"


@pytest.mark.parametrize(
    ("serves", "says"),
    [
        ("1.0.0", "; put back, and the service answers again: ollama 1.0.0"),
        ("none", "; put back, and the service does not answer either: ollama 1.0.0: ollama.service keeps failing"),
    ],
)
def test_a_release_that_does_not_come_up_is_rolled_back(service: Bench, serves: str, says: str) -> None:
    releases = service.place / "releases"
    for version in ("1.0.0", "2.0.0"):
        (releases / version / "bin").mkdir(parents=True)
        (releases / version / "bin" / "ollama").touch(mode=0o755)
    (releases / "current").symlink_to("2.0.0")
    service.fake("curl", f'[ "$(readlink {releases}/current)" = {serves} ]')
    service.fake("systemctl", "[ $1 = show ] && echo 3; exit 0")
    said = service.run(restart(seconds=60, old="1.0.0", releases=str(releases)))
    assert said.code == 1, "the declared release does not run"
    assert said.reason.startswith("ollama.service keeps failing and was restarted 3 times: Error: listen")
    assert says in said.reason
    assert (releases / "current").readlink().name == "1.0.0"
    assert service.calls("systemctl").count("restart ollama.service") == 2


def test_without_an_old_release_there_is_no_way_back(service: Bench) -> None:
    service.fake("curl", "exit 7")
    service.fake("systemctl", "[ $1 = show ] && echo 3; exit 0")
    said = service.run(restart(seconds=60, old="1.0.0", releases=str(service.place)))
    assert "put back" not in said.reason
    assert service.calls("systemctl").count("restart ollama.service") == 1


def _drop_in(service: Bench, text: str) -> Path:
    file = service.place / "ollama.service.d" / "50-ongpu.conf"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(0o600)
    return file


def test_a_drop_in_that_breaks_the_service_is_put_back(service: Bench) -> None:
    file = _drop_in(service, "good")
    service.fake("curl", f'grep -q good {file} && echo "$*" >>{service.place}/asked')
    service.fake("systemctl", "[ $1 = show ] && echo 3; exit 0")
    assert service.run(restart(seconds=60, place=service.place)) == Said(0, "")
    kept = service.place / "last-good" / "50-ongpu.conf"
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("good", 0o600)
    _drop_in(service, "bad")
    said = service.run(restart(seconds=60, place=service.place))
    assert said.code == 1, "what is declared does not run"
    assert said.reason.startswith("ollama.service keeps failing")
    assert "; put back, and the service answers again: the previous 50-ongpu.conf (now: " in said.reason
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("good", 0o600)
    assert "http://127.0.0.1:9999/api/version" in (service.place / "asked").read_text(), "where it listened before"
    assert [call for call in service.calls("systemctl") if "show" not in call][-3:] == [
        "daemon-reload",
        "reset-failed ollama.service",
        "restart ollama.service",
    ]


def test_the_same_drop_in_is_not_put_back_and_started_again(service: Bench) -> None:
    _drop_in(service, "good")
    assert service.run(restart(seconds=60, place=service.place)) == Said(0, "")
    service.fake("curl", "exit 7")
    service.fake("systemctl", "[ $1 = show ] && echo 3; exit 0")
    before = service.calls("systemctl").count("restart ollama.service")
    assert "put back" not in service.run(restart(seconds=60, place=service.place)).reason
    assert service.calls("systemctl").count("restart ollama.service") == before + 1


def test_the_first_drop_in_of_a_service_that_ran_without_goes_away_again(service: Bench) -> None:
    file = _drop_in(service, "bad")
    service.fake("curl", f"[ ! -e {file} ]")
    service.fake("systemctl", "[ $1 = show ] && echo 3; exit 0")
    said = service.run(restart(seconds=60, place=service.place, bare="yes"))
    assert said.code == 1
    assert (
        "; put back, and the service answers again: the service without 50-ongpu.conf (kept as 50-ongpu.conf.failed)"
    ) in said.reason
    assert not file.exists()


def test_a_models_directory_that_the_user_may_not_write_stops_before_the_restart(service: Bench) -> None:
    place = service.place / "models"
    place.mkdir()
    service.fake("setpriv", "exit 1")
    said = service.run(restart(seconds=60, models_dir=str(place), user="ollama"))
    assert said.code == 1
    assert said.reason.startswith(f"the user ollama may not write the models directory {place}")
    assert said.reason.endswith("ollama.service was not restarted")
    assert "restart ollama.service" not in service.calls("systemctl")
    assert service.calls("setpriv")[0].startswith("--reuid ollama --regid ollama --init-groups sh -c ")
    service.fake("setpriv", 'shift 5; exec "$@"')
    assert service.run(restart(seconds=60, models_dir=str(place), user="ollama")).code == 0


def test_the_models_directory_is_made_once(service: Bench) -> None:
    place = service.place / "models"
    assert service.run(restart(seconds=60, models_dir=str(place))).code == 0
    place.chmod(0o700)
    assert service.run(restart(seconds=60, models_dir=str(place))).code == 0
    assert place.stat().st_mode & 0o777 == 0o700, "one that is there is left as it is"


def account(groups: str = "") -> Run:
    return shell.run("create", "account", USER="ollama", HOME_DIR="/usr/share/ollama", GROUPS_WANTED=groups)


def test_an_account_is_made_with_the_groups_that_exist(bench: Bench) -> None:
    bench.fake("getent", '[ "$1 $2" = "group render" ]')
    for name in ("useradd", "usermod"):
        bench.fake(name, "exit 0")
    assert bench.run(account()) == Said(0, "")
    (made,) = bench.calls("useradd")
    assert made.startswith("--system --shell ")
    assert made.endswith("--create-home --home-dir /usr/share/ollama --user-group ollama")
    assert bench.calls("usermod") == ["--append --groups render ollama"]


def test_an_account_that_is_there_only_gets_groups(bench: Bench) -> None:
    bench.fake("getent", "exit 0")
    for name in ("useradd", "usermod"):
        bench.fake(name, "exit 0")
    assert bench.run(account("gpu")).code == 0
    assert bench.calls("useradd") == []
    assert bench.calls("usermod")[-1] == "--append --groups gpu ollama"


def test_tools_are_installed_with_fresh_lists_only_where_needed(bench: Bench) -> None:
    bench.fake("apt-get", "exit 0")
    assert bench.run(APT.install_tools(["zstd"])).code == 0
    assert len(bench.calls("apt-get")) == 1
    bench.fake(
        "apt-get", f'case "$*" in *update*) touch {bench.place}/lists; exit 0 ;; esac\n[ -e {bench.place}/lists ]'
    )
    assert bench.run(APT.install_tools(["zstd"])).code == 0
    bench.fake("apt-get", "echo 'E: Unable to locate package zstd'; exit 100")
    assert bench.run(APT.install_tools(["zstd"])).code == 1
