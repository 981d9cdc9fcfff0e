"""Ports for servers that are killed and started anew while other servers look for a free one."""

from __future__ import annotations

import socket


class HeldPort:
    """A port of loopback that is kept, as long as this object is, for web processes alone.

    granian listens with SO_REUSEPORT: were the port of a killed web process given to somebody else's, both would listen
    there, and each get a part of the calls to the other. The socket does not listen, so it gets none; the kernel
    gives a held port to nobody who asks for any free one. The emulator listens without SO_REUSEPORT: not for its port.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number = int(self._socket.getsockname()[1])

    def __enter__(self) -> HeldPort:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        self._socket.close()
