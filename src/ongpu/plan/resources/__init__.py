"""One file per managed resource: `RESOURCE` with its name, when it applies, and the pure function of its changes."""
