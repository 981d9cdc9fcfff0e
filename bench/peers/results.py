"""The table of results, the same for the peers that store: one row and one commit a finished job."""

from __future__ import annotations

import os
from typing import Any

import orjson

TABLE = (
    "CREATE TABLE IF NOT EXISTS peer_result (number integer PRIMARY KEY, task_id bigint NOT NULL, state text NOT NULL, "
    "fiscal jsonb NOT NULL, began_ns bigint NOT NULL, stored_at timestamptz NOT NULL DEFAULT now())"
)
# a job that is done twice keeps its first result
INSERT = (
    "INSERT INTO peer_result (number, task_id, state, fiscal, began_ns) VALUES (%s, %s, %s, %s, %s) "
    "ON CONFLICT (number) DO NOTHING"
)


def url() -> str:
    """The peers' own database."""
    return os.environ["BENCH_PEERS_DATABASE_URL"]


def row(number: int, told: dict[str, Any], began_ns: int) -> tuple[Any, ...]:
    """The parameters of INSERT for the provider's answer about a task."""
    return number, told["id"], told["state"], orjson.dumps(told.get("fiscal_data", {})).decode(), began_ns
