"""The declared state of one host, after all merging. The single source of the published schema.

Field descriptions are the reference documentation; they appear in inventory/schema.json and in editors.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from ongpu.spec import ollama_variables, values, variables
from ongpu.spec.served import ModelSpec as ModelSpec
from ongpu.spec.served import Sha256, one_name_per_file
from ongpu.spec.settings import STRICT, Cuda, DriverSettings
from ongpu.spec.watch import DURATION, Watch

# What an editor may check while one types; the validators say the rest.
_SHARE = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%?$"}]}
_VERSION = {"type": "string", "pattern": "^v?[0-9]"}
_BRANCH = {"type": "string", "pattern": "^(auto|v?[0-9].*)$"}
_ENVIRONMENT = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}

Share = Annotated[str, BeforeValidator(values.share), WithJsonSchema(_SHARE)]
VersionText = Annotated[str, BeforeValidator(values.version), WithJsonSchema(_VERSION)]
BranchText = Annotated[str, BeforeValidator(values.branch), WithJsonSchema(_BRANCH)]


class Strict(BaseModel):
    """Unknown keys are errors; values never change after loading."""

    model_config = STRICT


class Ssh(Strict):
    """How to reach the host; everything left out comes from ssh_config and pyinfra's defaults."""

    hostname: Annotated[str | None, Field(description="Address to connect to; default: the host's name.")] = None
    user: str | None = None
    port: Annotated[int | None, Field(ge=1, le=65535)] = None
    key: Annotated[str | None, Field(description="Private key file.")] = None
    config: Annotated[str | None, Field(description="ssh_config file (ProxyJump, ProxyCommand, ...).")] = None
    known_hosts: Annotated[str | None, Field(description="known_hosts file.")] = None
    sudo: Annotated[bool, Field(description="Become root with sudo (non-interactive).")] = False


class Repository(Strict):
    """A package repository in NVIDIA's layout; default: NVIDIA's own for the host's distribution."""

    url: Annotated[
        Annotated[str, AfterValidator(values.url)] | None,
        Field(description="https URL of the directory that holds InRelease."),
    ] = None
    key: Annotated[
        str | None, Field(description="File on the controller with the repository's armoured public key.")
    ] = None
    key_fingerprint: Annotated[
        Annotated[str, AfterValidator(values.fingerprint)] | None,
        Field(description="Fingerprint that the key fetched from the repository must have."),
    ] = None
    key_text: Annotated[str | None, Field(exclude=True, description="Content of `key`; filled by the loader.")] = None


class Driver(Strict):
    """The NVIDIA driver. `manage: false` = verify only."""

    manage: bool = True
    branch: Annotated[
        BranchText,
        Field(
            description='Driver branch such as "580", an exact version, or auto: the branch that is there if it will '
            "do, else one that drives the GPUs and serves Ollama."
        ),
    ] = "580"
    modules: Annotated[Literal["auto", "open", "proprietary"], Field(description="Kernel module flavour.")] = "auto"
    source: Literal["nvidia", "distro"] = "nvidia"
    repository: Repository = Repository()
    replace: Annotated[
        bool,
        Field(
            description="Take the place of a driver that came another way (NVIDIA's .run installer, other packages)."
        ),
    ] = False
    hold: Annotated[bool, Field(description="Hold the driver packages against upgrades.")] = True
    settings: DriverSettings = DriverSettings()
    reboot: Annotated[
        Literal["never", "bootstrap", "window"],
        Field(description="bootstrap: only while no NVIDIA driver works and nothing is served."),
    ] = "bootstrap"

    @model_validator(mode="after")
    def _managed(self) -> Self:
        if not self.manage and self.settings != DriverSettings():
            raise ValueError("driver.settings needs driver.manage: true; `settings: null` drops what a group declares")
        return self


class ServicePolicy(Strict):
    """When and how the running service may be interrupted."""

    window: Annotated[
        Annotated[str, AfterValidator(values.window)] | None,
        Field(description='Maintenance window, e.g. "Sat 02:00-05:00 Europe/Berlin"; default: always.'),
    ] = None
    drain: Annotated[
        timedelta,
        BeforeValidator(values.duration),
        WithJsonSchema(DURATION),
        Field(description="How long to wait until nothing is served."),
    ] = timedelta(minutes=10)
    max_unavailable: Annotated[
        Share, Field(description="Hosts that may be restarted at the same time: a number or a share (5%).")
    ] = "25%"


