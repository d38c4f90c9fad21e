"""What is asked of whom, and by when: limits, windows of care, packages, pathways and report forms."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts.casework.codes import CHILD_BANDS, AgeBand, IncidentType, Sex, Urgency
from shared.programmes.situation import Situation
from shared.programmes.terms import (
    Age,
    Context,
    Count,
    Days,
    FactCode,
    Fee,
    Hours,
    HowSoon,
    Id,
    Incident,
    Named,
    OneOf,
    OpenHours,
    Package,
    Part,
    SexCode,
    Sourced,
    Version,
    YesNo,
    said,
)


class ByUrgency(Sourced):
    """A limit in hours for each urgency."""

    figures: ClassVar[tuple[str, ...]] = ("acute", "urgent", "routine")

    acute: Hours
    urgent: Hours
    routine: Hours

    @model_validator(mode="after")
    def _soonest_first(self) -> "ByUrgency":
        for sooner, later in (("acute", "urgent"), ("urgent", "routine")):
            one, other = getattr(self, sooner), getattr(self, later)
            if one > other:
                raise said(f"{sooner}, {one:g} hours, is more than {later}, {other:g}; what is sooner may not take longer")
        return self

    def of(self, urgency: str) -> timedelta:
        """The limit as a duration."""
        return timedelta(hours=float(getattr(self, Urgency(urgency).value)))


class TimeBefore(Sourced):
    """A time before the end of something."""

    figures: ClassVar[tuple[str, ...]] = ("hours",)

    hours: Hours


class TimeAfter(Sourced):
    """A time after something happened."""

    figures: ClassVar[tuple[str, ...]] = ("hours",)

    hours: Hours

    @property
    def length(self) -> timedelta:
        """As a duration."""
        return timedelta(hours=self.hours)


class VisitsAfterCare(Sourced):
    """So many days after care was given first, or after PEP was begun, she is seen again; None: no such visit is proposed."""

    figures: ClassVar[tuple[str, ...]] = ("two_weeks", "pep_day_28", "three_months", "six_months")

    two_weeks: Days | None = None
    pep_day_28: Days | None = None  # the end of PEP, where it was begun
    three_months: Days | None = None
    six_months: Days | None = None

    @property
    def days(self) -> dict[str, int]:
        """The days of those that there are, by what the visit is called."""
        return {figure: days for figure in self.figures if (days := getattr(self, figure)) is not None}


class Limits(Part):
    """How long something may take before somebody is told. All in hours."""

    delivered_h: ByUrgency  # signed for by the recipient's machine
    acknowledge_h: ByUrgency  # seen by a person there
    stalled_h: ByUrgency  # accepted, and nothing since
    lapse_h: ByUrgency  # still open
    ladder_step_h: ByUrgency  # an alarm that nobody takes goes one post up
    window_warning: TimeBefore  # before a window of care ends
    new_hearing_day: TimeAfter  # after a hearing was put off without another day

    @property
    def window_warning_h(self) -> float:
        """In hours."""
        return self.window_warning.hours


class CountedFrom(StrEnum):
    """From which instant of an incident's range a clock counts."""

    EARLIEST = "earliest"
    LATEST = "latest"


class Window(Sourced):
    """A window of care. It says how soon, never whether: late never means no care, and no window blocks a referral."""

    figures: ClassVar[tuple[str, ...]] = ("hours", "inclusive", "counted_from")

    hours: Hours | None  # None: no rule is given, and no clock is shown
    inclusive: YesNo = True  # whether the last instant belongs to it
    counted_from: Annotated[CountedFrom, BeforeValidator(OneOf(CountedFrom, "instant"))] = CountedFrom.EARLIEST
    version: Version = 1  # of the protocol that says so

    @property
    def length(self) -> timedelta | None:
        """Its length; None where no rule is given."""
        return None if self.hours is None else timedelta(hours=self.hours)

    def ends_at(self, earliest: datetime | None, latest: datetime | None = None) -> datetime | None:
        """When its clock ends; None where the time of the incident, or a rule, is not known."""
        start = earliest if self.counted_from is CountedFrom.EARLIEST else latest or earliest
        return None if start is None or self.length is None else start + self.length

    def fits(self, earliest: datetime | None, latest: datetime | None, at: datetime) -> bool | None:
        """Whether any instant of the incident's range lies within the window at `at`; None where it is not known, or no rule is.

        Eligibility is refused only if no instant fits, so the latest decides.
        """
        last = latest or earliest
        if last is None or self.length is None:
            return None
        return at - last <= self.length if self.inclusive else at - last < self.length


