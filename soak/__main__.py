"""``make soak MINUTES=30``: both databases at the same time; writes var/soak.json, exits 1 if anything is wrong.

A row of the file: {database, minutes, facts, documents, faults, lost, doubled, false_states, …}.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from soak import postgres
from soak.campaign import Plan, failed, plan_fields
from soak.house import ROOT, die_with_parent

GIVEN = os.environ.get("SOAK_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")


def main() -> int:
    """Run the campaigns, print what came of them, write the file."""
    options = _options()
    seed = options.seed if options.seed is not None else secrets.randbelow(1_000_000)
    names = ["sqlite", "postgresql"] if options.database == "both" else [options.database]
    print(f"soak: {', '.join(names)}, {options.minutes:g} minutes, seed {seed}", file=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="chekhov-soak-plan-") as folder:
        given = _given() if "postgresql" in names else ""
        running = {}
        for name in names:
            plan = Plan.of(name, options.minutes * 60, seed, rate=options.rate, given=given if name != "sqlite" else "")
            plan_file, row_file = Path(folder) / f"{name}.plan", Path(folder) / f"{name}.row"
            plan_file.write_text(json.dumps(plan_fields(plan)), encoding="utf-8")
            process = subprocess.Popen(
                [sys.executable, "-m", "soak.campaign", str(plan_file), str(row_file)],
                cwd=ROOT,
                preexec_fn=die_with_parent,  # noqa: PLW1509 -- one thread
            )
            running[name] = (process, row_file)
        try:
            for process, _ in running.values():
                process.wait()
        finally:
            for process, _ in running.values():
                if process.poll() is None:
                    process.terminate()
                    process.wait()
            if given:
                _drop(given)
        rows = [_row(name, row_file) for name, (_, row_file) in running.items()]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        _print(row)
    print(f"written to {options.output}")
    return 1 if any(failed(row) for row in rows) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("MINUTES", "30")))
    parser.add_argument("--database", choices=["both", "sqlite", "postgresql"], default="both")
    parser.add_argument("--rate", type=float, default=5.0, help="facts a second for each database, about")
    parser.add_argument("--seed", type=int, help="of the misfortunes; default: another one each time, printed")
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "soak.json")
    return parser.parse_args()


def _given() -> str:
    """Empty where a server of our own can be started; else a fresh database of the given one, and a word about it."""
    reason = postgres.missing()
    if not reason:
        return ""
    name = f"chekhov_soak_{os.getpid()}"
    print(f"soak: {reason}; using a database of {GIVEN.rsplit('@', 1)[-1]}, without restarts", file=sys.stderr)
    with psycopg.connect(GIVEN, autocommit=True) as session:
        session.execute(f'CREATE DATABASE "{name}"'.encode())
    return GIVEN.rsplit("/", 1)[0] + f"/{name}"


def _drop(address: str) -> None:
    with psycopg.connect(GIVEN, autocommit=True) as session:
        session.execute(f'DROP DATABASE IF EXISTS "{address.rsplit("/", 1)[1]}" WITH (FORCE)'.encode())


def _row(name: str, file: Path) -> dict[str, Any]:
    if file.exists():
        row: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return row
    zeros = dict.fromkeys(("minutes", "facts", "documents", "faults", "lost", "doubled", "false_states"), 0)
    return {"database": name, **zeros, "bad": ["the campaign itself fell; see above"]}


def _print(row: dict[str, Any]) -> None:
    verdict = "FAILED" if failed(row) else "ok"
    figures = ", ".join(f"{name} {row[name]}" for name in ("facts", "documents", "faults", "lost", "doubled"))
    print(f"[{verdict}] {row['database']}: {row['minutes']} min, {figures}, false states {row['false_states']}")
    for kind, count in row.get("faults_by_kind", {}).items():
        print(f"       {kind} {count}")
    for text in row["bad"]:
        print(f"    !! {text}")


if __name__ == "__main__":
    sys.exit(main())