class Ollama(Strict):
    """The Ollama release, where it listens, and its environment."""

    manage: bool = True
    state: Annotated[
        Literal["present", "absent"],
        Field(description="absent: what ongpu has installed of Ollama is stopped and removed; models stay."),
    ] = "present"
    release: Annotated[VersionText, Field(description="Version without v, e.g. 0.32.15.")]
    replace: Annotated[
        bool,
        Field(
            description="Have the service of a distribution's package (deb, rpm, pacman) run ongpu's release; the "
            "package, its unit and its models stay as they are."
        ),
    ] = False
    addons: Annotated[
        list[Literal["rocm", "mlx", "jetpack5", "jetpack6"]],
        Field(description="Further archives of the release; a Jetson's JetPack is found by itself."),
    ] = []
    listen: Annotated[str, AfterValidator(values.listen), Field(description="address:port for OLLAMA_HOST.")] = (
        "127.0.0.1:11434"
    )
    open: Annotated[
        bool,
        Field(description="Listening on every address is meant: Ollama serves whoever reaches it."),
    ] = False
    models_dir: Annotated[
        Annotated[str, AfterValidator(values.directory)] | None,
        Field(description="OLLAMA_MODELS; default: in the service user's home."),
    ] = None
    gpus: Annotated[
        Literal["all"] | list[str],
        BeforeValidator(values.gpus),
        Field(description="all, or a list of GPU UUIDs or PCI addresses."),
    ] = "all"
    env: Annotated[
        dict[str, Any],
        AfterValidator(variables.environment),
        WithJsonSchema(_ENVIRONMENT),
        Field(description="Environment of the service; what the declared release would not read is an error."),
    ] = {}
    prune: Annotated[
        bool, Field(description="Remove models from the store that are not declared; never one that is loaded.")
    ] = False

    @property
    def wanted(self) -> bool:
        """Is Ollama to be here, and ongpu's to look after?"""
        return self.manage and self.state == "present"

    @model_validator(mode="after")
    def _fits_the_release(self) -> Self:
        values.reachable(self.listen, self.open)
        ollama_variables.check(self.release, self.env)
        return self


class Expect(Strict):
    """What must be there; less is a finding."""

    gpus: Annotated[int | None, Field(ge=0, description="Number of GPUs.")] = None
    name: Annotated[str | None, Field(description="Text that each GPU's name contains, e.g. H100.")] = None


class Release(Strict):
    """Checksums of one version, and optionally where to fetch it."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    amd64: Sha256 | None = None
    arm64: Sha256 | None = None
    files: Annotated[
        dict[str, Sha256], Field(description="Checksums of add-ons: ollama-linux-amd64-rocm.tar.zst: sha256:...")
    ] = {}
    from_: Annotated[
        Annotated[str, AfterValidator(values.release_source)] | None,
        Field(
            alias="from",
            description="Base URL that holds the release's files, or a directory of the controller (./ollama): its "
            "files are then copied over SSH, for hosts that reach no server.",
        ),
    ] = None


class Releases(Strict):
    ollama: dict[str, Release] = {}


class Rollout(Strict):
    """How `ongpu apply` goes through the fleet. Shares are of the hosts of the run."""

    canary: list[str] = []
    batches: list[Share] = ["100%"]
    max_failures: Share = "0"
    max_pulls: Annotated[int, Field(ge=1)] = 20


class HostSpec(Strict):
    """One host, merged: defaults < groups in order < host. `models: {}` is fine (driver and service only)."""

    name: str
    groups: list[str] = []
    ssh: Ssh = Ssh()
    driver: Driver = Driver()
    cuda: Cuda = Cuda()
    service: ServicePolicy = ServicePolicy()
    ollama: Ollama
    models: Annotated[
        dict[Annotated[str, AfterValidator(values.model)], ModelSpec], AfterValidator(one_name_per_file)
    ] = {}
    expect: Expect = Expect()
    watch: Watch | None = None
    releases: Releases = Releases()
    rollout: Rollout = Rollout()
    origin: Annotated[str, Field(description="file:line of the host in the inventory.")] = ""

    @model_validator(mode="after")
    def _needs_ollama_for_models(self) -> Self:
        if self.models and self.ollama.state == "absent":
            raise ValueError(
                "ollama.state is absent, but models are declared: remove them here with `null`, or say present"
            )
        return self