class When(Part):
    """A condition of a closed vocabulary: every line that is written must hold. Of each list, one is enough."""

    child: YesNo | None = None
    ages: tuple[Age, ...] = ()  # as they are known: `unknown` is none of them
    sexes: tuple[SexCode, ...] = ()  # likewise
    incidents: tuple[Incident, ...] = ()
    contexts: tuple[Context, ...] = ()
    packages: tuple[Package, ...] = ()  # one of them is asked for
    at: tuple[Id, ...] = ()  # kinds of facility that act
    facts: tuple[FactCode, ...] = ()  # all of them are so
    without: tuple[FactCode, ...] = ()  # none of them is so
    within_h: Hours | None = None  # since the latest instant of the incident; the last instant belongs to it
    after_h: Hours | None = None  # since the same: later than that

    @model_validator(mode="after")
    def _may_hold(self) -> "When":
        mistake = self._contradiction()
        if mistake is not None:
            raise mistake
        return self

    def _contradiction(self) -> PydanticCustomError | None:
        if all(getattr(self, name) in (None, ()) for name in type(self).model_fields):
            return said("it says nothing; write a line of it, or leave it out")
        not_known = [
            one for one in (AgeBand.UNKNOWN, Sex.UNKNOWN, IncidentType.GBV) if one in {*self.ages, *self.sexes, *self.incidents}
        ]
        if not_known:
            return said(f"'{not_known[0]}' is what is not known, and a condition holds of what is known; leave it out")
        other = next((age for age in self.ages if self.child is not None and (age in CHILD_BANDS) is not self.child), None)
        if other is not None:
            return said(f"it names '{other}' and says `child: {str(self.child).lower()}`; leave one of the two out")
        both = next((fact for fact in self.facts if fact in self.without), None)
        if both is not None:
            return said(f"'{both}' cannot be so and not be so; leave it out of `facts` or of `without`")
        if self.after_h is not None and self.within_h is not None and self.after_h >= self.within_h:
            return said(
                f"no time is later than {self.after_h:g} and within {self.within_h:g} hours; write an after_h below within_h"
            )
        return None

    def holds(self, s: Situation) -> bool | None:
        """Whether it holds; None where something that it looks at is not known, and nothing speaks against it."""
        since = None if (s.latest_at or s.earliest_at) is None else s.now - (s.latest_at or s.earliest_at or s.now)
        parts = [
            None if self.child is None else _same(s.is_child, self.child),
            _among(s.age_band, self.ages),
            _among(s.sex, self.sexes),
            _among(s.incident_type, self.incidents),
            bool(s.contexts & set(self.contexts)) if self.contexts else None,
            bool(s.packages & set(self.packages)) if self.packages else None,
            _among(s.facility_kind, self.at),
            *(_unknown_as(s.knows(fact)) for fact in self.facts),
            *(_unknown_as(s.knows(fact), is_so=False) for fact in self.without),
            None if self.within_h is None else _shorter(since, self.within_h),
            None if self.after_h is None else _not(_shorter(since, self.after_h)),
        ]
        looked_at = [part for part in parts if part is not None]
        if False in looked_at:
            return False
        return None if _UNKNOWN in looked_at else True


_UNKNOWN = "unknown"  # of one line of a condition; None there means that the line is not written


def _same(value: bool | None, wanted: bool) -> bool | str:
    return _UNKNOWN if value is None else value is wanted


def _among(value: object, wanted: tuple[object, ...]) -> bool | str | None:
    if not wanted:
        return None
    if value is None or value == "unknown":
        return _UNKNOWN
    return value in wanted


def _unknown_as(value: bool | None, *, is_so: bool = True) -> bool | str:
    return _UNKNOWN if value is None else value is is_so


def _shorter(since: timedelta | None, hours: float) -> bool | str:
    return _UNKNOWN if since is None else since <= timedelta(hours=hours)


def _not(value: bool | str) -> bool | str:
    return value if isinstance(value, str) else not value


class PackageHere(Part):
    """What a package of the published language is called here, and holds. What it holds stays with whoever provides it."""

    name: Named
    holds: tuple[Id, ...] = ()  # what health's own record lists under it


class Pathway(Sourced):
    """From one kind of facility to others, for some packages."""

    figures: ClassVar[tuple[str, ...]] = ("fee", "per_day", "acknowledge_h", "respond_h")

    from_: tuple[Id, ...] = Field(alias="from", min_length=1)  # kinds of facility
    to: tuple[Id, ...] = Field(min_length=1)  # the first that is open and can take her is proposed, the next is the fall-back
    packages: tuple[Package, ...] = Field(min_length=1)
    urgency: HowSoon | None = None  # where the desk says nothing; acute care and injuries are acute, whatever stands here
    when: When | None = None
    always_offer: YesNo = False
    fee: Fee | None = None  # asked of her; 0: free by the programme, and a fee is a breach
    per_day: Count | None = None  # requests that each place can take in a day
    hours: OpenHours | None = None  # in which it is to be used; later the fall-back is
    acknowledge_h: Hours | None = None  # where it differs from the limits of its urgency
    respond_h: Hours | None = None  # a hand-over's own clock
    before: Id | None = None  # the rule (a stay's limit) whose deadline it must come before


class ReportForm(Sourced):
    """A medical report form of the country."""

    figures: ClassVar[tuple[str, ...]] = ("version", "detention_limit_days", "fee", "sign_within_h")

    name: Named
    version: Version  # in use; an older one is handed back with the reason
    signers: tuple[Id, ...] = ()  # staff who may sign it
    detention_limit_days: Days | None = None  # a suspect is released after that without it
    sign_within_h: Hours | None = None
    fee: Fee | None = None
