"""A medical report is folded from its facts by their own times: no order of entry changes what it comes to, and none is lost."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from shared.casework.reports.domain import WAY, Fact, Gap, Standing, Step, standing

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
SEEDS = 300  # stories of up to nine facts, each told in three orders: a tenth of a second


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def story(chance: random.Random) -> list[Fact]:
    steps = [*WAY[1:], Step.HANDED_BACK, Step.HELD, Step.RELEASED, Step.FEE_ASKED]
    codes = [None, "M-AAAAAA", "M-BBBBBB"]
    return [
        Fact(chance.choice(steps), at(chance.randrange(12)), chance.random() < 0.7, chance.choice(codes))
        for _ in range(chance.randrange(9))
    ]


def test_any_order_of_entry_comes_to_the_same() -> None:
    for seed in range(SEEDS):
        chance = random.Random(seed)
        facts = [Fact(Step.REQUESTED, at(-1)), *story(chance)]
        found: list[Standing] = []
        for _ in range(3):
            chance.shuffle(facts)
            found.append(standing(facts, 10))
        assert found[1:] == found[:1] * 2, seed


def test_nothing_is_lost_and_nothing_made_up() -> None:
    for seed in range(SEEDS):
        facts = [Fact(Step.REQUESTED, at(-1)), *story(random.Random(seed))]
        now = standing(facts, 10)
        said = {(one.step, one.occurred_at) for one in facts}
        assert set(now.first.items()) <= said
        assert now.status in {Step.HANDED_BACK, *now.first}
        backs = [one.occurred_at for one in facts if one.step is Step.HANDED_BACK]
        for one in facts:  # a step is left out only where the form that it stood on was handed back after it
            if one.step in WAY and one.step not in now.first:
                assert one.occurred_at < max(backs)
                assert one.step not in {Step.REQUESTED, Step.EXAMINED}


SIGNED_WAY = [Fact(Step.REQUESTED, at(0)), Fact(Step.EXAMINED, at(1)), Fact(Step.SIGNED, at(2)), Fact(Step.READY, at(3))]


def test_a_form_that_is_handed_back_undoes_the_signature_and_not_the_examination() -> None:
    now = standing([*SIGNED_WAY, Fact(Step.HANDED_BACK, at(4))])
    assert (now.status, set(now.first)) == (Step.HANDED_BACK, {Step.REQUESTED, Step.EXAMINED})
    again = standing([*SIGNED_WAY, Fact(Step.HANDED_BACK, at(4)), Fact(Step.SIGNED, at(5))])
    assert (again.status, again.first[Step.SIGNED], again.gaps) == (Step.SIGNED, at(5), frozenset())


@pytest.mark.parametrize(
    ("facts", "gap"),
    [
        ([Fact(Step.SIGNED, at(1))], Gap.NOT_EXAMINED),
        ([Fact(Step.EXAMINED, at(2)), Fact(Step.SIGNED, at(1))], Gap.NOT_EXAMINED),
        ([Fact(Step.EXAMINED, at(1)), Fact(Step.READY, at(2))], Gap.NOT_SIGNED),
        ([*SIGNED_WAY, Fact(Step.COLLECTED, at(4)), Fact(Step.COLLECTED, at(5))], Gap.COLLECTED_TWICE),
        ([*SIGNED_WAY, Fact(Step.COLLECTED, at(4), code="M-A"), Fact(Step.COLLECTED, at(4), False, "M-B")], Gap.CODES_DIFFER),
    ],
)
def test_what_does_not_fit_is_named(facts: list[Fact], gap: Gap) -> None:
    assert standing(facts).gaps == {gap}


def test_both_ends_of_one_hand_over_are_one() -> None:
    both = [Fact(Step.COLLECTED, at(4), True, "M-A"), Fact(Step.COLLECTED, at(4.1), False, "M-A")]
    assert standing([*SIGNED_WAY, *both]).gaps == frozenset()


def test_the_limit_counts_from_the_last_time_somebody_was_held() -> None:
    held, again = Fact(Step.HELD, at(0)), Fact(Step.HELD, at(48))
    assert standing([held], 10).limit_at == at(240)
    assert standing([held, Fact(Step.RELEASED, at(24))], 10).limit_at is None
    assert standing([held, Fact(Step.RELEASED, at(24)), again], 10).limit_at == at(288)
    assert standing([held, Fact(Step.RELEASED, at(240))], 10).limit_at == at(240)  # released because of it
    assert standing([held], None).limit_at is None
