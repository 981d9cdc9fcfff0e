"""``python -m chekhov.emulator``: the emulator's command line. Prints one line with its address when it is ready."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from chekhov.emulator.config import EmulatorConfig, ShopConfig, Switches, switch_from_text
from chekhov.emulator.server import run


def parser() -> argparse.ArgumentParser:
    """The flags, which ``chekhov emulator`` shares."""
    flags = argparse.ArgumentParser(prog="chekhov emulator", description="Эмулятор «КОМТЕТ Касса» и кассы")
    flags.add_argument("--host", default="127.0.0.1")
    flags.add_argument("--port", type=int, default=8090, help="0 — любой свободный")
    flags.add_argument("--shop", required=True, help="ShopID")
    secret = flags.add_mutually_exclusive_group(required=True)
    secret.add_argument("--secret", help="секретный ключ магазина")
    secret.add_argument("--secret-file", type=Path, help="файл с секретным ключом")
    flags.add_argument("--queue", type=int, action="append", required=True, help="ID очереди; можно несколько")
    flags.add_argument("--db", type=Path, help="файл SQLite; без него память исчезает с процессом")
    flags.add_argument("--public-url", default="", help="адрес, которым клиенты подписывают запросы")
    flags.add_argument("--inn", default="", help="ИНН кассы; чек с другим ИНН завершится ошибкой")
    flags.add_argument("--latency-ms", type=_not_negative, default=0, help="задержка каждого ответа")
    flags.add_argument("--pickup-delay-ms", type=_not_negative, default=0, help="сколько чек ждёт в очереди")
    flags.add_argument("--print-delay-ms", type=_not_negative, default=0, help="сколько чек печатается")
    flags.add_argument("--clock-offset-seconds", type=int, default=0, help="сдвиг даты на чеках")
    flags.add_argument("--success-url", default="", help="URL уведомлений о фискализации")
    flags.add_argument("--failure-url", default="", help="URL уведомлений об ошибках")
    flags.add_argument("--strict", action="store_true", help="строгая проверка запросов")
    flags.add_argument("--switch", action="append", default=[], metavar="NAME=VALUE", help="см. Switches")
    return flags


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM; returns the exit code."""
    flags = parser()
    options = flags.parse_args(argv)
    try:
        switches = Switches(strict=options.strict).changed(dict(map(switch_from_text, options.switch)))
        secret = secret_of(options)
    except (ValueError, OSError) as error:
        flags.error(str(error))
    config = EmulatorConfig(
        shops=(
            ShopConfig(
                shop=options.shop,
                secret=secret,
                queues=tuple(options.queue),
                success_url=options.success_url,
                failure_url=options.failure_url,
            ),
        ),
        host=options.host,
        port=options.port,
        db=options.db,
        public_url=options.public_url,
        inn=options.inn,
        latency_ms=options.latency_ms,
        pickup_delay_ms=options.pickup_delay_ms,
        print_delay_ms=options.print_delay_ms,
        clock_offset_seconds=options.clock_offset_seconds,
        switches=switches,
    )
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        run(config, on_ready=_announce)
    except OSError as error:
        sys.stderr.write(f"Эмулятор не запущен: {error}\n")
        return 1
    return 0


def secret_of(options: argparse.Namespace) -> str:
    """The secret of ``--secret`` or of the file of ``--secret-file``.

    :raises OSError: when the file cannot be read.
    :raises ValueError: when there is no secret in it.
    """
    secret: str = options.secret or options.secret_file.read_text("utf-8").strip()
    if not secret:
        raise ValueError("секретный ключ пуст")
    return secret


def _announce(address: str) -> None:
    sys.stdout.write(f"Эмулятор «КОМТЕТ Касса» работает: {address}/_emulator/\n")
    sys.stdout.flush()


def _not_negative(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("число не меньше нуля")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
