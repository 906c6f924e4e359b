"""Memory of a model before it is loaded: GGUF facts and settings -> bytes on each GPU and on the host. Pure."""
