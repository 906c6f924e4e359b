"""What a host is: values read from it, with three states each. Pure: no I/O, no clock, no pyinfra."""
