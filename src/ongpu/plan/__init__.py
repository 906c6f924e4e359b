"""spec x snapshot -> Plan. Pure: no I/O but the package's own templates and shell files, no clock, no pyinfra."""
