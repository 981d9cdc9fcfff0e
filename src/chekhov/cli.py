"""`chekhov …`: the commands of an installation.

chekhov up [--demo] [--port 8000] [--emulator-port 8090]    web, worker and watch together (and the emulator in a demo)
chekhov web | worker | watch | emulator                      one of them
chekhov migrate                                              make or change the tables
chekhov createadmin NAME                                     a person who may do everything
chekhov apikey NAME [--source CODE]                          a new key, alone on standard output
chekhov check                                                «Проверка готовности» on a terminal
chekhov demo                                                 a paid invoice and a top-up, fiscalized, then exit
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 when it did what it says."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["emulator"]:
        return _emulator(arguments[1:])
    options = _parser().parse_args(arguments)
    from chekhov.config.env import SettingsError

    os.umask(0o077)  # what a run writes is nobody else's: the database, its keys, the emulator's memory
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chekhov.config.settings")
    try:
        import django

        django.setup()
    except SettingsError as error:
        print(f"chekhov: {error}", file=sys.stderr)
        return 2
    from chekhov.errors import Refusal

    try:
        if options.run in {_up, _web, _worker, _watch}:
            _check_clock()
        return int(options.run(options))
    except Refusal as refusal:
        print(f"chekhov: {refusal.detail} {refusal.next_step}", file=sys.stderr)
        return 1


def _check_clock() -> None:
    from django.db import connection

    from chekhov.registers.models import Register
    from chekhov.registers.services import clock_checked

    if Register._meta.db_table in connection.introspection.table_names():
        clock_checked()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chekhov", description="Self-hosted cash module under 54-ФЗ")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="web, worker and watch together, supervised")
    up.add_argument("--demo", action="store_true", help="with demo data and the emulator")
    up.add_argument("--host", default="127.0.0.1")
    up.add_argument("--port", type=int, default=8000)
    up.add_argument("--emulator-port", type=int, default=8090)
    up.set_defaults(run=_up)
    web = commands.add_parser("web", help="the panel and the API")
    web.add_argument("--host", default="127.0.0.1")
    web.add_argument("--port", type=int, default=8000)
    web.set_defaults(run=_web)
    commands.add_parser("worker", help="delivers receipts").set_defaults(run=_worker)
    commands.add_parser("watch", help="metrics, alerts").set_defaults(run=_watch)
    commands.add_parser("emulator", help="the stand-in for the provider's cloud; see its own --help")
    commands.add_parser("migrate", help="make or change the tables").set_defaults(run=_migrate)
    admin = commands.add_parser("createadmin", help="a person who may do everything")
    admin.add_argument("name")
    admin.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    admin.set_defaults(run=_createadmin)
    key = commands.add_parser("apikey", help="a new API key, alone on standard output")
    key.add_argument("name")
    key.add_argument("--source", default="", help="code of the source (site, CMS); default: made from NAME")
    key.set_defaults(run=_apikey)
    commands.add_parser("reencrypt", help="encrypt stored secrets anew with the first key").set_defaults(run=_reencrypt)
    commands.add_parser("check", help="is everything ready for receipts?").set_defaults(run=_check)
    demo = commands.add_parser("demo", help="record a paid invoice and a top-up, wait for both receipts, print them")
    demo.add_argument("--port", type=int, default=0)
    demo.add_argument("--emulator-port", type=int, default=0)
    demo.set_defaults(run=_demo)
    return parser


def _up(options: argparse.Namespace) -> int:
    if options.demo:
        from chekhov.demo.run import up_demo

        return up_demo(host=options.host, port=options.port, emulator_port=options.emulator_port)
    from chekhov.supervision import up

    return up(host=options.host, port=options.port)


def _web(options: argparse.Namespace) -> int:
    from chekhov.supervision import serve

    return serve(host=options.host, port=options.port)


def _worker(_options: argparse.Namespace) -> int:
    from chekhov.delivery.worker import work

    work()
    return 0


def _watch(_options: argparse.Namespace) -> int:
    from chekhov.watch.loop import watch

    watch()
    return 0


def _emulator(arguments: Sequence[str]) -> int:
    from chekhov.emulator.__main__ import main as emulator

    return emulator(list(arguments))


def _migrate(_options: argparse.Namespace) -> int:
    from django.core.management import call_command

    call_command("migrate", verbosity=1, interactive=False)
    return 0


def _createadmin(options: argparse.Namespace) -> int:
    from chekhov.people.services import admin_create

    password = sys.stdin.readline().rstrip("\n") if options.password_stdin else getpass.getpass("Пароль: ")
    admin_create(username=options.name, password=password)
    return 0


def _apikey(options: argparse.Namespace) -> int:
    from django.utils.text import slugify

    from chekhov.people.services import apikey_create, source_get

    code = options.source or slugify(options.name) or "shop"
    print(apikey_create(source=source_get(code, name=options.name), name=options.name)[1])
    return 0


def _reencrypt(_options: argparse.Namespace) -> int:
    from chekhov.registers.services import secrets_reencrypt
    from chekhov.watch.services import channel_secrets_reencrypt

    print(f"{secrets_reencrypt() + channel_secrets_reencrypt()} secrets encrypted with the first key")
    return 0


def _check(_options: argparse.Namespace) -> int:
    from chekhov.watch.readiness import Level, checks_of_the_terminal

    marks = {Level.OK: "  ok", Level.WARN: "warn", Level.BAD: " BAD"}
    found = checks_of_the_terminal()
    for check in found:
        print(f"[{marks[check.level]}] {check.title}: {check.text}")
        if check.next_step and check.level is not Level.OK:
            print(f"       → {check.next_step}")
    return 1 if any(check.level is Level.BAD for check in found) else 0


def _demo(options: argparse.Namespace) -> int:
    from chekhov.demo.run import demo

    return demo(port=options.port, emulator_port=options.emulator_port)


if __name__ == "__main__":
    sys.exit(main())
