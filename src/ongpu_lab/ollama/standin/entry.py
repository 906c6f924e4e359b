"""Where the launcher starts: the name of the program decides what it is."""

from __future__ import annotations

import sys

from . import lab


def main(words: list[str]) -> int:
    program = lab.executable().name
    lab.guard(program)
    try:
        if program == "llama-server":
            if "--model" not in words:  # a probe; it needs less of the program
                from .probes import llama_server_probe

                return llama_server_probe(words)
            from .llama_server import main as llama_server

            return llama_server(words)
        from .cli import main as cli

        return cli(words)
    except KeyboardInterrupt:
        return 130


def run() -> None:
    sys.exit(main(sys.argv[1:]))
