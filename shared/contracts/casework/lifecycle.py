"""The life of a referral: one implementation, used by both ends. Pure: no clock, no database, no transport.

After issue the recipient's database decides; the issuer adopts what it is told. `decide` says which facts a command makes,
`evolve` folds a fact into where the referral stands, and is total: whatever arrives, in whatever order, both ends end alike.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.contracts.casework import codes, events, minimal_data
from shared.contracts.casework.codes import ENDED, CancelReason, OutcomeCode, ReferralState, Urgency
from shared.contracts.casework.events import Event

S = ReferralState

NO_FEEDBACK_AFTER = timedelta(days=7)  # the grid on which `no_feedback_by_choice` is said, counted from issue


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a referral stands at one end. `undisclosed`: it has ended and how is not this end's to know.

    `expected` and `waited`: at which place she was expected, and whether it was on hold, before somebody came: what stands again
    where it was somebody else.
    """

    state: ReferralState
    urgency: Urgency
    facility: str
    held_from: ReferralState | None = None
    cancel_pending: CancelReason | None = None
    arrived: bool = False
    expected: str | None = None
    waited: bool = False
    outcome: OutcomeCode | None = None
    reason: str | None = None
    consent_taken_back: bool = False
    undisclosed: bool = False
    no_feedback: bool = False

    @property
    def is_ended(self) -> bool:
        """Nothing more is expected of the recipient, as far as this end knows."""
        return self.state in ENDED or self.undisclosed


class Transition(StrEnum):
    """What an agency may ask of a referral; values are the routes' names."""

    ACKNOWLEDGE = "acknowledge"
    ACCEPT = "accept"
    DECLINE = "decline"
    REDIRECT = "redirect"
    SUGGEST = "suggest"
    ARRIVE = "arrive"
    NOT_HERE = "not-here"
    START = "start"
    HOLD = "hold"
    RESUME = "resume"
    NOT_ATTENDED = "not-attended"
    CLOSE = "close"
    CONFIRM_CANCEL = "confirm-cancel"
    REFUSE_CANCEL = "refuse-cancel"
    CANCEL = "cancel"
    SET_OUT = "set-out"
    TOLD_BY_PHONE = "told-by-phone"


ISSUERS = frozenset({Transition.CANCEL, Transition.SET_OUT, Transition.TOLD_BY_PHONE})


def _filled(sentence: str, params: Mapping[str, object]) -> str:
    if not params:
        return sentence
    return sentence % {name: ", ".join(map(str, v)) if isinstance(v, tuple) else v for name, v in params.items()}


class IllegalTransition(ValueError):
    """Not possible now; the message says why and what stands: a sentence with the codes that stand in it apart, so that a
    screen can say both in its own words."""

    def __init__(self, sentence: str, **params: object) -> None:
        super().__init__(_filled(sentence, params))
        self.sentence, self.params = sentence, params


class MissingDetail(ValueError):
    """The transition needs a detail that was not given; `field` names it."""

    def __init__(self, field: str, sentence: str, **params: object) -> None:
        super().__init__(_filled(sentence, params))
        self.field, self.sentence, self.params = field, sentence, params


