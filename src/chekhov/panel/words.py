"""Russian words for numbers and spans of time."""

from __future__ import annotations

from datetime import datetime

from chekhov.config.clock import now


def plural(number: int, one: str, few: str, many: str) -> str:
    """The form of a noun after a number: 1 чек, 2 чека, 5 чеков."""
    tail, tens = abs(number) % 10, abs(number) % 100
    if tail == 1 and tens != 11:
        return one
    return few if 2 <= tail <= 4 and not 12 <= tens <= 14 else many


def counted(number: int, one: str, few: str, many: str) -> str:
    """``3 чека``."""
    return f"{number}\u00a0{plural(number, one, few, many)}"


def ago(seconds: float) -> str:
    """A span in its largest sensible unit: ``2 часа``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return counted(whole, "секунду", "секунды", "секунд")
    if whole < 3600:
        return counted(whole // 60, "минуту", "минуты", "минут")
    if whole < 172_800:
        return counted(whole // 3600, "час", "часа", "часов")
    return counted(whole // 86_400, "день", "дня", "дней")


def due_words(due_at: datetime) -> tuple[str, bool]:
    """When a receipt is due, in words, and whether that moment has passed."""
    left = (due_at - now()).total_seconds()
    if -60 < left <= 0:
        return "нужен сейчас", False
    if left < 0:
        return f"просрочено на {ago(-left)}", True
    return f"осталось {ago(left)}", False
