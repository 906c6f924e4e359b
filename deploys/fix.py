"""pyinfra inventory.py deploys/fix.py: repair what the rules find, where it interrupts nothing."""

from ongpu.deploys.fix import fix

fix()
