"""Pure rules around a referral: who sets which flag when, what a second tap asks again, and the spoken arrival code."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.contracts.casework.codes import OPEN, Flag, ReferralState, Urgency
from shared.contracts.casework.lifecycle import Standing, Transition
from shared.kit.digits import typed
from shared.programmes.care import Limits

CODE_DIGITS = 6  # short enough to be remembered and spoken; attempts are limited instead
CODE_ATTEMPTS_MAX = 5  # wrong codes of one account within the window below
CODE_ATTEMPTS_WINDOW = timedelta(minutes=15)
NOT_YET_SEEN = {ReferralState.ISSUED}
BEFORE_ARRIVAL = {ReferralState.ISSUED, ReferralState.ACKNOWLEDGED, ReferralState.ACCEPTED, ReferralState.ON_HOLD}


@dataclass(frozen=True, slots=True)
class Clocks:
    """What the watcher looks at."""

    direction: str
    state: ReferralState
    urgency: Urgency
    is_open: bool
    arrived: bool
    no_feedback: bool
    issued_at: datetime
    moved_at: datetime
    delivered_at: datetime | None
    told_by_phone_at: datetime | None
    windows_until: tuple[datetime, ...] = ()
    respond_by: datetime | None = None
    seen_within: timedelta | None = None  # as a pathway says it; else by its urgency
    entered_at: datetime | None = None  # when it came into the records, where that was later than it was issued: from paper


def flags_of(clocks: Clocks, limits: Limits, now: datetime) -> frozenset[Flag]:
    """The flags beside the state. Nothing here changes a state, and `no feedback by choice` ends the issuer's clocks."""
    if not clocks.is_open or clocks.state not in OPEN or (clocks.direction == "out" and clocks.no_feedback):
        return frozenset()
    age = now - clocks.issued_at
    known = now - (clocks.entered_at or clocks.issued_at)  # nobody can have seen what lay in a drawer
    told = clocks.told_by_phone_at is not None
    is_late = clocks.respond_by is not None and now > clocks.respond_by
    waiting = not clocks.arrived and clocks.state in BEFORE_ARRIVAL
    raised = {
        Flag.UNDELIVERED: clocks.direction == "out" and clocks.delivered_at is None and not told
        and known > limits.delivered_h.of(clocks.urgency),
        Flag.UNACKNOWLEDGED: clocks.state in NOT_YET_SEEN and not told
        and (known > (clocks.seen_within or limits.acknowledge_h.of(clocks.urgency)) or is_late),
        Flag.STALLED: (clocks.state is ReferralState.ACCEPTED and now - clocks.moved_at > limits.stalled_h.of(clocks.urgency))
        or (clocks.state is ReferralState.ACKNOWLEDGED and is_late),
        # It stands after the window has passed, too: nobody has come, and care is still given.
        Flag.WINDOW_CLOSING: waiting
        and any(until <= now + timedelta(hours=limits.window_warning_h) for until in clocks.windows_until),
        Flag.LAPSED: age > limits.lapse_h.of(clocks.urgency),
    }  # fmt: skip
    return frozenset(flag for flag, is_up in raised.items() if is_up)


def is_done(standing: Standing, transition: Transition) -> bool:
    """Whether what a button asks for stands already, because a colleague tapped first: then a second tap is no fault."""
    if standing.is_ended:
        return False
    seen = {ReferralState.ISSUED}
    promised = {*seen, ReferralState.ACKNOWLEDGED}
    return {
        Transition.ACKNOWLEDGE: standing.state not in seen,
        Transition.ACCEPT: standing.state not in promised,
        Transition.ARRIVE: standing.arrived,
        Transition.NOT_HERE: not standing.arrived,
        Transition.START: standing.state is ReferralState.IN_SERVICE,
    }.get(transition, False)


def new_arrival_code() -> str:
    """A code that she may speak at the door."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"


def is_code(text: str) -> bool:
    """Whether what was typed can be such a code; a digit too few or too many is told at once, and costs no attempt."""
    code = typed(text)
    return len(code) == CODE_DIGITS and code.isascii() and code.isdigit()


def hash_of_code(referral_id: UUID, code: str) -> str:
    """What the recipient compares with; salted by the referral, so that equal codes do not look alike."""
    return hashlib.sha256(referral_id.bytes + code.encode()).hexdigest()
