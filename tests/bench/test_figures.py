"""How a figure of the bench is judged, shown and written down."""

import orjson
import pytest

from bench.figures import Calm, Figure, calm, merged, percentile, short, side_by_side, table


def rate(value, **more):
    return Figure("deliver", "sqlite", value, "per s", **more)


@pytest.mark.parametrize(
    ("value", "unit", "must", "goal", "mark"),
    [
        (999, "per s", 1000, 2000, "MISSED"),
        (1000, "per s", 1000, 2000, "must"),
        (2000, "per s", 1000, 2000, "goal"),
        (51, "ms", 50, 20, "MISSED"),
        (50, "ms", 50, 20, "must"),
        (20, "ms", 50, 20, "goal"),
        (120, "ms", 150, 100, "must"),
        (1999, "per s", None, 2000, "short of goal"),
        (2000, "per s", None, 2000, "goal"),
        (1, "per s", None, None, ""),
    ],
)
def test_the_furthest_bound_reached_is_named(value, unit, must, goal, mark):
    assert Figure("x", "sqlite", value, unit, must=must, goal=goal).mark == mark


def test_a_goal_that_is_laxer_than_the_must_does_not_hide_a_miss():
    slow = Figure("panel", "sqlite", 200, "ms", must=150, goal=300)
    assert slow.mark == "MISSED"


def test_the_best_peer_is_the_quickest_by_the_figures_own_direction():
    peers = {"one": 100.0, "two": 400.0}
    assert rate(800, peers=peers).best_peer() == 400
    assert Figure("x", "sqlite", 5, "ms", peers=peers).best_peer() == 100
    assert rate(800).best_peer() is None


def test_a_row_has_the_fields_of_the_public_format():
    quiet = Calm(load=0.5, busy_percent=3.0, loop_ms=40.0)
    row = rate(1200, floor=3000.0, must=1000, peers={"one": 300.0}, rounds=(1100.0, 1200.0), calm=quiet).as_json()
    assert {"name", "database", "value", "unit", "floor", "peers", "ratio_to_floor", "ratio_to_best_peer"} <= set(row)
    assert row["ratio_to_floor"] == 0.4
    assert row["ratio_to_best_peer"] == 4.0
    assert row["reached"] == "must"
    assert row["rounds"] == [1100.0, 1200.0]
    assert row["calm"] == {"load": 0.5, "busy_percent": 3.0, "loop_ms": 40.0}
    assert orjson.loads(orjson.dumps(row)) == row


def test_a_row_without_floor_and_peers_says_null():
    row = rate(1200).as_json()
    assert row["floor"] is row["ratio_to_floor"] is row["ratio_to_best_peer"] is None
    assert row["peers"] == {}


def test_the_table_names_bounds_peers_and_what_is_missed():
    lines = table([rate(900, floor=1800.0, must=1000, goal=2000, peers={"Celery + SDK": 90.0})]).splitlines()
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert len(cells) == lines[0].count("|") - 1
    assert cells[5:9] == ["0.50", "≥ 1,000", "≥ 2,000", "MISSED"]
    assert "Celery + SDK 90.0" in cells[9]


@pytest.mark.parametrize(("share", "found"), [(0.5, 51), (0.95, 96), (0.99, 100), (1.0, 100)])
def test_a_percentile_is_a_value_that_was_seen(share, found):
    assert percentile(range(100, 0, -1), share) == found


def test_a_single_value_is_every_percentile():
    assert percentile([7.0], 0.99) == 7.0


def test_a_part_of_a_run_replaces_its_rows_and_keeps_the_others():
    old = [rate(1).as_json(), Figure("accept", "sqlite", 2, "per s").as_json()]
    fresh = [rate(3).as_json(), Figure("deliver", "postgresql", 4, "per s").as_json()]
    rows = merged(old, fresh)
    assert [(row["name"], row["database"], row["value"]) for row in rows] == [
        ("deliver", "sqlite", 3),
        ("accept", "sqlite", 2),
        ("deliver", "postgresql", 4),
    ]


def test_numbers_are_as_long_as_they_are_worth():
    assert [short(value) for value in (1234.5, 12.34, 1.234)] == ["1,234", "12.3", "1.23"]


def test_the_machine_is_looked_at():
    seen = calm()
    assert 0 <= seen.busy_percent <= 100
    assert seen.loop_ms > 0


def test_both_databases_stand_in_one_line():
    rows = [
        rate(1200, floor=3000.0, must=1000).as_json(),
        Figure("deliver", "postgresql", 900, "per s", must=1000, goal=1500).as_json(),
        Figure("memory", "postgresql", 90, "MB", must=200).as_json(),
    ]
    lines = side_by_side(rows).splitlines()
    assert lines[2] == "| deliver | per s | 1,200 | 0.40 | 900 |  | ≥ 1,000 | – / ≥ 1,500 | must / MISSED |"
    assert lines[3] == "| memory | MB |  |  | 90.0 |  | – / ≤ 200 |  | – / must |"
