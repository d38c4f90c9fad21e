"""Where a complaint stands depends on when things happened and never on when they were entered."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.police.complaints.domain import MILESTONES, Fact, Gap, State, in_order, standing
from shared.casework.messages.views import safe_hours
from shared.contracts.casework.codes import DATED, ProgressCode, SafeHours

P = ProgressCode
START = datetime(2026, 1, 5, 8, tzinfo=UTC)


def at(hour: int, code: ProgressCode) -> Fact:
    return Fact(code, START + timedelta(hours=hour), date(2026, 3, 1) if code in DATED else None)


FACTS = st.lists(st.builds(at, st.integers(0, 6), st.sampled_from(sorted(MILESTONES))), max_size=12)


@settings(max_examples=150, deadline=None)
@given(facts=FACTS, seed=st.integers(0, 1_000))
def test_any_order_of_late_facts_ends_the_same(facts: list[Fact], seed: int) -> None:
    entered = [*facts]
    Random(seed).shuffle(entered)
    found = standing(entered)
    assert found == standing(facts)
    assert found == standing([*facts, *facts]), "what is said twice is one fact"
    known = standing(())
    for count in range(len(entered) + 1):  # entered one by one: every moment on the way is a standing too
        known = standing(entered[:count])
    assert known == found
    moments = [one.occurred_at for one in in_order(facts)]
    assert moments == sorted(moments)
    assert set(found.first) == {one.code for one in facts}
    assert (found.state is State.ENDED) == (P.VERDICT in found.first)


@pytest.mark.parametrize(
    ("story", "state", "gaps"),
    [
        ([P.COMPLAINT_REGISTERED, P.STATEMENT_TAKEN], State.OPEN, set()),
        ([P.COMPLAINT_REGISTERED, P.COMPLAINT_WITHDRAWN], State.WITHDRAWN, set()),
        ([P.COMPLAINT_REGISTERED, P.COMPLAINT_WITHDRAWN, P.COMPLAINT_REOPENED], State.OPEN, set()),
        ([P.COMPLAINT_WITHDRAWN, P.COMPLAINT_REOPENED, P.COMPLAINT_WITHDRAWN], State.WITHDRAWN, set()),
        ([P.COMPLAINT_REGISTERED, P.COMPLAINT_REOPENED], State.OPEN, {Gap.REOPENED_WITHOUT_WITHDRAWAL}),
        ([P.COMPLAINT_WITHDRAWN, P.CHARGED, P.COMPLAINT_WITHDRAWN], State.WITHDRAWN, {Gap.WITHDRAWN_TWICE}),
        ([P.COMPLAINT_WITHDRAWN, P.VERDICT], State.ENDED, set()),
        ([P.VERDICT, P.COMPLAINT_WITHDRAWN], State.ENDED, {Gap.AFTER_THE_VERDICT}),
    ],
)
def test_a_complaint_goes_as_its_facts_go(story: list[ProgressCode], state: State, gaps: set[Gap]) -> None:
    found = standing(at(hour, code) for hour, code in enumerate(story))
    assert (found.state, set(found.gaps)) == (state, gaps)


@pytest.mark.parametrize(
    ("relay", "safety", "was_unsafe", "hours"),
    [
        (None, None, False, None),  # nobody is called by default
        ({"safe_hours": "never"}, None, False, None),
        ({"safe_hours": "morning"}, None, False, SafeHours.MORNING),
        ({"safe_hours": "morning"}, {"alone_on_phone": "unknown"}, False, SafeHours.MORNING),
        ({"safe_hours": "morning"}, {"alone_on_phone": "no"}, False, None),
        ({"safe_hours": "morning"}, None, True, None),  # once it was not safe, she is told when she comes
    ],
)
def test_a_message_goes_only_where_she_has_said_so(
    relay: dict[str, str] | None, safety: dict[str, str] | None, was_unsafe: bool, hours: SafeHours | None
) -> None:
    assert safe_hours(relay, safety, was_unsafe=was_unsafe) is hours
