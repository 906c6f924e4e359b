"""What the lab says to its user when it cannot do its job."""

from __future__ import annotations

from ongpu.errors import OngpuError


class LabError(OngpuError):
    """One clear sentence: what is wrong with the machine, the lab directory or a host, and what to do."""
