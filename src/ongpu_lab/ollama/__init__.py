"""The lab's stand-in for Ollama: a release archive that behaves as the recorded server, and a registry to pull from."""
