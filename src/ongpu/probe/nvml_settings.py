"""What can be set on a GPU, what waits for a reset, and whether this is a vGPU guest: NVML's answers as readings."""

from __future__ import annotations

from typing import Any

from ongpu.host.gpu import Gpu, GpuSettings
from ongpu.host.reading import Absent, Known, Reading
from ongpu.probe.nvml_ask import Asker, Pynvml, watts

_RECOVERY_ACTION = 230  # NVML_FI_DEV_GET_GPU_RECOVERY_ACTION
# nvmlDeviceGpuRecoveryAction_t and nvmlGpuFabricState_t, in nvidia-smi's words
_RECOVERY_ACTIONS = (
    *("None", "Reset", "Reboot", "Drain P2P", "Drain and Reset"),
    *("Recover IMEX Domain", "Bus Reset", "System Reboot"),
)
_FABRIC_STATES = ("N/A", "Not Started", "In Progress", "Completed")
_VIRTUALIZATION = ("none", "pass-through", "vgpu", "host vgpu", "host vsga")  # nvmlGpuVirtualizationMode_t


def settings(ask: Asker) -> GpuSettings:
    mig = ask("MigMode", lambda pair: bool(pair[0]))
    return GpuSettings(
        power_default_watts=ask("PowerManagementDefaultLimit", watts),
        power_min_watts=ask("PowerManagementLimitConstraints", lambda pair: watts(pair[0])),
        power_max_watts=ask("PowerManagementLimitConstraints", lambda pair: watts(pair[1])),
        ecc=ask("EccMode", lambda pair: bool(pair[0])),
        ecc_pending=ask("EccMode", lambda pair: bool(pair[1])),
        mig_pending=ask("MigMode", lambda pair: bool(pair[1])),
        mig_devices=ask.mig_devices() if isinstance(mig, Known) and mig.value else Absent("MIG is off"),
        gsp=ask("GspFirmwareMode", lambda pair: bool(pair[0])),
        remap_pending=ask("RemappedRows", lambda rows: bool(rows[2])),
        remap_failed=ask("RemappedRows", lambda rows: bool(rows[3])),
        recovery_action=ask.field(_RECOVERY_ACTION, lambda value: _RECOVERY_ACTIONS[value]),
        fabric=ask.fabric(lambda info: _FABRIC_STATES[info.state]),
        fabric_status=ask.fabric(ask.fabric_words),
    )


def guest(nvml: Pynvml, found: list[tuple[Gpu, Any]]) -> dict[str, Reading[str]]:
    """Virtualization and license of the first GPU. NVML has the license only of a vGPU guest."""
    none = Absent("no GPU to ask")
    if not found:
        return {"virtualization": none, "license": none}
    ask = Asker(nvml, found[0][1])
    mode = ask("VirtualizationMode", lambda number: _VIRTUALIZATION[number])
    if not (isinstance(mode, Known) and mode.value == "vgpu"):
        return {"virtualization": mode, "license": Absent("not a vGPU guest")}
    license_ = ask("GridLicensableFeatures_v4", _license)
    return {"virtualization": mode, "license": license_}


def _license(features: Any) -> str:
    """nvmlGridLicensableFeatures_t: licensed when any enabled feature has its license."""
    count = int(features.licensableFeaturesCount)
    enabled = [features.gridLicensableFeatures[index] for index in range(min(count, 3))]
    return "Licensed" if any(feature.featureState for feature in enabled) else "Unlicensed"