class Details(BaseModel):
    """What a transition may carry to the other end: codes and facilities only."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    reason_code: str | None = None
    outcome_code: OutcomeCode | None = None
    to_agency: events.AgencyId | None = None
    to_facility: events.FacilityId | None = None
    next_agency: events.AgencyId | None = None
    next_facility: events.FacilityId | None = None
    mode: codes.TravelMode | None = None
    escort: codes.Escort | None = None
    expected_at: datetime | None = None
    post: events.Code | None = None
    facility: events.FacilityId | None = None  # where it happens


def issue(urgency: Urgency, facility: str) -> Standing:
    """A referral as it is issued."""
    return Standing(S.ISSUED, urgency, facility)


def decide(standing: Standing, transition: Transition, details: Details) -> tuple[Event, ...]:
    """The facts that a command makes; raises IllegalTransition or MissingDetail, and then nothing has happened."""
    if transition is Transition.ARRIVE:
        return _arrive(standing, details)
    if standing.is_ended:
        raise IllegalTransition(
            "This referral has ended (%(state)s); nothing more can be done to it but record an arrival.", state=_stands(standing)
        )
    return _DECISIONS[transition](standing, details)


def _stands(standing: Standing) -> str:
    return "undisclosed" if standing.undisclosed and standing.state not in ENDED else standing.state


def _need(details: Details, field: str) -> Any:
    value = getattr(details, field)
    if value is None:
        raise MissingDetail(field, "“%(needed)s” is needed for this.", needed=field)
    return value


def _reason(details: Details, kind: type[StrEnum]) -> Any:
    given = _need(details, "reason_code")
    try:
        return kind(given)
    except ValueError:
        raise MissingDetail("reason_code", "The reason must be one of: %(known)s.", known=tuple(kind)) from None


def _only_from(standing: Standing, allowed: Iterable[ReferralState]) -> None:
    if standing.state not in allowed:
        raise IllegalTransition("This cannot be done now: the referral is “%(state)s”.", state=standing.state)


def _arrive(standing: Standing, details: Details) -> tuple[Event, ...]:
    # Care first: an arrival is never refused, whatever stands.
    facility = details.facility or standing.facility
    if standing.is_ended:
        return (events.CameWithoutReferral(facility=facility),)
    arrived = events.Arrived(facility=facility)
    if standing.state in {S.ISSUED, S.ACKNOWLEDGED}:
        return events.Accepted(), arrived
    return (arrived,)


def _not_here(standing: Standing, _details: Details) -> tuple[Event, ...]:
    # Once care has begun somebody has it, and it is written down: that is put right by people, not by a button.
    _only_from(standing, {S.ARRIVED})
    facility = standing.expected or standing.facility
    return (events.ArrivedInError(facility=facility, stands=S.ON_HOLD if standing.waited else S.ACCEPTED),)


def _acknowledge(standing: Standing, _details: Details) -> tuple[Event, ...]:
    _only_from(standing, {S.ISSUED})
    return (events.Acknowledged(),)


def _accept(standing: Standing, _details: Details) -> tuple[Event, ...]:
    _only_from(standing, {S.ISSUED, S.ACKNOWLEDGED})
    return (events.Accepted(),)


def _decline(standing: Standing, details: Details) -> tuple[Event, ...]:
    reason = _reason(details, codes.DeclineReason)
    if standing.arrived and standing.urgency is Urgency.ACUTE:
        raise IllegalTransition("An acute referral cannot be declined after arrival: she is at the door.")
    return (events.Declined(reason_code=reason, next_agency=details.next_agency, next_facility=details.next_facility),)


def declined_without_next_place(standing: Standing, fact: Event) -> bool:
    """An acute referral was declined and no next place was named: somebody must be alarmed."""
    return isinstance(fact, events.Declined) and standing.urgency is Urgency.ACUTE and fact.next_facility is None


def _redirect(standing: Standing, details: Details) -> tuple[Event, ...]:
    facility = _need(details, "to_facility")
    if facility == standing.facility:
        raise IllegalTransition("The referral is already at that facility.")
    return (events.Redirected(to_facility=facility),)


def _suggest(_standing: Standing, details: Details) -> tuple[Event, ...]:
    return (events.Suggested(to_agency=_need(details, "to_agency"), to_facility=details.to_facility),)


def _start(standing: Standing, _details: Details) -> tuple[Event, ...]:
    _only_from(standing, {S.ARRIVED})
    return (events.InService(),)


def _hold(standing: Standing, details: Details) -> tuple[Event, ...]:
    _only_from(standing, {S.ACCEPTED, S.ARRIVED, S.IN_SERVICE})
    reason = None if details.reason_code is None else _reason(details, codes.HoldReason)
    return (events.OnHold(reason_code=reason),)


def _resume(standing: Standing, _details: Details) -> tuple[Event, ...]:
    _only_from(standing, {S.ON_HOLD})
    return (events.Resumed(),)


def _not_attended(standing: Standing, _details: Details) -> tuple[Event, ...]:
    if standing.arrived:
        raise IllegalTransition("She has arrived, so 'has not come yet' cannot be said.")
    return (events.NotAttended(),)


def _close(standing: Standing, details: Details) -> tuple[Event, ...]:
    outcome = _need(details, "outcome_code")
    _only_from(standing, {S.ACCEPTED, S.ARRIVED, S.IN_SERVICE, S.ON_HOLD})
    if outcome in codes.NEEDS_ARRIVAL and not standing.arrived:
        raise IllegalTransition("“%(outcome)s” needs an arrival: record first that she came.", outcome=outcome)
    return (events.Closed(outcome_code=outcome),)


def _confirm_cancel(standing: Standing, _details: Details) -> tuple[Event, ...]:
    if standing.cancel_pending is None:
        raise IllegalTransition("Nobody has asked to cancel this referral.")
    return (events.Cancelled(reason_code=standing.cancel_pending),)


def _refuse_cancel(standing: Standing, _details: Details) -> tuple[Event, ...]:
    if standing.cancel_pending is None:
        raise IllegalTransition("Nobody has asked to cancel this referral.")
    return (events.CancelRefused(stands=standing.state),)


def _cancel(standing: Standing, details: Details) -> tuple[Event, ...]:
    reason = _reason(details, CancelReason)
    if reason is CancelReason.CONSENT_TAKEN_BACK:
        raise IllegalTransition("Consent is taken back on the consent itself, which acts at once; it is no reason to ask.")
    if standing.cancel_pending is not None:
        raise IllegalTransition("A cancellation has been asked for already; the recipient has not answered yet.")
    return (events.CancelRequested(reason_code=reason),)


def _set_out(_standing: Standing, details: Details) -> tuple[Event, ...]:
    return (events.SetOut(mode=_need(details, "mode"), escort=_need(details, "escort"), expected_at=details.expected_at),)


def _told_by_phone(_standing: Standing, details: Details) -> tuple[Event, ...]:
    return (events.ToldByPhone(post=_need(details, "post")),)


_DECISIONS: dict[Transition, Callable[[Standing, Details], tuple[Event, ...]]] = {
    Transition.ACKNOWLEDGE: _acknowledge,
    Transition.ACCEPT: _accept,
    Transition.DECLINE: _decline,
    Transition.REDIRECT: _redirect,
    Transition.SUGGEST: _suggest,
    Transition.NOT_HERE: _not_here,
    Transition.START: _start,
    Transition.HOLD: _hold,
    Transition.RESUME: _resume,
    Transition.NOT_ATTENDED: _not_attended,
    Transition.CLOSE: _close,
    Transition.CONFIRM_CANCEL: _confirm_cancel,
    Transition.REFUSE_CANCEL: _refuse_cancel,
    Transition.CANCEL: _cancel,
    Transition.SET_OUT: _set_out,
    Transition.TOLD_BY_PHONE: _told_by_phone,
}


def answer_cancel(standing: Standing, told: Standing, request: events.CancelRequested) -> tuple[Event, ...]:
    """What the recipient's machine answers to a request to cancel; empty where a person must answer.

    `told` is where the referral stands as far as the issuer was told: a refusal names that, and nothing that `fb` keeps back.
    """
    if standing.state in {S.ISSUED, S.ACKNOWLEDGED}:
        return (events.Cancelled(reason_code=request.reason_code),)
    if not standing.is_ended:
        return ()
    if told.state not in ENDED:
        return (events.EndedUndisclosed(),)
    refusal: dict[str, Any] = {
        "refused": request.type,
        "stands": told.state,
        "outcome_code": told.outcome,
        "reason_code": told.reason,
    }
    return (events.TransitionRefused(**refusal),)


def evolve(standing: Standing, fact: Event) -> Standing:
    """Where the referral stands after a fact. Total: what does not fit any more changes nothing."""
    if isinstance(fact, events.ConsentTakenBack):
        return replace(
            standing, state=S.CANCELLED, reason=str(CancelReason.CONSENT_TAKEN_BACK), outcome=None, cancel_pending=None,
            held_from=None, consent_taken_back=True, undisclosed=False,
        )  # fmt: skip
    step = _STEPS.get(type(fact))
    if step is None or standing.consent_taken_back:
        return standing
    return step(standing, fact)


def fold(standing: Standing, facts: Iterable[Event]) -> Standing:
    """Where the referral stands after all of them."""
    return reduce(evolve, facts, standing)


def _on_acknowledged(standing: Standing, _fact: Event) -> Standing:
    return replace(standing, state=S.ACKNOWLEDGED) if standing.state is S.ISSUED else standing


def _on_accepted(standing: Standing, _fact: Event) -> Standing:
    return replace(standing, state=S.ACCEPTED) if standing.state in {S.ISSUED, S.ACKNOWLEDGED} else standing


def _end(standing: Standing, state: ReferralState, reason: str | None = None, outcome: OutcomeCode | None = None) -> Standing:
    if standing.state in ENDED:
        return standing
    return replace(
        standing, state=state, reason=reason, outcome=outcome, cancel_pending=None, held_from=None, undisclosed=False,
        expected=None, waited=False,
    )  # fmt: skip


def _on_declined(standing: Standing, fact: Any) -> Standing:
    return _end(standing, S.DECLINED, reason=str(fact.reason_code))


def _on_closed(standing: Standing, fact: Any) -> Standing:
    return _end(standing, S.CLOSED, outcome=fact.outcome_code)


def _on_cancelled(standing: Standing, fact: Any) -> Standing:
    return _end(standing, S.CANCELLED, reason=str(fact.reason_code))


def _on_redirected(standing: Standing, fact: Any) -> Standing:
    return replace(standing, facility=fact.to_facility)  # told late, after the end, too: where it lay is where it lay


def _on_arrived(standing: Standing, fact: Any) -> Standing:
    if standing.state in ENDED:
        return replace(standing, arrived=True, facility=fact.facility)  # told late, after the end: the end stands
    state = standing.state
    if state is S.ON_HOLD:
        state = standing.held_from if standing.held_from in {S.ARRIVED, S.IN_SERVICE} else S.ARRIVED
    elif state is not S.IN_SERVICE:
        state = S.ARRIVED
    if not standing.arrived:
        standing = replace(standing, expected=standing.facility, waited=standing.state is S.ON_HOLD)
    return replace(standing, state=state or S.ARRIVED, held_from=None, facility=fact.facility, arrived=True)


def _on_arrived_in_error(standing: Standing, fact: Any) -> Standing:
    if standing.state in ENDED:
        return standing
    return replace(
        standing, state=fact.stands, held_from=S.ACCEPTED if fact.stands is S.ON_HOLD else None, facility=fact.facility,
        arrived=False, expected=None, waited=False, no_feedback=False,
    )  # fmt: skip


def _on_in_service(standing: Standing, _fact: Event) -> Standing:
    return replace(standing, state=S.IN_SERVICE) if standing.state is S.ARRIVED else standing


def _on_hold(standing: Standing, _fact: Event) -> Standing:
    if standing.state not in {S.ACCEPTED, S.ARRIVED, S.IN_SERVICE}:
        return standing
    return replace(standing, state=S.ON_HOLD, held_from=standing.state)


def _on_resumed(standing: Standing, _fact: Event) -> Standing:
    if standing.state is not S.ON_HOLD or standing.held_from is None:
        return standing
    return replace(standing, state=standing.held_from, held_from=None)


def _on_cancel_requested(standing: Standing, fact: Any) -> Standing:
    return standing if standing.is_ended else replace(standing, cancel_pending=fact.reason_code)


def _on_cancel_refused(standing: Standing, _fact: Event) -> Standing:
    return replace(standing, cancel_pending=None)


def _on_no_feedback(standing: Standing, _fact: Event) -> Standing:
    return replace(standing, no_feedback=True)


def _on_ended_undisclosed(standing: Standing, _fact: Event) -> Standing:
    if standing.state in ENDED:
        return standing
    return replace(standing, undisclosed=True, cancel_pending=None)


def _on_transition_refused(standing: Standing, fact: Any) -> Standing:
    if fact.stands in ENDED:
        reason = None if fact.reason_code is None else str(fact.reason_code)
        return _end(standing, fact.stands, reason=reason, outcome=fact.outcome_code)
    return replace(standing, cancel_pending=None)


_STEPS: dict[type[Event], Callable[[Standing, Any], Standing]] = {
    events.Acknowledged: _on_acknowledged,
    events.Accepted: _on_accepted,
    events.Declined: _on_declined,
    events.Closed: _on_closed,
    events.Cancelled: _on_cancelled,
    events.Redirected: _on_redirected,
    events.Arrived: _on_arrived,
    events.ArrivedInError: _on_arrived_in_error,
    events.InService: _on_in_service,
    events.OnHold: _on_hold,
    events.Resumed: _on_resumed,
    events.CancelRequested: _on_cancel_requested,
    events.CancelRefused: _on_cancel_refused,
    events.NoFeedbackByChoice: _on_no_feedback,
    events.EndedUndisclosed: _on_ended_undisclosed,
    events.TransitionRefused: _on_transition_refused,
}


def needs_feedback(standing: Standing, fact: Event) -> bool:
    """Whether a fact of the recipient's tells of arrival or outcome, so that it passes only under `fb`.

    `standing` is the recipient's before the fact.
    """
    if isinstance(fact, events.Arrived | events.InService | events.Closed | events.CameWithoutReferral):
        return True
    after_arrival = events.OnHold | events.Resumed | events.Declined | events.Redirected
    return standing.arrived and isinstance(fact, after_arrival)


def is_told(standing: Standing, fact: Event, *, feedback: bool, feedback_agreed: bool) -> bool:
    """Whether the issuer is told now. `feedback` is the answer given at the recipient (not asked is no), `feedback_agreed` the
    one given at the desk, which covers only 'has not come yet'."""
    if standing.consent_taken_back:
        return False
    if isinstance(fact, events.NotAttended):
        return feedback_agreed
    return feedback or not needs_feedback(standing, fact)


def told_as(fact: Event, *, another_visit: bool = False) -> Event:
    """A fact in the words in which it crosses: came, finished, another visit needed, cannot take. The recipient keeps its own.

    `another_visit`: a next visit is set, so what is finished here is not the end of her way. Coarse words stay as they are.
    """
    if isinstance(fact, events.Closed):
        word = minimal_data.OUTCOME_TOLD[fact.outcome_code]
        if another_visit and word is minimal_data.FINISHED:
            word = minimal_data.ANOTHER_VISIT
        return events.Closed(outcome_code=word)
    if isinstance(fact, events.Declined):
        return fact.model_copy(update={"reason_code": minimal_data.DECLINE_TOLD.get(fact.reason_code, fact.reason_code)})
    return events.OnHold() if isinstance(fact, events.OnHold) else fact  # "in hospital" would tell


@dataclass(frozen=True, slots=True)
class Recipient:
    """The recipient's end: where the referral stands, what the issuer was told of it, and what is kept back until she says yes.

    `another_visit`: a visit after today is set for her here.
    """

    standing: Standing
    told: Standing
    feedback_agreed: bool
    feedback: bool = False
    untold: tuple[Event, ...] = ()
    another_visit: bool = False


def tell(end: Recipient, fact: Event) -> tuple[Recipient, tuple[Event, ...]]:
    """Folds a fact of the recipient's own in; returns the end after it and what the issuer is told now."""
    if isinstance(fact, events.ArrivedInError):
        return _take_arrival_back(end, fact)
    told_now = is_told(end.standing, fact, feedback=end.feedback, feedback_agreed=end.feedback_agreed)
    if isinstance(fact, events.CancelRefused):
        fact = events.CancelRefused(stands=end.told.state)  # a refusal names only what the issuer may know
    standing = evolve(end.standing, fact)
    if told_now:
        word = told_as(fact, another_visit=end.another_visit)
        return replace(end, standing=standing, told=evolve(end.told, word)), (word,)
    kept = () if isinstance(fact, events.NotAttended) or standing.consent_taken_back else (fact,)
    end = replace(end, standing=standing, untold=(*end.untold, *kept))
    if standing.state in ENDED and end.told.cancel_pending is not None and end.told.state not in ENDED:
        # A pending request must never hang: where the end itself is not told, the neutral word is.
        word = events.EndedUndisclosed()
        return replace(end, told=evolve(end.told, word)), (word,)
    return end, ()


