"""Is the register behind a queue there at all? Asked now and then where a stand-by register waits for the answer.

A provider may take tasks for a register that is switched off: nothing fails, nothing is printed. Only its own word
about the queue tells. And what goes to the stand-by register sends no probe to the first: this question is the probe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chekhov.config.database import execute, fetch, placeholders, read_clock_ms, writing
from chekhov.delivery.breaker import Heard, hear
from chekhov.delivery.lanes import rate_spend
from chekhov.drivers import registry
from chekhov.drivers.access import AccessReport, AccessState

if TYPE_CHECKING:
    from chekhov.delivery.claims import Claimer
    from chekhov.delivery.jobs import Channel

WATCH_SECONDS = 10.0
ASK_EVERY_MS = 60_000
_SILENT = frozenset(
    {AccessState.UNREACHABLE, AccessState.NO_ANSWER, AccessState.SERVICE_FAILING, AccessState.NOT_THE_SERVICE}
)


def lanes_to_ask(claimer: Claimer) -> list[Channel]:
    """Queues whose turn it is, each given to one worker only. The question is paid from the account's rate."""
    able = [item.code for item in registry.available() if item.driver.capabilities.queue_state]
    now_ms = read_clock_ms()
    where = (
        "(breaker = 'closed' OR (breaker = 'open' AND open_until_ms <= %s)) AND stopped_ms = 0 "
        "AND (checked_ms < %s OR checked_ms > %s) AND EXISTS "
        "(SELECT 1 FROM registers_register r JOIN registers_account a ON a.id = r.account_id "
        "WHERE r.account_id = delivery_lane.account_id AND r.queue = delivery_lane.queue "
        "AND (passive_since_ms > 0 OR r.standby_id IS NOT NULL OR r.id IN "
        "(SELECT standby_id FROM registers_register WHERE standby_id IS NOT NULL)) "
        f"AND a.provider IN {placeholders(len(able))})"
    )
    parameters = [now_ms, now_ms - ASK_EVERY_MS, now_ms, *able]
    if not able or not fetch(f"SELECT 1 FROM delivery_lane WHERE {where} LIMIT 1", parameters):
        return []
    with writing():
        taken = fetch(
            f"UPDATE delivery_lane SET checked_ms = %s WHERE {where} RETURNING account_id, queue", [now_ms, *parameters]
        )
        channels = [claimer.channels.find(account_id, queue) for account_id, queue in taken]
        for account_id, _ in taken:
            rate_spend(account_id, 1, now_ms)
    return [channel for channel in channels if channel is not None]


def access_note(channel: Channel, report: AccessReport) -> None:
    """Keep since when a queue has been without a working register. An answer that tells neither changes nothing.

    Any word of the service closes the breaker as a probe's would: what is diverted sends no probe of its own.
    """
    if report.state not in _SILENT:
        with writing():
            hear([(channel.key, Heard(True))])
    if report.state is AccessState.PASSIVE_QUEUE:
        now_ms = read_clock_ms()
        sql, parameters = "CASE WHEN passive_since_ms = 0 THEN %s ELSE passive_since_ms END", [now_ms]
    elif report.state is AccessState.OK:
        sql, parameters = "0", []
    else:
        return
    with writing():
        execute(
            f"UPDATE delivery_lane SET passive_since_ms = {sql} WHERE account_id = %s AND queue = %s",
            [*parameters, *channel.key],
        )
