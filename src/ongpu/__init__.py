"""ongpu: configure, prove, diagnose and watch Ollama GPU servers."""

__version__ = "0.1.0"
