"""The channels of a worker: an account's queue with its driver and its secret, made once and kept while they are so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from chekhov.config.database import execute, fetch
from chekhov.delivery.jobs import Channel
from chekhov.delivery.lanes import ACCOUNT, lane_pause
from chekhov.drivers import registry
from chekhov.drivers.contract import Connection
from chekhov.registers.secrets import SecretUnreadable, decrypt


class Channels:
    """Those that one worker has used. Lives in the worker's database thread."""

    def __init__(self) -> None:
        self._channels: dict[tuple[int, int], tuple[tuple[Any, ...], Channel]] = {}
        self._known_urls: set[tuple[int, str]] = set()

    def find(self, account_id: int, queue: int) -> Channel | None:
        """The channel as its account is now; None, and a pause of the account, where its secret cannot be read."""
        row = fetch(f"SELECT {ACCOUNT} FROM registers_account a WHERE id = %s", [account_id])[0]
        return self.made(account_id, queue, row)

    def made(self, account_id: int, queue: int, account: Sequence[Any]) -> Channel | None:
        """The same, of a row of ACCOUNT that has been read already."""
        mark = tuple(account)
        cached = self._channels.get((account_id, queue))
        if cached is not None and cached[0] == mark:
            return cached[1]
        provider, service_url, shop_id, secret_encrypted, link_token = account
        try:
            secret = decrypt(secret_encrypted)
        except SecretUnreadable:
            text = "Secret кассы не расшифровать: проверьте CHEKHOV_ENCRYPTION_KEYS."
            lane_pause(account_id, None, seconds=60, code="secret_unreadable", text=text)
            return None
        channel = Channel(
            account_id,
            queue,
            registry.get(provider).driver,
            Connection(service_url=service_url, shop_id=shop_id, secret=secret, queue=queue),
            f"{settings.CHEKHOV_BASE_URL}/hooks/{provider}/{link_token}",
        )
        self._channels[account_id, queue] = (mark, channel)
        return channel

    def remember_url(self, channel: Channel) -> None:
        """Keep every address that a provider was told to call: callbacks signed for it must be accepted later too."""
        mark = (channel.account_id, channel.callback_url)
        if mark not in self._known_urls:
            execute(
                "INSERT INTO delivery_callbackurl (account_id, url) VALUES (%s, %s) ON CONFLICT DO NOTHING", list(mark)
            )
            self._known_urls.add(mark)

    def forget_urls(self) -> None:
        """What was remembered may have been rolled back."""
        self._known_urls.clear()
