"""Reading many hosts, without pyinfra: its inventory and data, one connection and one script per host.

pyinfra 3.10 keeps every connection to the end, connects to all hosts before it asks the first, and costs half a second
to import (docs/design.md, "How a fleet is read"). A way to a host is three methods: connect, run, close
(`ongpu.fleet.reading.way`). `native` speaks SSH by asyncssh; `program` runs OpenSSH, for what asyncssh does not know,
and a shell on this machine. Hosts that only pyinfra reaches (its other connectors) are read through pyinfra.
"""
