"""Root causes that lie in the hardware part of a host."""
