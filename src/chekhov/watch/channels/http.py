"""One POST with bounded time: connected within 5 s, over within 15 s. TLS is verified, redirects are not followed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp

from chekhov import __version__
from chekhov.drivers.contract import HttpReply, HttpRequest
from chekhov.drivers.errors import Lost, NotSent
from chekhov.registers.transport import send
from chekhov.watch.channels.failure import SendFailed

CONNECT_SECONDS, TOTAL_SECONDS = 5, 15


def post(url: str, body: bytes, headers: Mapping[str, str], *, whom: str) -> HttpReply:
    """The reply, whatever its status. `whom` names the other side in sentences. Raises SendFailed."""
    request = HttpRequest("POST", url, {"User-Agent": f"Chekhov/{__version__}", **headers}, body)

    async def once() -> HttpReply:
        limits = aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS)
        async with aiohttp.ClientSession(
            timeout=limits, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        ) as client:
            return await send(client, request)

    try:
        return asyncio.run(once())
    except NotSent as error:
        raise SendFailed("unreachable", f"{whom}: соединиться не удалось. Проверьте адрес и сеть сервера.") from error
    except Lost as error:
        raise SendFailed("no_answer", f"{whom}: ответа нет, дошло ли оповещение, неизвестно.") from error
