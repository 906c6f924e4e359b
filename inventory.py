"""pyinfra's inventory: reads inventory/*.yaml (or the directory or file that ONGPU_INVENTORY names)."""

import os
import sys
from pathlib import Path

_here = Path(__file__).resolve().parent
sys.path.append(str(_here / "src"))  # a checkout works without being installed

if "pyinfra_cli" in sys.modules:  # `ongpu drift` reads this file too, and does without pyinfra
    import ongpu.engine.workarounds  # noqa: F401 - before the first connection
from ongpu.errors import OngpuError  # noqa: E402
from ongpu.spec.load import load  # noqa: E402
from ongpu.spec.pyinfra_data import pyinfra_groups  # noqa: E402

try:
    globals().update(pyinfra_groups(load(os.environ.get("ONGPU_INVENTORY", _here / "inventory"))))
except OngpuError as error:
    raise SystemExit(str(error)) from None
