"""The life of a referral: every reachable pair of ends is walked, and none ends in disagreement or in an illegal state."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.casework import codes, events, lifecycle, minimal_data
from shared.contracts.casework.codes import ENDED, ReferralState, Urgency
from shared.contracts.casework.events import Event
from shared.contracts.casework.lifecycle import Details, IllegalTransition, MissingDetail, Recipient, Standing, Transition

S = ReferralState
T = Transition

DETAILS = {
    T.DECLINE: Details(reason_code="not_eligible"),
    T.REDIRECT: Details(to_facility="clinic-b"),
    T.SUGGEST: Details(to_agency="partner"),
    T.CLOSE: Details(outcome_code=codes.OutcomeCode.ADMITTED),  # crosses as finished
    T.CANCEL: Details(reason_code="duplicate"),
    T.SET_OUT: Details(mode=codes.TravelMode.CAR, escort=codes.Escort.OFFICER),
    T.TOLD_BY_PHONE: Details(post="duty_nurse"),
    T.ARRIVE: Details(facility="clinic-a"),
}
FEEDBACK_YES, FEEDBACK_NO, GRID, TAKE_BACK = "feedback: yes", "feedback: no", "grid moment", "consent taken back"
NEXT_VISIT = "a next visit is set"
CLOSES = {"close: moved away": codes.OutcomeCode.MOVED_AWAY, "close: not eligible": codes.OutcomeCode.NOT_ELIGIBLE}


@dataclass(frozen=True)
class World:
    """Both ends and what is under way between them. Each direction keeps order; a consent taken back may overtake."""

    issuer: Standing
    end: Recipient
    to_recipient: tuple[Event, ...] = ()
    to_issuer: tuple[Event, ...] = ()
    back: bool = False  # a consent taken back is under way


def start(urgency: Urgency, *, feedback_agreed: bool) -> World:
    first = lifecycle.issue(urgency, "clinic-a")
    return World(first, Recipient(first, first, feedback_agreed))


def own(world: World, facts: tuple[Event, ...]) -> World:
    for fact in facts:
        end, said = lifecycle.tell(world.end, fact)
        world = replace(world, end=end, to_issuer=world.to_issuer + said)
    return world


def step(world: World, move: object) -> World:
    """The world after a move; raises IllegalTransition where the move is refused."""
    if move == "deliver to recipient":
        end, said = lifecycle.hear(world.end, world.to_recipient[0])
        return replace(world, end=end, to_recipient=world.to_recipient[1:], to_issuer=world.to_issuer + said)
    if move == "deliver to issuer":
        return replace(world, issuer=lifecycle.evolve(world.issuer, world.to_issuer[0]), to_issuer=world.to_issuer[1:])
    if move == "deliver consent":
        end, said = lifecycle.hear(world.end, BACK)
        return replace(world, end=end, to_issuer=world.to_issuer + said, back=False)
    if move == TAKE_BACK:
        return replace(world, issuer=lifecycle.evolve(world.issuer, BACK), back=True)
    if move in {FEEDBACK_YES, FEEDBACK_NO}:
        end, said = lifecycle.answer_feedback(world.end, yes=move == FEEDBACK_YES)
        return replace(world, end=end, to_issuer=world.to_issuer + said)
    if move == GRID:
        return own(world, lifecycle.no_feedback_word(world.end))
    if move in {NEXT_VISIT, *CLOSES}:
        return at_the_clinic(world, str(move))
    assert isinstance(move, Transition)
    details = DETAILS.get(move, Details())
    if move in lifecycle.ISSUERS:
        facts = lifecycle.decide(world.issuer, move, details)
        issuer = lifecycle.fold(world.issuer, facts)
        return replace(world, issuer=issuer, to_recipient=world.to_recipient + facts)
    return own(world, lifecycle.decide(world.end.standing, move, details))


def at_the_clinic(world: World, move: str) -> World:
    if move == NEXT_VISIT:
        return replace(world, end=replace(world.end, another_visit=True))
    return own(world, lifecycle.decide(world.end.standing, T.CLOSE, Details(outcome_code=CLOSES[move])))


BACK = events.ConsentTakenBack(consent=UUID(int=7), circle=UUID(int=8))
COMMANDS: tuple[object, ...] = (*Transition, FEEDBACK_YES, FEEDBACK_NO, GRID, NEXT_VISIT, *CLOSES)


def moves(world: World) -> list[object]:
    found: list[object] = list(COMMANDS)
    if world.to_recipient:
        found.append("deliver to recipient")
    if world.to_issuer:
        found.append("deliver to issuer")
    if world.back:
        found.append("deliver consent")
    elif not world.issuer.consent_taken_back:
        found.append(TAKE_BACK)
    return found


def settle(world: World) -> World:
    while world.to_recipient or world.to_issuer or world.back:
        if world.to_recipient:
            world = step(world, "deliver to recipient")
        elif world.to_issuer:
            world = step(world, "deliver to issuer")
        else:
            world = step(world, "deliver consent")
    return world


def check(world: World) -> None:
    for standing in (world.issuer, world.end.standing, world.end.told):
        assert (standing.state is S.ON_HOLD) == (standing.held_from is not None)
        assert standing.state not in ENDED or standing.cancel_pending is None
        assert (standing.state is S.CLOSED) == (standing.outcome is not None)
        assert standing.state not in {S.ARRIVED, S.IN_SERVICE} or standing.arrived
        assert standing.arrived or (standing.expected, standing.waited) == (None, False)
        assert standing.state is not S.DRAFTED
    for word in world.to_issuer:
        assert lifecycle.told_as(word) == word, "finer than the words in which it may cross"
    settled = settle(world)
    assert lifecycle.agree(settled.issuer, settled.end), (settled.issuer, settled.end)
    if not settled.issuer.consent_taken_back:
        assert settled.issuer == settled.end.told


FLYING_MAX = 2  # messages under way each way: more only repeat what two show


def reachable(urgency: Urgency, *, feedback_agreed: bool, flying_max: int = FLYING_MAX) -> Iterator[World]:
    """Every pair of ends that moves lead to, from the first on."""
    seen = {first := start(urgency, feedback_agreed=feedback_agreed)}
    queue = deque([first])
    while queue:
        world = queue.popleft()
        yield world
        for move in moves(world):
            if move is T.NOT_HERE and flying_max > 1:
                continue  # takes her back to where she was: with one message each way the whole walk is short enough
            if move in {T.SET_OUT, T.TOLD_BY_PHONE, T.SUGGEST, T.NOT_ATTENDED, T.REDIRECT, NEXT_VISIT, "close: not eligible"}:
                continue  # facts beside the state: the random walk below has them
            try:
                after = step(world, move)
            except (IllegalTransition, MissingDetail):
                continue
            if len(after.to_recipient) > flying_max or len(after.to_issuer) > flying_max or len(after.end.untold) > flying_max:
                continue
            if after not in seen:
                seen.add(after)
                queue.append(after)


# A quarter of a minute each: two of the four, in which each of both differs, are asked by `make check`.
@pytest.mark.parametrize(
    ("urgency", "feedback_agreed"),
    [
        (Urgency.ACUTE, True),
        (Urgency.ROUTINE, False),
        pytest.param(Urgency.ACUTE, False, marks=pytest.mark.long),
        pytest.param(Urgency.ROUTINE, True, marks=pytest.mark.long),
    ],
)
def test_every_reachable_pair_of_ends_agrees_once_nothing_is_under_way(urgency: Urgency, feedback_agreed: bool) -> None:
    states, count = set(), 0
    for world in reachable(urgency, feedback_agreed=feedback_agreed):
        check(world)
        states.add(world.end.standing.state)
        count += 1
    assert states == set(S) - {S.DRAFTED}
    assert count > 1_000


def test_every_reachable_pair_of_ends_agrees_where_somebody_else_may_have_come() -> None:
    walked = list(reachable(Urgency.ROUTINE, feedback_agreed=True, flying_max=1))
    for world in walked:
        check(world)
    assert any(not world.end.standing.arrived and world.issuer.arrived for world in walked), "told, and not yet taken back there"


def cancels_alone(_standing: Standing, details: Details) -> tuple[Event, ...]:
    return (events.Cancelled(reason_code=codes.CancelReason(str(details.reason_code))),)


def never_answers(*_: object) -> tuple[Event, ...]:
    return ()


def changes_nothing(standing: Standing, _fact: Event) -> Standing:
    return standing


# One rule of "the recipient's database decides" left out: of what object, under which name, and what stands in its place.
LEFT_OUT: dict[str, tuple[Any, Any, Any]] = {
    "the issuer only asks": (lifecycle._DECISIONS, T.CANCEL, cancels_alone),
    "the recipient's machine answers what no person has to": (lifecycle, "answer_cancel", never_answers),
    "a refusal names what stands, and the issuer adopts it": (lifecycle._STEPS, events.EndedUndisclosed, changes_nothing),
}


QUIET_MIN = 20  # that disagree with one message under way each way; with two there are more than a hundred


def quiet_states_that_disagree() -> int:
    quiet = {settle(world) for world in reachable(Urgency.ROUTINE, feedback_agreed=True, flying_max=1)}
    return sum(not lifecycle.agree(world.issuer, world.end) for world in quiet)


@pytest.mark.parametrize("rule", LEFT_OUT)
def test_without_a_rule_of_the_request_to_cancel_the_ends_disagree_for_ever(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert quiet_states_that_disagree() == 0
    inside, name, instead = LEFT_OUT[rule]
    if isinstance(inside, dict):
        monkeypatch.setitem(inside, name, instead)
    else:
        monkeypatch.setattr(inside, name, instead)
    assert quiet_states_that_disagree() >= QUIET_MIN


@settings(max_examples=1_000)
@given(
    st.sampled_from(Urgency),
    st.booleans(),
    st.lists(st.sampled_from([*COMMANDS, TAKE_BACK, "deliver to recipient", "deliver to issuer", "deliver consent"]), max_size=60),
)
def test_no_random_story_makes_the_ends_disagree(urgency: Urgency, feedback_agreed: bool, story: list[object]) -> None:
    world = start(urgency, feedback_agreed=feedback_agreed)
    for move in story:
        if move not in moves(world):
            continue
        try:
            world = step(world, move)
        except (IllegalTransition, MissingDetail):
            continue
    check(world)


def after(*path: Transition, urgency: Urgency = Urgency.ROUTINE) -> Standing:
    standing = lifecycle.issue(urgency, "clinic-a")
    for transition in path:
        standing = lifecycle.fold(standing, lifecycle.decide(standing, transition, DETAILS.get(transition, Details())))
    return standing


LADDER: dict[ReferralState, tuple[Transition, ...]] = {
    S.ISSUED: (),
    S.ACKNOWLEDGED: (T.ACKNOWLEDGE,),
    S.ACCEPTED: (T.ACCEPT,),
    S.ON_HOLD: (T.ACCEPT, T.HOLD),
    S.ARRIVED: (T.ARRIVE,),
    S.IN_SERVICE: (T.ARRIVE, T.START),
    S.DECLINED: (T.DECLINE,),
    S.CLOSED: (T.ARRIVE, T.CLOSE),
}
OPEN_STATES = [S.ISSUED, S.ACKNOWLEDGED, S.ACCEPTED, S.ON_HOLD, S.ARRIVED, S.IN_SERVICE]
# Which transition is legal from which state, written down apart from the code that decides it.
LEGAL = {
    T.ACKNOWLEDGE: {S.ISSUED},
    T.ACCEPT: {S.ISSUED, S.ACKNOWLEDGED},
    T.DECLINE: set(OPEN_STATES),
    T.REDIRECT: set(OPEN_STATES),
    T.SUGGEST: set(OPEN_STATES),
    T.ARRIVE: {*OPEN_STATES, *ENDED},
    T.NOT_HERE: {S.ARRIVED},
    T.START: {S.ARRIVED},
    T.HOLD: {S.ACCEPTED, S.ARRIVED, S.IN_SERVICE},
    T.RESUME: {S.ON_HOLD},
    T.NOT_ATTENDED: {S.ISSUED, S.ACKNOWLEDGED, S.ACCEPTED, S.ON_HOLD},
    T.CLOSE: {S.ARRIVED, S.IN_SERVICE},
    T.CONFIRM_CANCEL: set(),
    T.REFUSE_CANCEL: set(),
    T.CANCEL: set(OPEN_STATES),
    T.SET_OUT: set(OPEN_STATES),
    T.TOLD_BY_PHONE: set(OPEN_STATES),
}


@pytest.mark.parametrize("transition", list(Transition))
@pytest.mark.parametrize("state", list(LADDER))
def test_a_transition_is_legal_exactly_where_the_table_says(state: ReferralState, transition: Transition) -> None:
    standing = after(*LADDER[state])
    assert standing.state is state
    if state in LEGAL[transition]:
        assert lifecycle.decide(standing, transition, DETAILS.get(transition, Details()))
    else:
        with pytest.raises(IllegalTransition):
            lifecycle.decide(standing, transition, DETAILS.get(transition, Details()))


def test_an_acute_referral_cannot_be_declined_once_she_is_at_the_door() -> None:
    with pytest.raises(IllegalTransition, match="at the door"):
        lifecycle.decide(after(T.ARRIVE, urgency=Urgency.ACUTE), T.DECLINE, DETAILS[T.DECLINE])


def test_declining_an_acute_referral_without_a_next_place_asks_for_an_alarm() -> None:
    standing = after(urgency=Urgency.ACUTE)
    (fact,) = lifecycle.decide(standing, T.DECLINE, DETAILS[T.DECLINE])
    assert lifecycle.declined_without_next_place(standing, fact)
    (fact,) = lifecycle.decide(standing, T.DECLINE, Details(reason_code="no_staff", next_facility="clinic-b"))
    assert not lifecycle.declined_without_next_place(standing, fact)


def test_an_arrival_after_the_end_is_recorded_and_reopens_nothing() -> None:
    standing = after(T.DECLINE)
    (fact,) = lifecycle.decide(standing, T.ARRIVE, DETAILS[T.ARRIVE])
    assert isinstance(fact, events.CameWithoutReferral)
    assert lifecycle.evolve(standing, fact).state is S.DECLINED


def test_a_hold_resumes_where_it_was() -> None:
    assert after(T.ARRIVE, T.START, T.HOLD, T.RESUME).state is S.IN_SERVICE


def test_an_arrival_on_hold_before_she_came_ends_the_hold() -> None:
    assert after(T.ACCEPT, T.HOLD, T.ARRIVE).state is S.ARRIVED


def test_who_was_somebody_else_leaves_her_expected_where_and_as_she_was() -> None:
    for before in ((T.ACCEPT,), (T.ACCEPT, T.HOLD)):
        first = after(*before)
        came = lifecycle.fold(first, lifecycle.decide(first, T.ARRIVE, Details(facility="clinic-b")))
        assert (came.state, came.facility) == (S.ARRIVED, "clinic-b")
        again = lifecycle.fold(came, lifecycle.decide(came, T.ARRIVE, Details(facility="clinic-c")))
        assert lifecycle.fold(again, lifecycle.decide(again, T.NOT_HERE, Details())) == first
    assert after(T.ARRIVE, T.NOT_HERE, T.ARRIVE, T.START).state is S.IN_SERVICE
    assert after(T.ARRIVE, T.NOT_HERE).state is S.ACCEPTED  # somebody was ready for her, and is


def test_who_was_somebody_else_is_told_exactly_where_her_coming_was() -> None:
    silent = step(step(start(Urgency.ACUTE, feedback_agreed=True), T.ARRIVE), T.NOT_HERE)
    assert told_of(silent) == ["referral.accepted"]
    assert silent.end.untold == ()
    assert told_of(step(silent, FEEDBACK_YES)) == ["referral.accepted"], "what was kept back was about somebody else"
    world = start(Urgency.ACUTE, feedback_agreed=True)
    for move in (T.ARRIVE, FEEDBACK_YES, T.NOT_HERE):
        world = step(world, move)
    assert told_of(world) == ["referral.accepted", "referral.arrived", "referral.arrived_in_error"]
    assert not world.end.feedback, "whoever said yes was somebody else"
    came = step(world, T.ARRIVE)
    assert told_of(came) == told_of(world), "she was not asked yet"


def test_that_there_is_no_more_news_is_taken_back_only_where_it_was_said_because_somebody_came() -> None:
    for agreed, words in ((True, ["referral.arrived_in_error"]), (False, [])):
        world = start(Urgency.ACUTE, feedback_agreed=agreed)
        for move in (T.ARRIVE, GRID, T.NOT_HERE):
            world = step(world, move)
        assert told_of(world)[2:] == words
        assert settle(world).issuer.no_feedback is not agreed
        check(world)


def test_where_she_came_is_known_though_it_is_told_after_the_end() -> None:
    world = start(Urgency.ACUTE, feedback_agreed=False)
    for move in (T.REDIRECT, T.ARRIVE, T.CANCEL, "deliver to recipient", T.CONFIRM_CANCEL, FEEDBACK_YES):
        world = step(world, move)
    check(world)
    assert settle(world).issuer.facility == "clinic-a"


def test_an_acute_referral_can_be_declined_again_where_nobody_had_come() -> None:
    standing = after(T.ARRIVE, T.NOT_HERE, urgency=Urgency.ACUTE)
    assert lifecycle.decide(standing, T.DECLINE, DETAILS[T.DECLINE])


def test_serving_needs_an_arrival_and_other_outcomes_do_not() -> None:
    with pytest.raises(IllegalTransition, match="record first that she came"):
        lifecycle.decide(after(T.ACCEPT), T.CLOSE, DETAILS[T.CLOSE])
    assert lifecycle.decide(after(T.ACCEPT), T.CLOSE, Details(outcome_code=codes.OutcomeCode.MOVED_AWAY))


def test_a_missing_or_foreign_detail_is_named() -> None:
    with pytest.raises(MissingDetail) as error:
        lifecycle.decide(after(), T.DECLINE, Details())
    assert error.value.field == "reason_code"
    with pytest.raises(MissingDetail, match="no_staff"):
        lifecycle.decide(after(), T.DECLINE, Details(reason_code="bored"))


def told_of(world: World) -> list[str]:
    return [fact.type for fact in world.to_issuer]


def test_an_arrival_without_feedback_tells_only_the_promise_to_serve() -> None:
    world = step(start(Urgency.ACUTE, feedback_agreed=True), T.ARRIVE)
    assert told_of(world) == ["referral.accepted"]
    world = step(step(world, T.CLOSE), GRID)
    assert told_of(world) == ["referral.accepted", "referral.no_feedback_by_choice"]
    assert told_of(step(world, FEEDBACK_YES))[2:] == ["referral.arrived", "referral.closed"]


def test_where_the_desk_was_refused_feedback_the_word_does_not_depend_on_her_coming() -> None:
    stayed_away = step(start(Urgency.ACUTE, feedback_agreed=False), T.ACCEPT)
    came = step(stayed_away, T.ARRIVE)
    assert told_of(step(stayed_away, GRID)) == told_of(step(came, GRID))


def test_a_refusal_never_names_what_feedback_keeps_back() -> None:
    world = start(Urgency.ROUTINE, feedback_agreed=True)
    for move in (T.ARRIVE, T.CANCEL, "deliver to recipient", T.REFUSE_CANCEL):
        world = step(world, move)
    last = world.to_issuer[-1]
    assert isinstance(last, events.CancelRefused)
    assert last.stands is S.ACCEPTED


def test_a_request_that_meets_an_end_kept_back_learns_that_it_ended_and_not_how() -> None:
    world = start(Urgency.ROUTINE, feedback_agreed=True)
    for move in (T.ARRIVE, T.CLOSE, "deliver to issuer", T.CANCEL, "deliver to recipient", "deliver to issuer"):
        world = step(world, move)
    assert world.issuer.is_ended
    assert world.issuer.undisclosed
    assert world.issuer.state is S.ACCEPTED
    assert world.issuer.outcome is None


def test_a_request_that_meets_a_known_end_is_told_what_stands() -> None:
    world = start(Urgency.ROUTINE, feedback_agreed=True)
    for move in (T.DECLINE, T.CANCEL, "deliver to recipient"):
        world = step(world, move)
    refusal = world.to_issuer[-1]
    assert isinstance(refusal, events.TransitionRefused)
    assert refusal.stands is S.DECLINED
    assert refusal.reason_code == codes.DeclineReason.SERVICE_NOT_OFFERED  # the clinic's own reason is a finding


def test_the_grid_is_counted_from_issue_and_never_from_her_answer() -> None:
    issued = datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert lifecycle.no_feedback_due(issued, issued + timedelta(days=6, hours=23)) is None
    for hours in (1, 100, 167):
        assert lifecycle.no_feedback_due(issued, issued + timedelta(days=7, hours=hours)) == issued + timedelta(days=7)


def test_every_state_has_a_fhir_status() -> None:
    for state, path in LADDER.items():
        assert lifecycle.fhir_status(after(*path)), state
    assert lifecycle.fhir_status(after(T.ARRIVE, T.CLOSE)) == "completed"


@pytest.mark.parametrize("outcome", list(codes.OutcomeCode))
def test_an_end_crosses_as_finished_another_visit_or_cannot_take_and_stays_exact_here(outcome: codes.OutcomeCode) -> None:
    first = after(T.ARRIVE)
    for another_visit in (False, True):
        end, said = lifecycle.tell(Recipient(first, first, True, True, (), another_visit), events.Closed(outcome_code=outcome))
        assert end.standing.outcome is outcome
        (word,) = said
        assert isinstance(word, events.Closed)
        assert word.outcome_code is end.told.outcome
        assert word.outcome_code in set(minimal_data.OUTCOME_TOLD.values())
        assert lifecycle.told_as(word) == word
        assert (word.outcome_code is minimal_data.ANOTHER_VISIT) == (
            outcome is codes.OutcomeCode.SERVED_PARTLY
            or (another_visit and minimal_data.OUTCOME_TOLD[outcome] is minimal_data.FINISHED)
        )
        assert lifecycle.agree(end.told, end)


def test_every_outcome_has_a_coarse_word_and_coarse_words_stay() -> None:
    told = minimal_data.OUTCOME_TOLD
    assert told.keys() == set(codes.OutcomeCode)
    assert all(told[word] is word for word in told.values())
    assert set(told.values()) <= {"served", "served_partly", "not_available", "not_reached_safely", "moved_away"}


def test_two_ends_that_tell_of_other_ends_do_not_agree() -> None:
    first = after(T.ARRIVE)
    end, _ = lifecycle.tell(Recipient(first, first, True, True), events.Closed(outcome_code=codes.OutcomeCode.ADMITTED))
    assert not lifecycle.agree(replace(end.told, outcome=codes.OutcomeCode.NOT_AVAILABLE), end)
