"""A host in memory: gives snapshots, and takes what a plan's steps do to a host.

The meaning of each `Run` is told from its `what`; the shell itself is tested in test_shell.py.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ongpu.host import paths
from ongpu.host.boot import DkmsBuild, DkmsFailure, InstalledKernel, Kernels, ModuleFile, SecureBoot
from ongpu.host.gpu import (
    DeviceNode,
    DeviceNodes,
    DiskModule,
    Gpu,
    GpuInfo,
    GpuMemory,
    GpuPerformance,
    GpuProcess,
    GpuSettings,
    KernelModule,
    Libraries,
    Library,
    LoadedModule,
    Nvml,
    PciGpu,
)
from ongpu.host.ollama import (
    Account,
    Api,
    Journal,
    LibraryTree,
    LoadedModel,
    Model,
    OllamaBinary,
    OllamaInstall,
    Process,
    Runner,
    Service,
)
from ongpu.host.platform import Installers, RunFile
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.system import KernelLine, KernelLog, ManagedFile, ManagedFiles, Package, Packages, System
from ongpu.host.use import Client, DriverUse, Modprobe
from ongpu.plan import fix_drop_in
from ongpu.plan.distributions.apt import APT
from ongpu.plan.types import Change, Drain, Put, Reboot, Remove, Send, Step
from ongpu.probe import systemd

BOOT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
NA = Absent("[N/A]")
RUNNER = 900  # pid
GPU = "GPU-5b5f1a52-7a7c-4a2b-9f0e-1d2c3b4a5f60"
RTX_4060 = PciGpu(
    address="0000:01:00.0", device_id="0x2882", subsystem_id="0x1458:0x40d1", pci_class="0x030000", driver="nvidia"
)
TOOLS = ("curl", "zstd", "tar", "gzip", "sha256sum", "awk", "gpg", "update-ca-certificates")
FOREIGN_UNIT = "[Service]\nExecStart=/usr/local/bin/ollama serve\nUser=ollama\n"


class Killed(Exception):
    """The run was cut off in the middle of a step."""


@dataclass
class World:
    """Attributes are the host's state; `blind` names sections that cannot be read."""

    os: tuple[str, str] = ("debian", "12")
    arch: str = "x86_64"
    virtualization: str = "systemd-nspawn"
    kernel: str = "6.1.0-56-amd64"
    tools: set[str] = field(default_factory=lambda: set(TOOLS))
    gpus: tuple[PciGpu, ...] = (RTX_4060,)
    capability: str = "8.9"  # of each of them
    offered: tuple[str, ...] = ("570.195.03-1", "580.95.05-1", "590.44.01-1")  # by the repository
    listed: tuple[str, ...] = ()  # in apt's lists
    packages: dict[str, Package] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    loaded: str = ""
    uvm: bool = False
    nouveau: bool = False
    files: dict[str, tuple[str, str]] = field(default_factory=dict)  # path -> content, mode
    account: tuple[str, ...] | None = None  # groups
    kept: set[str] = field(default_factory=set)
    current: str = ""
    previous: str = ""
    binary: tuple[str, str] | None = None  # resolved, version
    leftover: str = ""  # in its lib/ollama, of another version
    fragment: str = ""  # of someone else's unit
    enabled: bool = False
    loaded_unit: bool = False
    loaded_drop_in: str = ""
    loaded_fix: str = ""
    other_drop_ins: dict[str, dict[str, str]] = field(default_factory=dict)
    process: dict[str, str] | None = None  # environment
    exe: str = ""
    runs: str = ""  # the running program's version
    started: datetime = BOOT
    store: dict[str, str] = field(default_factory=dict)  # name -> digest
    registry: dict[str, str] = field(default_factory=dict)
    resident: tuple[str, ...] = ()
    orphans: tuple[Runner, ...] = ()
    on_cpu: bool = False  # what is resident lies there
    always_on_cpu: bool = False  # for a reason that no restart mends; clients load the models again at once
    runner_started: datetime = BOOT
    models_dir: str = ""  # of the running process
    other_stores: dict[str, dict[str, str]] = field(default_factory=dict)
    kernel_lines: list[KernelLine] = field(default_factory=list)
    journal: tuple[str, ...] = ()
    clock: datetime = BOOT + timedelta(hours=1)
    boots: int = 1
    blind: dict[str, Unreadable] = field(default_factory=dict)
    packaging: tuple[str, ...] = ()
    foreign_program: str = paths.BINARY  # what someone else's unit starts
    hardening: dict[str, str] = field(default_factory=dict)  # as `systemctl show` prints it
    hardened_later: tuple[str, ...] = ()  # by a drop-in after ours
    environment_file: dict[str, str] = field(default_factory=dict)  # beats every Environment=
    api_is_down: bool = False
    exe_reading: Unreadable | None = None  # the program of the process cannot be seen
    initramfs: bool = False  # has our blacklist
    stubborn: bool = False  # whatever one does, nouveau has the GPU after a reboot
    holds: bool = False  # a client that nobody saw holds the module
    clients: tuple[GpuProcess, ...] = ()  # of others
    runfile: bool = False
    recovery: str = "None"  # what the driver asks for
    console: bool = False  # on the GPU
    next_kernel: str = ""
    built_for_next: str = ""  # the driver's version
    fails_for_next: bool = False
    tried_for_next: bool = False
    firmware: SecureBoot | None = None
    signer: str = "DKMS module signing key"
    apt_dies: bool = False  # the next installation is cut off half way

    # -- what a look shows ------------------------------------------------------------------------------------

    def snapshot(self) -> HostSnapshot:
        sections = {
            "system": Known(self._system(), "uname"),
            "pci": Known(self.gpus, "/sys"),
            "module": Known(self._module(), "/sys/module"),
            "libraries": Known(self._libraries(), "ldconfig"),
            "packages": Known(self._packages(), "dpkg-query"),
            "nodes": Known(self._nodes(), "stat"),
            "nvml": Known(self._nvml(), "nvidia-smi"),
            "kernel_log": Known(KernelLog(lines=tuple(self.kernel_lines), xids=()), "journalctl -k"),
            "ollama": self._ollama(),
            "service": Known(self._service(), "systemctl show"),
            "api": self._api(),
            "journal": Known(Journal(lines=self.journal, truncated=False, suppressed=0), "journalctl"),
            "installers": Known(
                Installers(automatic=Known((), "apt-config"), runfile=self._runfile()), "/usr/bin/nvidia-uninstall"
            ),
            "use": Known(self._use(), "/proc/*/fd"),
            "kernels": Known(self._kernels(), "/lib/modules"),
            "secure_boot": Known(self.firmware, "efivarfs") if self.firmware else Absent("not booted through EFI"),
            "modprobe": Known(Modprobe(lines=(), parameters=Known((), "/proc/cmdline")), "/etc/modprobe.d"),
            "files": Known(ManagedFiles(files={path: self._file(path) for path in paths.MANAGED}), "stat"),
        }
        return HostSnapshot(**(sections | self.blind))  # type: ignore[arg-type]

    def _system(self) -> System:
        named = {"debian": "Debian GNU/Linux", "ubuntu": "Ubuntu", "void": "Void Linux"}[self.os[0]]
        return System(
            hostname="gpu01",
            os_id=self.os[0],
            os_version=self.os[1],
            os_name=f"{named} {self.os[1]}",
            os_like=(),
            kernel=self.kernel,
            arch=self.arch,
            boot_id=Known(f"boot-{self.boots}", "/proc"),
            booted_at=Known(BOOT, "/proc/uptime"),
            clock=self.clock,
            user="root",
            uid=0,
            virtualization=Known(self.virtualization, "systemd-detect-virt"),
            memory_bytes=Known(16 << 30, "/proc/meminfo"),
            disks=(),
            tools={name: name in self.tools for name in TOOLS},
            init_systemd=True,
            reboot_required=False,
        )

    def _module(self) -> KernelModule:
        disk = self.driver_version("nvidia-kernel-open-dkms")
        on_disk = DiskModule(name="nvidia", version=disk, flavour="open", path="/lib/modules/x/nvidia.ko")
        loaded = LoadedModule(version=self.loaded, flavour="open")
        return KernelModule(
            loaded=Known(loaded, "/sys/module") if self.loaded else Absent("/sys/module/nvidia is not there"),
            on_disk=Known(on_disk, "modinfo") if disk else Absent("modinfo finds no nvidia"),
            uvm_loaded=Known(self.uvm, "/sys/module"),
            nouveau_loaded=Known(self.nouveau, "/sys/module"),
            users=Known(0, "/sys/module"),
        )

    def _runfile(self) -> Reading[RunFile]:
        found = RunFile(uninstaller="/usr/bin/nvidia-uninstall", version=self.loaded)
        return Known(found, "/usr/bin") if self.runfile else Absent("no trace of NVIDIA's .run installer")

    def _use(self) -> DriverUse:
        clients = [Client(pid=811, name="nvidia-persistenced", unit="nvidia-persistenced.service", **OPEN)]
        if self.process is not None and self.resident and not self.on_cpu:
            clients.append(Client(pid=RUNNER, name="llama-server", unit="ollama.service", **OPEN))
        return DriverUse(
            modules=Known({}, "/sys/module"),
            clients=Known(tuple(clients) if self.loaded else (), "/proc/*/fd"),
            drm=Known((), "/sys/class/drm"),
            framebuffers=Known(("nvidia-drmdrmfb",) if self.console else (), "/proc/fb"),
            rivals=Known(("nouveau",) if self.nouveau else (), "/sys/module"),
        )

    def _kernels(self) -> Kernels:
        version = self.driver_version("nvidia-kernel-open-dkms") or self.driver_version("nvidia-kernel-dkms")
        found = {self.kernel: version}
        if self.next_kernel:
            found[self.next_kernel] = self.built_for_next
        installed = tuple(
            InstalledKernel(
                release=release,
                bootable=True,
                headers=True,
                module=Known(_module_file(release, built, self.signer), "modinfo") if built else Absent("no module"),
            )
            for release, built in found.items()
        )
        build = DkmsBuild(name="nvidia", version=version, kernel=self.kernel, state="installed")
        failure = DkmsFailure(
            name="nvidia", version=version, kernel=self.next_kernel, log="/make.log", lines=("nv.c:1: error: too few",)
        )
        return Kernels(
            running=self.kernel,
            next_boot=Known(self.next_kernel or self.kernel, "the highest installed kernel"),
            installed=installed,
            dkms=(build,) if version else (),
            failures=(failure,) if self.next_kernel and self.fails_for_next and self.tried_for_next else (),
        )

    def _libraries(self) -> Libraries:
        version = self.driver_version("nvidia-driver-cuda")
        library = Library(path="/usr/lib/libnvidia-ml.so.1", resolved=f"libnvidia-ml.so.{version}", version=version)
        reading: Reading[Library] = Known(library, "ldconfig") if version else Absent("not on the loader path")
        return Libraries(nvml=reading, cuda=reading)

    def _packages(self) -> Packages:
        candidates = {}
        for name in ("nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-kernel-dkms", "nvidia-open"):
            versions = [v for v in self.listed if not (pin := self._pinned()) or v.startswith(pin)] or self.listed
            installed = [self.packages[name].version] if name in self.packages else []
            if both := [*versions, *installed]:
                candidates[name] = max(both)
        broken = tuple(p.name for p in self.packages.values() if not p.is_sound)
        return Packages(
            manager="apt",
            installed=tuple(self.packages.values()),
            candidates=candidates,
            sources=self.sources,
            broken=broken,
        )

    def _pinned(self) -> str:
        found = re.search(r"^Pin: version (.*)\*$", self.files.get(paths.APT_PIN, ("", ""))[0], re.MULTILINE)
        return found[1] if found else ""

    def _nodes(self) -> DeviceNodes:
        names = {"nvidia0": 195, "nvidiactl": 195, **({"nvidia-uvm": 511} if self.uvm else {})}
        nodes = tuple(
            DeviceNode(path=f"/dev/{name}", mode="0666", owner="root", group="root", major=major, minor=0)
            for name, major in names.items()
        )
        return DeviceNodes(
            nodes=nodes if self.loaded else (),
            service_user=Known("ollama", "test") if self.account is not None else Absent("there is no unit"),
            service_user_may_open=Known(True, "stat") if self.loaded else Absent("no nodes"),
        )

    def _nvml(self) -> Nvml:
        version = self.driver_version("nvidia-driver-cuda") or self.loaded
        if not self.loaded or version != self.loaded:
            words = "Driver/library version mismatch" if self.loaded else "couldn't communicate with the driver"
            gone = Unreadable(words)
            return Nvml(
                exit_code=18 if self.loaded else 9,
                message=words,
                driver_version=gone,
                cuda_version=gone,
                gpus=gone,
                processes=gone,
            )
        return Nvml(
            exit_code=0,
            message="",
            driver_version=Known(self.loaded, "nvidia-smi"),
            cuda_version=Known("13.0", "nvidia-smi"),
            gpus=Known(
                tuple(_gpu(index, gpu, self.capability, self.recovery) for index, gpu in enumerate(self.gpus)),
                "nvidia-smi",
            ),
            processes=Known(self._on_gpu(), "nvidia-smi"),
        )

    def _on_gpu(self) -> tuple[GpuProcess, ...]:
        if not self.resident or self.on_cpu:
            return self.clients
        return (
            *self.clients,
            GpuProcess(pid=RUNNER, name="llama-server", gpu_uuid=GPU, used_bytes=Known(1 << 30, "nvidia-smi")),
        )

    def _ollama(self) -> Reading[OllamaInstall]:
        binaries, trees = (), ()
        if self.binary:
            resolved, version = self.binary
            root = resolved.rpartition("/bin/")[0]
            binaries = (OllamaBinary(path=paths.BINARY, resolved=resolved, version=Known(version, "--version")),)
            tree = LibraryTree(
                path=f"{root}/lib/ollama",
                entries=("cuda_v13/", *((self.leftover,) if self.leftover else ())),
                backends=("cuda_v13",),
            )
            trees = (tree,)
        account = Account(name="ollama", uid=999, home="/usr/share/ollama", groups=self.account or ())
        install = OllamaInstall(
            binaries=binaries,
            trees=trees,
            release=Known(self.current, paths.CURRENT) if self.current else Absent(f"no {paths.CURRENT}"),
            kept=tuple(sorted(self.kept)),
            account=Known(account, "getent") if self.account is not None else Absent("no such account"),
            packaging=self.packaging,
            previous=self.previous,
        )
        if not binaries and not self.kept and self.account is None and not self.packaging:
            return Absent("no Ollama binary, library tree, account or package")
        return Known(install, "file system")

    def _service(self) -> Service:
        fragment = self.fragment or (paths.UNIT_FILE if self.loaded_unit else "")
        running = self.process is not None
        return Service(
            load_state="loaded" if fragment else "not-found",
            active_state="active" if running else "inactive",
            sub_state="running" if running else "dead",
            enabled=("enabled" if self.enabled else "disabled") if fragment else "",
            fragment=fragment,
            drop_ins=tuple(sorted([*self.other_drop_ins, *self._own_drop_ins()])),
            needs_reload=bool(fragment) and self.loaded_drop_in != self.files.get(paths.DROP_IN, ("", ""))[0],
            user="ollama" if fragment else "",
            group="ollama" if fragment else "",
            exec_start=f"{self._program()} serve" if fragment else "",
            environment=self.effective(),
            environment_files=("/etc/default/ollama",) if self.environment_file else (),
            properties=self._properties(),
            main_pid=725 if running else 0,
            started_at=Known(self.started, "systemctl") if running else Absent("not started"),
            restarts=0,
            invocation_id="1",
            main=Known(self._process(), "/proc/725") if running else Absent("no main process"),
            runners=Known(((self._runner(),) if running and self.resident else ()) + self.orphans, "/proc"),
        )

    def _own_drop_ins(self) -> list[str]:
        fix = [paths.FIX_DROP_IN] if self.loaded_fix else []
        return [*([paths.DROP_IN] if self.loaded_drop_in else []), *fix]

    def _properties(self) -> dict[str, str]:
        """Hardening of other people's files, as our drop-in and theirs that come later leave it."""
        shown = dict(self.hardening)
        for line in self.loaded_drop_in.splitlines():
            name, _, value = line.partition("=")
            if name in shown and name not in self.hardened_later:
                shown[name] = f"{shown[name]}\n{value}".strip() if name == "DeviceAllow" else value
        return shown

    def _process(self) -> Process:
        return Process(
            pid=725,
            parent_pid=1,
            user="ollama",
            exe=self.exe_reading or Known(self.exe, "/proc/725/exe"),
            command=("/usr/local/bin/ollama", "serve"),
            environ=Known(dict(self.process or {}), "/proc/725/environ"),
            started_at=Known(self.started, "/proc"),
        )

    def _runner(self) -> Runner:
        process = Process(
            pid=RUNNER,
            parent_pid=725,
            user="ollama",
            exe=Known("/opt/ongpu/ollama/current/lib/ollama/llama-server", "/proc"),
            command=("llama-server", "--model", "/blob"),
            environ=Known(dict(self.process or {}), "/proc"),
            started_at=Known(self.runner_started, "/proc"),
        )
        return Runner(process=process, model_path="/blob", port=40001, orphan=False)

    def _program(self) -> str:
        own = re.search(r"^ExecStart=(\S+) serve$", self.loaded_drop_in, re.MULTILINE)
        return own[1] if own else self.foreign_program if self.fragment else paths.BINARY

    def effective(self) -> dict[str, str]:
        """What systemd would start the service with: unit files in the order of their names."""
        texts = {paths.DROP_IN: environment_of(self.loaded_drop_in)} | self.other_drop_ins
        merged: dict[str, str] = {}
        for path in sorted(texts):
            merged |= texts[path]
        fix = fix_drop_in.parse(self.loaded_fix)  # it sorts after everybody's
        return {name: value for name, value in (merged | dict(fix.values)).items() if name not in fix.unset}

    def _api(self) -> Reading[Api]:
        if self.process is None or self.api_is_down:
            return Absent("nothing listens on 127.0.0.1:11434")
        models = tuple(
            Model(
                name=name,
                digest=digest,
                size_bytes=5 << 30,
                family="llama",
                parameter_size="8B",
                quantization="Q4_K_M",
                remote=False,
            )
            for name, digest in self.store.items()
        )
        loaded = tuple(
            LoadedModel(
                name=name,
                digest=self.store[name],
                size_bytes=1,
                size_vram_bytes=0 if self.on_cpu else 1,
                context_length=8192,
                expires_at="",
            )
            for name in self.resident
            if name in self.store
        )
        return Known(
            Api(
                endpoint="http://127.0.0.1:11434",
                version=Known(self.runs, "/api/version"),
                models=Known(models, "/api/tags"),
                loaded=Known(loaded, "/api/ps"),
            ),
            "curl",
        )

    def _file(self, path: str) -> Reading[ManagedFile]:
        if path == paths.UNIT_FILE and self.fragment == path:
            content, mode = FOREIGN_UNIT, "0644"
        elif path not in self.files:
            return Absent(f"no {path}")
        else:
            content, mode = self.files[path]
        file = ManagedFile(
            path=path,
            sha256=hashlib.sha256(content.encode()).hexdigest(),
            mode=mode.lstrip("0"),
            owner="root",
            group="root",
            ours=paths.HEADER in content,
            content=Known(content, path),
        )
        return Known(file, path)

    def driver_answers(self) -> bool:
        """What nvidia-smi would say, in one word."""
        gpus = self._nvml().gpus
        return isinstance(gpus, Known) and bool(gpus.value)

    def driver_version(self, name: str) -> str:
        package = self.packages.get(name)
        return package.version.rpartition("-")[0] if package else ""

    # -- what steps do ----------------------------------------------------------------------------------------

    def apply(self, change: Change, steps: int | None = None) -> None:
        """The first `steps` steps of a change (all: None), as if the run was killed after them."""
        self.clock += timedelta(minutes=1)
        for step in change.steps[:steps]:
            self._do(step)

    def _do(self, step: Step) -> None:
        match step:
            case Put():
                self.files[step.path] = (step.content, step.mode)
            case Remove():
                self.files.pop(step.path, None)
            case Drain():
                self.resident = ()  # what was served has ended, or the engine would have refused
            case Reboot():
                self._reboot()
            case Send():
                pass
            case _:
                self._run(step.what, step.stdin or step.command)

    def _run(self, what: str, script: str) -> None:
        value = variables(script)
        match what.split(" ")[0]:
            case "read":
                self.listed = self.offered
            case "add":
                if "add the" not in what and "add ollama" not in what:
                    assert paths.APT_SOURCE in self.files
            case "install" if "INSTALL" not in value:
                packages = set(value["PACKAGES"].split())
                self.tools |= {tool for tool in TOOLS if set(APT.tools([tool])) <= packages}
            case "install" if "BACK" in value:
                if not self._installs_and_builds(value):
                    raise Killed
            case "install":
                self._install(value)
            case "hold":
                for name in what.removeprefix("hold ").split(", "):
                    self._hold(name)
            case "load":
                self._load()
            case "replace" | "exchange":
                self._exchange(value)
            case "confirm":
                self._load()
                self._settle()
            case "initialise":
                pass
            case "put":
                self.initramfs = True
            case "build":
                self._build_for_next()
            case "create":
                self.account = ("ollama", "render", "video")
            case "fetch":
                assert value["ONLY"], "keys come from the inventory in these tests"
            case "download" | "find":
                pass
            case "unpack":
                self.kept.add(value["VERSION"])
            case "switch":
                self.previous = self.previous if value["VERSION"] == self.current else self.current
                self.current = value["VERSION"]
                self.binary = (f"{paths.RELEASES}/{self.current}/bin/ollama", self.current)
            case "reload":
                self._reload()
            case "restart" | "start" | "enable":
                self._reload()
                self.enabled = True
                if value["VERB"]:
                    self._start()
            case "end":
                self.orphans = ()
            case "pull":
                name = value["NAME"]
                self.store[name] = self.registry.get(name, "a" * 64)
            case "make":
                self._make(value)
            case "remove" if "OLD" in value:
                assert self.exe.split("/")[-3] not in value["OLD"].split()
                self.kept -= set(value["OLD"].split())
            case "remove":
                assert value["NAME"] not in self.resident
                del self.store[value["NAME"]]
            case _:
                raise AssertionError(f"what does this do? {what}")

    def _make(self, value: dict[str, str]) -> None:
        assert value["BASE"] in self.store
        digest = hashlib.sha256((value["BODY"] + self.store[value["BASE"]]).encode()).hexdigest()
        self.store[value["NAME"]] = digest
        old = self.files.get(paths.DERIVED, ("", ""))[0].splitlines()
        kept = [line for line in old if line and not line.startswith(("#", value["NAME"] + " "))]
        line = f"{value['NAME']} {digest} {value['DEFINITION']} {self.store[value['BASE']]}"
        self.files[paths.DERIVED] = ("\n".join([f"# {paths.HEADER}", *kept, line]) + "\n", "0644")

    def _install(self, value: dict[str, str]) -> None:
        if value["UNINSTALLER"]:
            self.runfile = False
        for word in value["INSTALL"].split():
            name, _, version = word.partition("=")
            known = (*self.listed, *(package.version for package in self.packages.values()))
            exact = version if version in known else max(v for v in self.listed if v.startswith(version[:-1]))
            status = "iF" if self.apt_dies else "ii"
            for part in (name, "libnvidia-ml1", "libcuda1"):
                self.packages[part] = Package(name=part, version=exact, status=status, held=False)
        if self.apt_dies:
            self.apt_dies = False
            raise Killed
        if value["HOLD"]:
            for name in list(self.packages):
                self._hold(name)

    def _hold(self, name: str) -> None:
        package = self.packages[name]
        self.packages[name] = Package(name=name, version=package.version, status="hi", held=True)

    def _exchange(self, value: dict[str, str]) -> None:
        running, self.process = self.process is not None, None
        if self.holds:  # the kernel refuses, and everything is started again
            note = f"why: in use\nboot: boot-{self.boots}\n"
            self.files[paths.RELOAD_FAILED] = (note, "0644")
        else:
            self.loaded, self.uvm = "", False
            self.files[paths.STOPPED_UNITS] = ("ollama.service\n", "0644")
            done = self._installs_and_builds(value) if value["INSTALL"] else True
            self._load()
            self._settle()
        if running and self.binary:  # without its program it does not start, which is the restart's business
            self._start()
        if self.holds or not done:
            raise Killed

    def _installs_and_builds(self, value: dict[str, str]) -> bool:
        """False: it does not run here, and the packages are the old ones again."""
        before = dict(self.packages)
        self._install(variables(value["INSTALL"]))
        if value["BUILD"] and self.fails_for_next:
            self.packages = before
            self.files[paths.SWITCH_FAILED] = (f"to: {value['TO']}\nwhy: it does not build\n", "0644")
            return False
        if value["BUILD"]:
            self._build_for_next()
        return True

    def _build_for_next(self) -> None:
        self.tried_for_next = True
        if self.fails_for_next:
            raise Killed
        self.built_for_next = self.driver_version("nvidia-kernel-open-dkms")

    def _settle(self) -> None:
        for note in (paths.STOPPED_UNITS, paths.RELOAD_FAILED, paths.REBOOTED):  # as NOTES
            self.files.pop(note, None)

    def _load(self) -> None:
        if self.nouveau:
            raise Killed  # "No such device": the GPU is another driver's
        if not self.loaded:
            self.loaded = self.driver_version("nvidia-kernel-open-dkms")
            text = f"NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  {self.loaded}"
            self.kernel_lines.append(KernelLine(at=self.clock, text=text))
        self.uvm = True

    def _reload(self) -> None:
        self.loaded_unit = paths.UNIT_FILE in self.files
        self.loaded_drop_in = self.files.get(paths.DROP_IN, ("", ""))[0]
        self.loaded_fix = self.files.get(paths.FIX_DROP_IN, ("", ""))[0]

    def _start(self) -> None:
        assert self.account is not None
        assert self.binary
        self.clock += timedelta(seconds=30)
        exe = self.binary[0] if self._program() == paths.BINARY else self._program()
        unset = fix_drop_in.parse(self.loaded_fix).unset
        environment = {k: v for k, v in (self.effective() | self.environment_file).items() if k not in unset}
        self.process, self.exe, self.started = environment, exe, self.clock
        self.api_is_down = False
        self.runs = self.binary[1]
        self.resident, self.on_cpu = (), False
        self._open_store(self.process.get("OLLAMA_MODELS", ""))
        if self.always_on_cpu:
            self.load_on_cpu()

    def _open_store(self, directory: str) -> None:
        if directory != self.models_dir:
            self.other_stores[self.models_dir] = self.store
            self.models_dir, self.store = directory, self.other_stores.pop(directory, {})

    def load_on_cpu(self) -> None:
        self.resident, self.on_cpu, self.runner_started = tuple(self.store), True, self.clock

    def refuse(self, client: str = "nvidia-smi", pid: int = 4711) -> None:
        """The driver's libraries and its module do not match at this moment."""
        self.clock += timedelta(seconds=5)
        text = f"NVRM: API mismatch: the client '{client}' (pid {pid})"
        self.kernel_lines.append(KernelLine(at=self.clock, text=text))
        self.clock += timedelta(minutes=5)

    def _reboot(self) -> None:
        self.boots += 1
        self.clock += timedelta(minutes=2)
        self.loaded, self.uvm, self.kernel_lines = "", False, []
        self.clients, self.holds = (), False
        self.nouveau = self.nouveau and (self.stubborn or not self.initramfs)
        if paths.MODULES_LOAD in self.files and not self.nouveau:
            self._load()
        self._reload()
        self.process = None
        if self.enabled and self.binary:
            self._start()


