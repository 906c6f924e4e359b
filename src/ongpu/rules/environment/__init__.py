"""Root causes that lie in the environment part of a host."""
