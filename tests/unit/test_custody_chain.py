"""The chain of custody of a sample: any order of typing comes to the same, and a gap is named, whatever it is."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from shared.casework.custody.domain import ENDS, Act, Gap, Link, chain

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
SEEDS = 300


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


WHOLE = [
    Link(Act.COLLECTED, at(0), "nurse"), Link(Act.SEALED, at(1), "nurse", seal="A1"), Link(Act.STORED, at(2), "nurse"),
    Link(Act.HANDED_OVER, at(3), "nurse", "officer", "A1"),
]  # fmt: skip


def test_any_order_of_typing_comes_to_the_same_chain() -> None:
    for seed in range(SEEDS):
        chance = random.Random(seed)
        links = [
            Link(
                chance.choice(list(Act)), at(chance.randrange(9)), chance.choice("abc"), chance.choice(["a", "b", None]),
                chance.choice(["A1", "B2", None]),
            )
            for _ in range(chance.randrange(8))
        ]  # fmt: skip
        found = chain(links)
        chance.shuffle(links)
        assert chain(links) == found, seed
        assert (found.state is None) == (not links)
        assert found.state not in ENDS or found.holder is None


def test_a_whole_chain_has_no_gap_and_leaving_any_line_out_of_it_shows() -> None:
    whole = chain(WHOLE)
    assert (whole.state, whole.holder, whole.seal, whole.gaps) == (Act.HANDED_OVER, "officer", "A1", frozenset())
    for left_out in (WHOLE[0], WHOLE[1]):
        assert chain([one for one in WHOLE if one is not left_out]).gaps


@pytest.mark.parametrize(
    ("links", "gap"),
    [
        ([Link(Act.SEALED, at(1), "nurse", seal="A1")], Gap.NOT_COLLECTED),
        ([WHOLE[0], Link(Act.HANDED_OVER, at(1), "nurse", "officer")], Gap.NOT_SEALED),
        ([*WHOLE[:3], Link(Act.HANDED_OVER, at(3), "nurse", "officer", "A2")], Gap.SEAL_DIFFERS),
        ([*WHOLE, Link(Act.HANDED_OVER, at(5), "porter", "laboratory", "A1")], Gap.HOLDER_DIFFERS),
        ([*WHOLE[:3], Link(Act.DESTROYED, at(3), "nurse", "doctor"), Link(Act.STORED, at(4), "nurse")], Gap.AFTER_THE_END),
    ],
)
def test_a_broken_chain_is_named(links: list[Link], gap: Gap) -> None:
    assert chain(links).gaps == {gap}