OPEN: dict[str, Any] = {"cgroup": "/system.slice", "devices": ("/dev/nvidia0",)}


def _module_file(release: str, version: str, signer: str) -> ModuleFile:
    return ModuleFile(
        path=f"/lib/modules/{release}/updates/dkms/nvidia.ko",
        name="nvidia",
        version=version,
        flavour="open",
        signer=Known(signer, "modinfo") if signer else Absent("no signature"),
        sig_key="",
    )


def client(name: str) -> GpuProcess:
    """Somebody else's program on the GPU."""
    return GpuProcess(pid=4711, name=f"/usr/bin/{name}", gpu_uuid=GPU, used_bytes=Known(1 << 30, "nvidia-smi"))


_SETTING = re.compile(r"([A-Z][A-Z_]*)=((?:'[^']*'|\"'\"|[^\s'\"])*)\n")  # as shlex.quote writes it


def variables(script: str) -> dict[str, str]:
    """The settings at a script's beginning (`ongpu.plan.shell.script`)."""
    at = script.find("set -eu\n") + len("set -eu\n")
    found = {}
    while setting := _SETTING.match(script, at):
        found[setting[1]] = "".join(shlex.split(setting[2]))
        at = setting.end()
    return found


def environment_of(drop_in: str) -> dict[str, str]:
    """The variables of a drop-in as systemd would read them (our own subset of systemd.syntax)."""
    found: dict[str, str] = {}
    for line in drop_in.splitlines():
        if line.startswith("Environment="):
            for word in systemd.words(line.removeprefix("Environment=")):
                name, _, value = word.partition("=")
                found[name] = value.replace("%%", "%")
    return found


def _gpu(index: int, pci: PciGpu, capability: str, recovery: str) -> Gpu:
    uuid = GPU if index == 0 else GPU[:-2] + f"{index:02d}"
    info = GpuInfo(
        index=index,
        uuid=uuid,
        name="NVIDIA GeForce RTX 4060",
        pci_address=pci.address,
        compute_capability=Known(capability, "nvidia-smi"),
        persistence=NA,
        mig=NA,
        compute_mode=NA,
        vbios=NA,
    )
    memory = GpuMemory(total_bytes=Known(8 << 30, "nvidia-smi"), used_bytes=NA, free_bytes=NA)
    performance = GpuPerformance(**dict.fromkeys(GpuPerformance.__dataclass_fields__, NA))
    settings = GpuSettings(recovery_action=Known(recovery, "nvidia-smi"))
    return Gpu(info=info, memory=memory, performance=performance, settings=settings)
