"""Root causes that lie in the software part of a host."""
