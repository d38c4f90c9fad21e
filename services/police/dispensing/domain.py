"""Rules of giving a product before care. Pure: of hours, days, codes and numbers, which a programme names (rules.py).

Whatever is refused here, care is not: each refusal leads on to the request for it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from shared.contracts.casework.codes import AgeBand, CareProduct, Sex

VOMITED_WITHIN = timedelta(hours=3)  # practice guide: a dose that is vomited within 2 to 3 hours is given again (assumption)
COUNT_AGAIN_AFTER = timedelta(hours=24)  # assumption: where no shift is handed over in the system, the box is counted each day
AGES = tuple(band for band in AgeBand if band is not AgeBand.UNKNOWN)  # in order
SINCE = ((timedelta(hours=72), "72"), (timedelta(hours=120), "120"))  # the bands of reports: limits of PEP and of the contraceptive


class Course(StrEnum):
    """Courses that somebody is certified after."""

    EMERGENCY_CONTRACEPTION = "emergency_contraception"
    PEP_STARTER = "pep_starter"


class CertifiedBy(StrEnum):
    """Who says that she may: bodies, not persons."""

    HEALTH_MINISTRY = "health_ministry"
    POLICE_SCHOOL = "police_school"
    MEDICAL_COUNCIL = "medical_council"
    PARTNER = "partner"


class Standing(StrEnum):
    """How a certificate stands on a day. Trained is not certified."""

    NONE = "none"
    TRAINED = "trained"
    VALID = "valid"
    EXPIRED = "expired"
    ENDED = "ended"


class Outcome(StrEnum):
    """What became of an offer."""

    GIVEN = "given"
    DECLINED = "declined"
    NONE_HERE = "none_here"


class Kind(StrEnum):
    """Which dose for this incident it was."""

    FIRST = "first"
    VOMITED = "vomited"  # in place of one that was vomited
    AGAIN = "again"


class AgainReason(StrEnum):
    """Why somebody gives a second dose for one incident, although the page says that there was a first."""

    NOT_SWALLOWED = "not_swallowed"
    LOST = "lost"
    VOMITED_LATER = "vomited_later"
    NURSE_SAID_SO = "nurse_said_so"
    FIRST_NOT_TAKEN = "first_not_taken"


class Unfit(StrEnum):
    """Why a product is not given to this person, for this incident, now."""

    NOT_FOR_HIM = "not_for_him"
    TOO_YOUNG = "too_young"
    TOO_LATE = "too_late"


@dataclass(frozen=True, slots=True)
class ProductRule:
    """What a programme says of a product. `window` None: no limit is given. `assumed` names what no source says."""

    product: CareProduct
    course: str
    window: timedelta | None
    inclusive: bool = True
    sexes: frozenset[Sex] = frozenset(Sex)
    youngest: AgeBand | None = None
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Certificate:
    """What somebody holds after one course; days, each the whole of it."""

    trained_on: date | None
    certified_on: date | None
    valid_until: date | None  # its last day; None: until it is ended
    ended_on: date | None = None

    def standing(self, on: date) -> Standing:
        """How it stands on a day."""
        if self.ended_on is not None and on >= self.ended_on:
            return Standing.ENDED
        if self.certified_on is None or on < self.certified_on:
            return Standing.TRAINED if self.trained_on is not None and on >= self.trained_on else Standing.NONE
        return Standing.EXPIRED if self.valid_until is not None and on > self.valid_until else Standing.VALID


_BEST = (Standing.VALID, Standing.EXPIRED, Standing.ENDED, Standing.TRAINED, Standing.NONE)


def best(held: list[Certificate], on: date) -> Standing:
    """How somebody stands who holds these: by the best of them."""
    return min((one.standing(on) for one in held), key=_BEST.index, default=Standing.NONE)


def unfit(
    rule: ProductRule, sex: Sex, age: AgeBand, earliest_at: datetime | None, latest_at: datetime | None, at: datetime
) -> Unfit | None:
    """Why a product is not given at a time; None where it may be.

    Refused for the time only where no instant of the incident's range lies within the window, so its latest decides; a time that
    nobody knows refuses nothing (domain guide, section 3).
    """
    if sex is not Sex.UNKNOWN and sex not in rule.sexes:
        return Unfit.NOT_FOR_HIM
    if rule.youngest is not None and age is not AgeBand.UNKNOWN and AGES.index(age) < AGES.index(rule.youngest):
        return Unfit.TOO_YOUNG
    last = latest_at or earliest_at
    if rule.window is None or last is None:
        return None
    since = at - last
    fits = since <= rule.window if rule.inclusive else since < rule.window
    return None if fits else Unfit.TOO_LATE


def dose_kind(given_before: list[datetime], at: datetime, *, vomited: bool) -> Kind:
    """Which dose it is, after those that were given for the same incident. One that was vomited later than the limit is a second
    one like any other, and asks for a reason."""
    if not given_before:
        return Kind.FIRST
    return Kind.VOMITED if vomited and timedelta(0) <= at - max(given_before) <= VOMITED_WITHIN else Kind.AGAIN


def since_band(earliest_at: datetime | None, latest_at: datetime | None, at: datetime) -> str:
    """Hours from the incident to the dose as figures band them, from its earliest moment, as those of reports are."""
    since = earliest_at or latest_at
    if since is None:
        return "unknown"
    return next((name for limit, name in SINCE if at - since <= limit), "later")


def count_is_due(last_count: datetime | None, last_hand_over: datetime | None, begun: datetime | None, now: datetime) -> bool:
    """Whether the box shall be counted by two: after each shift that was handed over, and after a day in any case. An empty book
    (`begun` None) has no box."""
    if begun is None:
        return False
    if last_count is None:
        return True
    return (last_hand_over is not None and last_hand_over > last_count) or now - last_count > COUNT_AGAIN_AFTER
