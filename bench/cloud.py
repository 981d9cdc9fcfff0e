"""An instant provider: the least that a provider can do, so that the worker is measured and not the other side.

A raw asyncio protocol that answers every task at once (or after the latency set by `GET /_latency/200`) and every
question with «done». It checks nothing and keeps everything in memory. `GET /_stats` and `GET /_arrivals` tell what
came and when (CLOCK_MONOTONIC, which all processes of a machine share).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import re
import time
from typing import cast

import orjson

_KEY = re.compile(rb'"external_id": ?"([^"]+)"')
_SUM = re.compile(rb'"payments": ?\[\{[^}]*"sum": ?([0-9.]+)')


class Book:
    """What has come so far."""

    def __init__(self) -> None:
        self.posts = 0
        self.gets = 0
        self.arrived: dict[bytes, int] = {}
        self.tasks: list[tuple[bytes, bytes]] = []  # key and sum; the place in the list is the task's number
        self.latency = 0.0
        self.fn = b"99990789%08d" % (int(time.time() * 10) % 100_000_000)  # a fiscal storage of this run's own
        self.printed_at = time.strftime("%Y%m%dT%H%M%S")

    def post(self, body: bytes) -> bytes:
        """Take a task."""
        self.posts += 1
        found = _KEY.search(body)
        if found is None:
            return b'{"code":"VLD00","title":"no external_id"}'
        key = found.group(1)
        self.arrived.setdefault(key, time.monotonic_ns())
        paid = _SUM.search(body)
        self.tasks.append((key, paid.group(1) if paid else b"0.00"))
        return b'{"id":%d,"external_id":"%b","state":"new","print_queue_id":1}' % (len(self.tasks), key)

    def get(self, path: bytes) -> bytes:
        """Tell what became of a task, or of the whole run."""
        if path == b"/_stats":
            return orjson.dumps({"posts": self.posts, "gets": self.gets})
        if path == b"/_arrivals":
            return orjson.dumps({key.decode(): at for key, at in self.arrived.items()})
        if path.startswith(b"/_latency/"):
            self.latency = int(path.rsplit(b"/", 1)[1]) / 1000
            return b"{}"
        self.gets += 1
        number = int(path.rsplit(b"/", 1)[1])
        key, paid = self.tasks[number - 1]
        return (
            b'{"id":%d,"external_id":"%b","state":"done","fiscal_data":{"i":"%d","fn":"%b","t":"%b",'
            b'"n":"1","fp":"%d","s":"%b","rn":"0000000000000001","sh":"1","shn":"%d"}}'
        ) % (number, key, number, self.fn, self.printed_at.encode(), 100_000 + number, paid, number)


class Peer(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end]
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            method, path, _rest = head.split(b" ", 2)
            answer = self._book.post(body) if method == b"POST" else self._book.get(path)
            whole = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b") % (
                len(answer),
                answer,
            )
            if self._book.latency and not path.startswith(b"/_"):
                asyncio.get_running_loop().call_later(self._book.latency, self._write, whole)
            else:
                self._write(whole)

    def _write(self, whole: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(whole)


async def _serve(port: int) -> None:
    book = Book()
    server = await asyncio.get_running_loop().create_server(lambda: Peer(book), "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    gc.disable()
    asyncio.run(_serve(options.port))


if __name__ == "__main__":
    main()
