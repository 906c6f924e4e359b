"""Reads Ollama's journal: what the server found at its start, its settings, and every model load.

Pure. Knows 0.30 and later (llama-server), 0.12.4 to 0.24 (Go runners with memory lines) and, as far as their
lines are alike, older ones. A line that is not understood is skipped; a fact that is not there stays None or
empty, which is unknown and never healthy.
"""

from ongpu.host.ollama_log.discovery import discoveries, records, server_config
from ongpu.host.ollama_log.loads import load_of, loads
from ongpu.host.ollama_log.text import GAP, suppressed
from ongpu.host.ollama_log.types import Buffer, BufferKind, Discovery, Load, Record, UsedDevice

__all__ = [
    "GAP",
    "Buffer",
    "BufferKind",
    "Discovery",
    "Load",
    "Record",
    "UsedDevice",
    "discoveries",
    "load_of",
    "loads",
    "records",
    "server_config",
    "suppressed",
]