def _take_arrival_back(end: Recipient, fact: events.ArrivedInError) -> tuple[Recipient, tuple[Event, ...]]:
    """It was somebody else: so was whoever answered whether it may be told, and so is what was kept back since. The issuer is told
    exactly where it had been told that she came, or, because of it, that there is no more news: nobody's leave is needed."""
    is_told = end.told.arrived or (end.told.no_feedback and end.feedback_agreed)
    seen = evolve(end.told, fact) if is_told else end.told
    return replace(end, standing=evolve(end.standing, fact), told=seen, feedback=False, untold=()), (fact,) if is_told else ()


def hear(end: Recipient, fact: Event, *, answers: bool = True) -> tuple[Recipient, tuple[Event, ...]]:
    """Takes the issuer's fact in; returns the end after it and the machine's own answer, told at once.

    Where it must not answer yet (`answers` False) the request stays pending, and `answer_late` gives the answer.
    """
    answer = answer_cancel(end.standing, end.told, fact) if answers and isinstance(fact, events.CancelRequested) else ()
    untold = () if isinstance(fact, events.ConsentTakenBack) else end.untold
    end = replace(end, standing=evolve(end.standing, fact), told=evolve(end.told, fact), untold=untold)
    if end.standing.consent_taken_back:
        return end, ()
    for word in answer:
        # The answer's own words reach both pictures: what it refuses changes nothing at this end but the pending request.
        end = replace(end, standing=evolve(end.standing, word) if isinstance(word, events.Cancelled) else end.standing)
        end = replace(end, told=evolve(end.told, word))
    return end, answer


