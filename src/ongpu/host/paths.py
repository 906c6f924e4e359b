"""Where things are on a managed host. The one list of files that ongpu owns (design D7)."""

from __future__ import annotations

UNIT = "ollama.service"
UNIT_FILE = "/etc/systemd/system/ollama.service"
DROP_IN_DIR = "/etc/systemd/system/ollama.service.d"
DROP_IN = f"{DROP_IN_DIR}/50-ongpu.conf"
FIX_DROP_IN = f"{DROP_IN_DIR}/zz-ongpu-fix.conf"  # by `ongpu fix`: after everybody's, so that it beats them

RELEASES = "/opt/ongpu/ollama"  # one directory per version; `current` links to the one in use
CURRENT = f"{RELEASES}/current"
PREVIOUS = f"{RELEASES}/previous"  # links to the one that was in use before
BINARY = "/usr/local/bin/ollama"

STATE_DIR = "/var/lib/ongpu"  # locks, and previous versions of files that we replaced
BACKUPS = f"{STATE_DIR}/backups"
LOCK = f"{STATE_DIR}/lock"
STOPPED_UNITS = f"{STATE_DIR}/stopped-units"  # those that hold the GPU and wait for the driver's exchange
RELOAD_FAILED = f"{STATE_DIR}/reload-failed"  # the boot in which the module could not be unloaded
SWITCH_FAILED = f"{STATE_DIR}/switch-failed"  # the driver that does not run on this host, and why
REBOOTED = f"{STATE_DIR}/rebooted"  # what a reboot was made for, and in which boot it was ordered
REPLACED = f"{STATE_DIR}/last-good/binary"  # names the kept copy of the program that BINARY was before it was ours
LAST_GOOD = f"{STATE_DIR}/last-good/50-ongpu.conf"  # the drop-in with which the service answered last
DERIVED = f"{STATE_DIR}/derived-models"  # a line each: name, its digest, what it was made of, its base's digest

APT_SOURCE = "/etc/apt/sources.list.d/ongpu-nvidia.sources"
APT_PIN = "/etc/apt/preferences.d/ongpu-nvidia"
APT_KEYRING = "/etc/apt/keyrings/ongpu-nvidia.asc"
DNF_SOURCE = "/etc/yum.repos.d/ongpu-nvidia.repo"
ZYPP_SOURCE = "/etc/zypp/repos.d/ongpu-nvidia.repo"
RPM_KEY = "/etc/pki/rpm-gpg/RPM-GPG-KEY-ongpu-nvidia"
OFFERS = f"{STATE_DIR}/offers"  # rpm hosts: what the driver's repository offered when it was asked last
MODULES_LOAD = "/etc/modules-load.d/ongpu-nvidia.conf"
NOUVEAU_BLACKLIST = "/etc/modprobe.d/ongpu-nouveau.conf"
MODULE_OPTIONS = "/etc/modprobe.d/ongpu-nvidia.conf"  # by `ongpu fix`

GPU_UNIT = "ongpu-gpu.service"  # sets what the inventory declares of the GPUs, at each boot and load
GPU_SERVICE = f"/etc/systemd/system/{GPU_UNIT}"
ECC_REBOOTED = f"{STATE_DIR}/ecc-rebooted"  # for which ECC mode a reboot was ordered, and in which boot

WATCH_SERVICE = "/etc/systemd/system/ongpu-drift.service"
WATCH_TIMER = "/etc/systemd/system/ongpu-drift.timer"
WATCH_FLEET = "/etc/ongpu/fleet.yaml"  # what is declared for this host, where it watches itself
WATCH_KEY = "/etc/ongpu/nvidia-repository.asc"
WATCH_HISTORY = "/var/lib/ongpu/history"
VENV = "/opt/ongpu/venv"

ACCOUNT = "ollama"
ACCOUNT_HOME = "/usr/share/ollama"

# Each is written with HEADER in one of its first lines, so that everyone sees whose it is.
MANAGED = (
    UNIT_FILE,
    DROP_IN,
    FIX_DROP_IN,
    APT_SOURCE,
    APT_PIN,
    APT_KEYRING,
    DNF_SOURCE,
    ZYPP_SOURCE,
    RPM_KEY,
    MODULES_LOAD,
    MODULE_OPTIONS,
    NOUVEAU_BLACKLIST,
    STOPPED_UNITS,
    RELOAD_FAILED,
    SWITCH_FAILED,
    REBOOTED,
    DERIVED,
    GPU_SERVICE,
    ECC_REBOOTED,
    WATCH_SERVICE,
    WATCH_TIMER,
    WATCH_FLEET,
    WATCH_KEY,
)
HEADER = "Managed by ongpu"
