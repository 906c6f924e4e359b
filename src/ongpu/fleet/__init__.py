"""Run on many hosts through pyinfra's API: connect, work, close, stream; one host's trouble stays its own."""
