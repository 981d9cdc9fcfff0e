"""Text as a fiscal document can hold it: CP866, no control characters, limited length.

Providers replace or refuse what is outside CP866, so texts are cleaned before a document is formed and what is lost is
counted: a name of which a fifth is gone says nothing to the buyer.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

NAME_LIMIT = 128
"""Characters of tag 1030, the name of a line."""

MAX_LOSS_PERCENT = 20
"""More than this share of unprintable characters in a name refuses it."""

_LETTERS = "".join(bytes([code]).decode("cp866") for code in range(0x20, 0xFF) if code != 0x7F)
_FITS = re.compile(f"[{re.escape(_LETTERS)}]*")
_FOREIGN = re.compile(f"[^{re.escape(_LETTERS)}]")
_CLEAN = re.compile(f"(?! )(?:(?!  )[{re.escape(_LETTERS)}])*(?<! )")
_SPACES = re.compile(" {2,}")

REPLACEMENTS: dict[str, str] = {
    **dict.fromkeys("«»“”„‟", '"'),
    **dict.fromkeys("‘’‚‹›", "'"),
    **dict.fromkeys("–—‑‐−", "-"),
    "…": "...",
    "₽": "руб.",
    "€": "EUR",
    "×": "x",
    "²": "2",
    "³": "3",
    "½": "1/2",
    **dict.fromkeys("™®", ""),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\ufe0e\ufe0f", ""),
    **dict.fromkeys(map(chr, (*range(0x20), *range(0x7F, 0xA1), 0x1680, *range(0x2000, 0x200B))), " "),
    **dict.fromkeys("\u2028\u2029\u202f\u205f\u3000", " "),
}
"""What stands in for a character outside CP866. Everything else outside becomes a question mark."""

_TABLE = str.maketrans(REPLACEMENTS)


class NameTextError(ValueError):
    """A name is empty, or too much of it cannot be printed. The message is Russian, for people."""


@dataclass(frozen=True, slots=True)
class CleanText:
    """A cleaned text and how much of it was lost to question marks."""

    text: str
    lost: int  # characters replaced by a question mark
    length: int  # characters before cutting

    @property
    def loss_percent(self) -> int:
        """The lost share in whole per cent, rounded up."""
        return -(-100 * self.lost // self.length) if self.length else 0


def is_cp866(text: str) -> bool:
    """Whether every character exists in CP866 and is no control character. The empty text is fine."""
    return _FITS.fullmatch(text) is not None


def _wash(text: str) -> CleanText:
    if _CLEAN.fullmatch(text):
        return CleanText(text, 0, len(text))
    text = unicodedata.normalize("NFC", text).translate(_TABLE)
    text = _SPACES.sub(" ", text).strip(" ")
    length = len(text)
    text, lost = _FOREIGN.subn("?", text)
    return CleanText(text, lost, length)


def clean(text: str, limit: int) -> str:
    """Replace what CP866 does not have, collapse spaces, trim, then cut to `limit` characters."""
    return _wash(text).text[:limit].rstrip(" ")


def clean_name(text: str) -> CleanText:
    """The name of a line (tag 1030): cleaned, then cut to 128 characters; put the article number first.

    Raises NameTextError where nothing is left or more than 20 % of the characters are lost.
    """
    washed = _wash(text)
    if not washed.text:
        raise NameTextError("Название позиции пустое: напишите, что покупает клиент.")
    if washed.lost * 100 > MAX_LOSS_PERCENT * washed.length:
        raise NameTextError(
            f"В названии позиции касса не может напечатать {washed.lost} из {washed.length} знаков: "
            f"«{washed.text[:NAME_LIMIT]}». Замените эмодзи и буквы других алфавитов."
        )
    if washed.length <= NAME_LIMIT:
        return washed
    return CleanText(washed.text[:NAME_LIMIT].rstrip(" "), washed.lost, washed.length)
