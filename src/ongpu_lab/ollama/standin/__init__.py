"""The programs `ollama` and `llama-server` of a lab host.

They run under an interpreter that the release archive brings along, so everything here uses Python 3.11's standard
library only. What they imitate is Ollama 0.33.0-rc2 on llama.cpp 4df29be4f; messages and fields have its names.
"""
