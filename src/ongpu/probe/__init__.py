"""How a host is read: one POSIX script made of sections, one exec, one HostSnapshot (design D1)."""
