"""Finding x spec x snapshot -> what repairs it, and whether it did. Pure: `ongpu.engine.repair` does it."""