def answer_late(end: Recipient) -> tuple[Recipient, tuple[Event, ...]]:
    """The machine's answer to a request that it left pending; empty where none is, or a person must answer."""
    if end.standing.cancel_pending is None and end.told.cancel_pending is None:
        return end, ()
    reason = end.standing.cancel_pending or end.told.cancel_pending or CancelReason.ENTERED_IN_ERROR
    return hear(end, events.CancelRequested(reason_code=reason))


def answer_feedback(end: Recipient, *, yes: bool) -> tuple[Recipient, tuple[Event, ...]]:
    """Her answer to "may they know?": a late yes tells what was kept back, in its order."""
    if not yes or end.standing.consent_taken_back:
        return replace(end, feedback=yes), ()
    words = tuple(told_as(fact, another_visit=end.another_visit) for fact in end.untold)
    return replace(end, feedback=True, untold=(), told=fold(end.told, words)), words


def no_feedback_word(end: Recipient) -> tuple[Event, ...]:
    """What is said when a moment of the grid has passed: always where the desk was refused, else where something is kept back."""
    if end.standing.consent_taken_back or end.told.no_feedback or end.feedback:
        return ()
    if end.feedback_agreed and not end.untold:
        return ()
    return () if end.told.state in ENDED else (events.NoFeedbackByChoice(),)


