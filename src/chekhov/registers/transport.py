"""Talking HTTP to providers: aiohttp with time-outs, verified TLS, no redirects and bounded answers.

The one question that matters after a failure is whether a byte may have left. `NotSent` says that none did; anything
else that goes wrong is `Lost`.
"""

from __future__ import annotations

import asyncio

import aiohttp
from django.conf import settings
from yarl import URL

from chekhov.drivers.contract import Flow, HttpReply, HttpRequest, Outcome
from chekhov.drivers.errors import Lost, NotSent
from chekhov.drivers.flows import drive_async

MAX_ANSWER_BYTES = 1_000_000


def session(*, connections: int) -> aiohttp.ClientSession:
    """A client for any number of providers. Must be made inside a running loop and closed by its maker."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, limit_per_host=connections, ttl_dns_cache=60),
        timeout=aiohttp.ClientTimeout(
            total=settings.CHEKHOV_CONNECT_TIMEOUT_SECONDS + settings.CHEKHOV_READ_TIMEOUT_SECONDS,
            sock_connect=settings.CHEKHOV_CONNECT_TIMEOUT_SECONDS,
            sock_read=settings.CHEKHOV_READ_TIMEOUT_SECONDS,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=True,
        trust_env=False,
    )


async def send(client: aiohttp.ClientSession, request: HttpRequest) -> HttpReply:
    """Send one request exactly as given. Raises NotSent (no byte left) or Lost (it may have arrived)."""
    try:
        async with client.request(
            request.method,
            URL(request.url, encoded=True),
            headers=request.headers,
            data=request.body or None,
            allow_redirects=False,
        ) as response:
            body = await response.content.read(MAX_ANSWER_BYTES + 1)
            while len(body) <= MAX_ANSWER_BYTES and not response.content.at_eof():
                chunk = await response.content.read(MAX_ANSWER_BYTES + 1 - len(body))
                if not chunk:
                    break
                body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise Lost("Ответ сервиса больше мегабайта.")
            return HttpReply(response.status, response.headers, body)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
        raise NotSent("Соединиться с сервисом не удалось, запрос не ушёл.") from error
    except TimeoutError as error:
        raise Lost("Сервис не ответил вовремя.") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Lost("Соединение с сервисом оборвалось до ответа.") from error


def run_once(flow: Flow[Outcome]) -> Outcome:
    """Drive a flow from ordinary code, with a client of its own."""

    async def once() -> Outcome:
        async with session(connections=1) as client:
            return await drive_async(flow, lambda request: send(client, request))

    return asyncio.run(once())
