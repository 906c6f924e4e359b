"""Faults: one file each. Every one makes its situation really happen on a running lab, and can undo it."""

from __future__ import annotations

from ongpu_lab.faults.base import Fault, Target
from ongpu_lab.faults.catalogue import active, apply, clear, every, find, forget, note, started

__all__ = ["Fault", "Target", "active", "apply", "clear", "every", "find", "forget", "note", "started"]
