"""Which register serves an automatic receipt, and the explanation that goes with it."""

from __future__ import annotations

from chekhov.registers.routing import Candidate, route

MSK, SPB, EKB = 1, 2, 3
OURS, THEIRS = 10, 20


def candidate(
    id: int, region: int = MSK, organization: int = OURS, *, active: bool = True, extra: tuple[int, ...] = ()
) -> Candidate:
    return Candidate(id, f"Касса {id}", region, organization, active, frozenset(extra))


def test_the_region_s_own_register_comes_first() -> None:
    found = route([candidate(1, SPB, extra=(MSK,)), candidate(2)], region_id=MSK, organization_id=OURS)

    assert found.register_id == 2
    assert found.code == ""
    assert "касса региона, активна — выбрана" in found.steps[-1]


def test_then_one_that_names_the_region_among_its_additional_ones() -> None:
    found = route([candidate(1, SPB, extra=(MSK, EKB))], region_id=MSK, organization_id=OURS)

    assert found.register_id == 1
    assert found.steps[0] == "Касс с этим регионом нет."
    assert "дополнительный регион" in found.steps[-1]


def test_an_inactive_own_register_gives_way_to_an_additional_one() -> None:
    found = route([candidate(1, active=False), candidate(2, SPB, extra=(MSK,))], region_id=MSK, organization_id=OURS)

    assert found.register_id == 2
    assert "не активна" in found.steps[0]


def test_of_several_the_earliest_record_serves_whatever_their_order() -> None:
    three = [candidate(3), candidate(1), candidate(2)]

    assert route(three, region_id=MSK, organization_id=OURS).register_id == 1
    assert route(three[::-1], region_id=MSK, organization_id=OURS).register_id == 1


def test_another_organization_s_register_never_serves() -> None:
    found = route(
        [candidate(1, organization=THEIRS), candidate(2, SPB, THEIRS, extra=(MSK,))],
        region_id=MSK,
        organization_id=OURS,
    )

    assert found.register_id is None
    assert found.code == "other_organization"
    assert len(found.steps) == 2


def test_an_inactive_register_leaves_the_receipt_to_a_person() -> None:
    found = route([candidate(1, active=False), candidate(2, organization=THEIRS)], region_id=MSK, organization_id=OURS)

    assert (found.register_id, found.code) == (None, "register_inactive")
    assert found.text


def test_nothing_at_all_is_explained_too() -> None:
    found = route([candidate(1, SPB)], region_id=MSK, organization_id=OURS)

    assert (found.register_id, found.code) == (None, "no_register")
    assert found.steps == ("Касс с этим регионом нет.", "Касс с этим дополнительным регионом нет.")
