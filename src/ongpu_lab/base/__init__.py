"""The Debian trees that the lab's hosts stand on: built once with mmdebstrap, then cached."""
