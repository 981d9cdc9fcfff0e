"""How a lost outcome is found out, by what the provider can do.

1. It can be asked by our own key: ask. «There is none» that is definite, once no call can be under way any more, is
   proof: the receipt goes back to the queue and is sent again, the same bytes under the same key.
2. It knows a repeat of a key for one, for ever or within a window: repeat the same bytes under the same key.
3. Neither: nothing is sent. A person decides, with all the evidence on one page.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from chekhov.drivers.contract import Capabilities, Dedup

LOOKUPS_LEAST = 5
"""After so many questions by key that found nothing for certain, and where a repeat is not safe, a person decides."""


class Way(StrEnum):
    """What to do about an outcome that is unknown."""

    LOOKUP = "lookup"
    REPEAT = "repeat"
    PERSON = "person"


def way(capabilities: Capabilities, *, polls: int, age: timedelta, longest_call: timedelta) -> Way:
    """How to find out. `polls` counts the questions by key so far, `age` is that of the first sending under the key.

    Where a repeat is known for one, questions by key and repeats take turns: the one finds what the other cannot.
    """
    repeat = is_repeat_safe(capabilities, age=age, longest_call=longest_call)
    if capabilities.lookup_by_key:
        return Way.REPEAT if repeat and polls % 2 else Way.LOOKUP
    return Way.REPEAT if repeat else Way.PERSON


def is_repeat_safe(capabilities: Capabilities, *, age: timedelta, longest_call: timedelta) -> bool:
    """Whether the same bytes under the same key cannot make a second receipt."""
    if capabilities.dedup is Dedup.STRONG:
        return True
    window = timedelta(seconds=capabilities.dedup_window_seconds)
    return capabilities.dedup is Dedup.WINDOW and age + longest_call < window
