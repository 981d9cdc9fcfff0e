"""Installations with many old receipts, made once and kept: the bench works on copies of them.

They lie in `bench-cache/` below CHEKHOV_DATA_DIR (default `var/`), on PostgreSQL as a database beside it, and are known
by size, by the state of the migrations and by the loader itself. `bin/bench --forget` removes them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

import psycopg

from bench.house import POSTGRESQL, ROOT, BenchError, House, free_port, postgresql_missing

LOAD_SECONDS = 600
FREE_BYTES_A_RECEIPT = 16_000  # the old ones and a copy of them
_PREFIX = "chekhov_bench_old_"


def folder() -> Path:
    """Where the kept installations are."""
    return Path(os.environ.get("CHEKHOV_DATA_DIR") or ROOT / "var").resolve() / "bench-cache"


def fingerprint() -> str:
    """Changes when the tables or the loader do."""
    digest = hashlib.sha256()
    parts = sorted((ROOT / "src" / "chekhov").glob("*/migrations/*.py"))
    for path in [*parts, ROOT / "bench" / "old.py", ROOT / "bench" / "clones.py"]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


def prepared(database: str, count: int) -> Path:
    """The kept installation with so many old receipts, made now where there is none. Its folder."""
    place = folder() / f"{database}-{count}-{fingerprint()}"
    if (place / "ready").exists() and (database == "sqlite" or _has_database(_name(place))):
        return place
    folder().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder()).free
    if free < count * FREE_BYTES_A_RECEIPT:
        raise BenchError(f"{count} old receipts and a copy want {count * FREE_BYTES_A_RECEIPT >> 30} GB of free disk")
    shutil.rmtree(place, ignore_errors=True)
    forget(f"{database}-{count}-*")  # those of older tables
    print(f"{database}: loading {count} old receipts into {place} …", file=sys.stderr)
    with House(database) as house:
        port = free_port()
        house.cloud(port)
        house.key = house.keep("shop", service_url=f"http://127.0.0.1:{port}")["key"]
        house.keep("queue", count=100)
        worker = house.worker(32)
        if house.keep("settled", timeout=60.0)["at"] is None:
            raise BenchError("the sale to clone was not fiscalized in 60 s")
        house.end(worker)
        house.keep("retire")
        told = house.once("bench.old", {"count": count}, seconds=LOAD_SECONDS)
        house.rest()
        _keep(house, place)
    (place / "ready").write_text(f"{told['receipts']}\n")
    print(
        f"{database}: {told['receipts']} old receipts in {told['seconds']:.0f} s, "
        f"checked in {told['checked_seconds']:.0f} s",
        file=sys.stderr,
    )
    return place


def reopened(database: str, count: int) -> House:
    """A copy of the kept installation, to be worked in and thrown away. It lies on the disk: what is measured next does
    not wait for its gigabytes to be written.
    """
    place = prepared(database, count)
    house = House(database, like=place, like_database=_name(place))
    os.sync()
    return house


def forget(pattern: str = "*-*-*") -> None:
    """Remove kept installations, each with its database."""
    for place in folder().glob(pattern):
        shutil.rmtree(place)
        if place.name.startswith("postgresql") and not postgresql_missing():
            with psycopg.connect(POSTGRESQL, autocommit=True) as admin:
                admin.execute(f'DROP DATABASE IF EXISTS "{_name(place)}"')


def _name(place: Path) -> str:
    """The database of a kept installation: checkouts with folders of their own have databases of their own."""
    _database, count, mark = place.name.split("-")
    return f"{_PREFIX}{count}_{mark}_{hashlib.sha256(str(place.parent).encode()).hexdigest()[:6]}"


def _has_database(name: str) -> bool:
    with psycopg.connect(POSTGRESQL, autocommit=True) as admin:
        return bool(admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchall())


def _keep(house: House, place: Path) -> None:
    """Move a finished installation to its place."""
    shutil.copytree(house.folder, place, ignore=shutil.ignore_patterns("static", "*.sqlite3*"))
    if house.database == "sqlite":
        shutil.move(house.folder / "chekhov.sqlite3", place / "chekhov.sqlite3")
        return
    with psycopg.connect(POSTGRESQL, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{_name(place)}"')
        admin.execute(f'ALTER DATABASE "{house.name}" RENAME TO "{_name(place)}"')