def no_feedback_due(issued_at: datetime, now: datetime) -> datetime | None:
    """The last moment of the grid that has passed, or None before the first: never the moment of her answer."""
    steps = (now - issued_at) // NO_FEEDBACK_AFTER
    return issued_at + steps * NO_FEEDBACK_AFTER if steps >= 1 else None


def fhir_status(standing: Standing) -> str:
    """FHIR R4 Task.status; businessStatus carries our own state."""
    if standing.state is S.CLOSED:
        failed = {
            OutcomeCode.SHE_DECLINED, OutcomeCode.NOT_AVAILABLE, OutcomeCode.NOT_REACHED_SAFELY, OutcomeCode.MOVED_AWAY,
            OutcomeCode.NOT_ELIGIBLE, OutcomeCode.DIED, OutcomeCode.DUPLICATE,
        }  # fmt: skip
        return "failed" if standing.outcome in failed else "completed"
    return _FHIR[standing.state]


_FHIR = {
    S.DRAFTED: "draft",
    S.ISSUED: "requested",
    S.ACKNOWLEDGED: "received",
    S.ACCEPTED: "accepted",
    S.DECLINED: "rejected",
    S.ARRIVED: "in-progress",
    S.IN_SERVICE: "in-progress",
    S.ON_HOLD: "on-hold",
    S.CANCELLED: "cancelled",
}


def agree(issuer: Standing, end: Recipient) -> bool:
    """Whether the two ends agree once nothing is in flight: equal, or apart only by what the issuer is not told or not how."""
    recipient = end.standing
    if issuer.consent_taken_back or recipient.consent_taken_back:
        return issuer.consent_taken_back and recipient.consent_taken_back and issuer.state is recipient.state
    if not end.untold:
        return _in_coarse_words(issuer) == _in_coarse_words(recipient)
    if recipient.state in ENDED and issuer.cancel_pending is not None:
        return False
    return issuer.state not in ENDED or issuer.state is recipient.state


def _in_coarse_words(standing: Standing) -> Standing:
    """What two ends must share of a standing: not how it ended, nor whether another visit was set by then."""
    outcome = None if standing.outcome is None else minimal_data.OUTCOME_TOLD[standing.outcome]
    if outcome is minimal_data.ANOTHER_VISIT:
        outcome = minimal_data.FINISHED
    reason = standing.reason
    if standing.state is S.DECLINED:
        reason = {str(own): str(told) for own, told in minimal_data.DECLINE_TOLD.items()}.get(str(reason), reason)
    return replace(standing, outcome=outcome, reason=reason, undisclosed=False, no_feedback=False)
