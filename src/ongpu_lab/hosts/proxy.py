"""ssh's ProxyCommand: `proxy.py DIRECTORY SOCKET` relays standard input and output to a host's sshd.

Started once per connection, so it imports next to nothing and is run with `python -I -S -E`.
The directory is entered first because a socket's path must be shorter than 108 bytes (unix(7)).
"""

import os
import select
import socket
import sys


def main() -> int:
    directory, name = sys.argv[1:]
    try:
        os.chdir(directory)
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(name)
    except OSError as error:
        print(
            f"The lab host in {directory} is not reachable ({error.strerror}): see `ongpu lab status`.", file=sys.stderr
        )
        return 1
    relay(peer)
    return 0


def relay(peer: socket.socket) -> None:
    """Both ways until the host's side ends; the end of our input is passed on."""
    far, waiting = peer.fileno(), [0, peer.fileno()]
    try:
        while far in waiting:
            for source in select.select(waiting, [], [])[0]:
                data = os.read(source, 65536)
                if data:
                    write(1 if source == far else far, data)
                    continue
                waiting.remove(source)
                if source == 0:
                    peer.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # either side went away: that is how a connection ends


def write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


if __name__ == "__main__":
    sys.exit(main())
