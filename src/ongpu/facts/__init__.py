"""pyinfra facts: `pyinfra inventory.py fact ongpu.facts.snapshot.Snapshot --json`."""
