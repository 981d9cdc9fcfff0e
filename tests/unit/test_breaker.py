"""The circuit breaker as arithmetic: when it opens, for how long, and what closes it. And places shared fairly."""

from __future__ import annotations

import pytest

from chekhov.delivery.breaker import IN_A_ROW, OPEN_MOST_MS, Circuit, Heard, after, heard, open_ms
from chekhov.delivery.models import Breaker
from chekhov.delivery.places import Places, own
from chekhov.drivers.contract import (
    Accepted,
    ErrorKind,
    Failed,
    KeyRule,
    NotFound,
    Pending,
    ProviderError,
    Refused,
    TaskRef,
    Unsent,
    Unsure,
)

OK, BAD = Heard(True, works=True), Heard(False, text="Сервис не ответил вовремя.")
NOW = 1_000_000
ERROR = ProviderError(ErrorKind.CONFIG, KeyRule.SAME, "AUT00", "Отказ")


@pytest.mark.parametrize(
    ("outcome", "status", "is_html", "answered"),
    [
        (Unsent("не соединились"), None, False, False),
        (Unsure("оборвалось"), None, False, False),
        (Unsure("500"), 500, False, False),
        (Unsure("502"), 502, True, False),
        (Unsure("302"), 302, False, False),
        (Unsure("страница вместо ответа"), 200, True, False),
        (Unsure("страница вместо ответа"), 403, True, False),
        (Unsure("часто"), 429, False, True),
        (Unsure("не о нашем чеке"), 200, False, True),
        (Refused(ERROR), 403, False, True),
        (Refused(ERROR), 500, False, True),
        (Accepted(TaskRef("key", "1")), 200, False, True),
        (Pending("new"), 200, False, True),
        (Failed(TaskRef("key", "1"), ERROR), 200, False, True),
        (NotFound(True), 404, False, True),
    ],
)
def test_only_silence_counts_against_the_service(
    outcome: object, status: int | None, is_html: bool, answered: bool
) -> None:
    assert heard(outcome, status, is_html=is_html).answered is answered  # type: ignore[arg-type]


def test_five_in_a_row_open_it() -> None:
    almost = after(Circuit(), [BAD] * (IN_A_ROW - 1), NOW)
    opened = after(almost, [BAD], NOW)

    assert almost.state is Breaker.CLOSED
    assert opened.state is Breaker.OPEN
    assert opened.open_until_ms == NOW + 5_000
    assert opened.broken_since_ms == NOW
    assert opened.text == BAD.text


def test_a_success_between_starts_the_row_anew() -> None:
    mixed = after(Circuit(), [BAD, BAD, OK, BAD, BAD, OK, BAD, BAD], NOW)

    assert mixed.state is Breaker.CLOSED
    assert mixed.failures == 2


def test_a_half_of_the_answers_opens_it_too() -> None:
    opened = after(Circuit(), [BAD, OK] * 10, NOW)

    assert opened.state is Breaker.CLOSED
    assert after(opened, [BAD], NOW).state is Breaker.OPEN


def test_a_few_failures_among_many_answers_are_forgotten() -> None:
    calm = after(Circuit(), [BAD, *[OK] * 60], NOW)

    assert calm == Circuit(), "a healthy lane is not written any more"


def test_it_opens_for_longer_and_longer_and_never_for_ever() -> None:
    assert [open_ms(openings) for openings in range(1, 9)] == [
        5_000, 10_000, 20_000, 40_000, 80_000, 160_000, OPEN_MOST_MS, OPEN_MOST_MS,
    ]  # fmt: skip
    assert open_ms(10_000) == OPEN_MOST_MS


def test_a_failed_probe_opens_it_for_longer_and_remembers_since_when() -> None:
    opened = after(Circuit(), [BAD] * IN_A_ROW, NOW)
    probing = Circuit(**{**_fields(opened), "state": Breaker.HALF_OPEN})

    again = after(probing, [BAD], NOW + 9_000)

    assert again.state is Breaker.OPEN
    assert again.open_until_ms == NOW + 9_000 + 10_000
    assert again.broken_since_ms == NOW


def test_calls_that_were_under_way_when_it_opened_are_no_news() -> None:
    opened = after(Circuit(), [BAD] * IN_A_ROW, NOW)

    assert after(opened, [BAD] * 59, NOW + 100) == opened


def test_a_success_closes_it_and_forgets() -> None:
    opened = after(Circuit(), [BAD] * IN_A_ROW, NOW)

    assert after(opened, [OK], NOW) == Circuit()


def test_a_refusal_closes_it_too_for_somebody_is_there() -> None:
    opened = after(Circuit(), [BAD] * IN_A_ROW, NOW)

    assert after(opened, [Heard(True)], NOW).state is Breaker.CLOSED


def _fields(circuit: Circuit) -> dict[str, object]:
    return {name: getattr(circuit, name) for name in Circuit.__dataclass_fields__}


# --- places -----------------------------------------------------------------------------------------------------------


def test_a_lane_alone_has_all_places() -> None:
    assert Places(64, [(1, 1)], {}).left((1, 1)) == 64


def test_a_lane_that_hangs_leaves_places_for_the_others() -> None:
    places = Places(64, [(1, 1), (1, 2)], {(1, 1): 56})

    assert places.left((1, 1)) == 0
    assert places.left((1, 2)) == own(64, 2) == 8


def test_what_one_takes_in_this_claim_is_not_given_to_the_next() -> None:
    places = Places(16, [(1, 1), (1, 2), (1, 3)], {})
    first = places.left((1, 1))
    places.take((1, 1), first)

    assert first == 14
    assert places.left((1, 1)) == 0
    assert places.left((1, 2)) == places.left((1, 3)) == 1


@pytest.mark.parametrize("lanes", [2, 3, 7, 30, 63])
def test_all_lanes_but_one_hang_and_the_one_still_has_a_place(lanes: int) -> None:
    keys = [(1, number) for number in range(lanes)]
    held: dict[tuple[int, int], int] = {}
    for key in keys[1:]:  # each takes all it can get
        places = Places(64, keys, held)
        held[key] = places.left(key)

    assert Places(64, keys, held).left(keys[0]) >= 1
    assert sum(held.values()) < 64


def test_more_lanes_than_places_share_what_there_is() -> None:
    places = Places(4, [(1, number) for number in range(9)], {})

    assert places.left((1, 0)) == 4
