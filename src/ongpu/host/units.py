"""Services that hold the GPU and are known to this program."""

from __future__ import annotations

from ongpu.host.paths import GPU_UNIT, UNIT

# They may be stopped for a reload of the driver, in this order, and are started the other way round. NVIDIA GPU driver
# container, `nvidia-driver` (`_unload_driver`); NVIDIA DCGM, user guide; github.com/NVIDIA/dcgm-exporter.
GPU_UNITS = (
    UNIT,
    GPU_UNIT,  # runs again after the load, which has undone what it set
    "dcgm-exporter.service",
    "nvidia-dcgm-exporter.service",
    "nvidia-dcgm.service",
    "dcgm.service",
    "nvidia-topologyd.service",
    "nvidia-gridd.service",
    "nvidia-powerd.service",
    "nvidia-imex.service",
    "nvidia-fabricmanager.service",
    "nvlsm.service",
    "nvidia-persistenced.service",
)
