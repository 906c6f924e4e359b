"""What a host should be: the inventory's models, their merge, and the only reader of its YAML (load.py)."""

from ongpu.spec.data import from_data

__all__ = ["from_data"]
