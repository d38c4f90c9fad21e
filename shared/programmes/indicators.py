"""Indicators: a closed set of formulas over a closed set of measures (domain.md, section 5), and what a programme expects of them.

"Reports, not prevalence": no formula here ranks places, and none says which direction is good.
"""

import operator
from collections.abc import Callable, Sequence
from enum import StrEnum
from math import inf
from typing import Annotated, ClassVar, Protocol

from pydantic import BeforeValidator, Field, model_validator

from shared.programmes.terms import Count, Figure, Id, Named, OneOf, Part, Sourced, Year, YesNo, said

DAY_H = 24


class Measure(StrEnum):
    """What may be counted, from an agency's own records. Names say what one of it is."""

    REPORTS = "reports"
    REPORTS_SEXUAL_VIOLENCE = "reports_sexual_violence"
    CASES_SEXUAL_VIOLENCE = "cases_sexual_violence"  # with one such report or more; without those that another agency sent
    REPORTS_BY_LAW = "reports_by_law"
    REPORTS_INVESTIGATED = "reports_investigated"  # of the period's reports, whose case has come so far by now, or further
    REPORTS_CHARGED = "reports_charged"
    REPORTS_TRIED = "reports_tried"
    REPORTS_WITH_VERDICT = "reports_with_verdict"
    REPORTS_WITHDRAWN = "reports_withdrawn"
    REPORTS_WITHDRAWN_AT_STATION = "reports_withdrawn_at_station"
    REPORTS_WITHDRAWN_IN_COURT = "reports_withdrawn_in_court"
    PRESSURE_TO_SETTLE = "pressure_to_settle"
    HEALTH_OFFERED = "health_offered"  # cases
    HEALTH_DECLINED_BY_HER = "health_declined_by_her"  # cases
    CASES_REFERRED_TO_HEALTH = "cases_referred_to_health"  # of sexual violence, with one issued health referral or more
    REFERRALS_ISSUED = "referrals_issued"
    REFERRALS_ACKNOWLEDGED = "referrals_acknowledged"
    REFERRALS_ACKNOWLEDGED_IN_TIME = "referrals_acknowledged_in_time"
    REFERRALS_ACCEPTED = "referrals_accepted"
    REFERRALS_ARRIVED = "referrals_arrived"
    REFERRALS_SERVED = "referrals_served"  # closed as served or served_partly
    REFERRALS_SAID_NO_THERE = "referrals_said_no_there"  # closed because she said no at the place
    REFERRALS_NOT_AVAILABLE = "referrals_not_available"  # declined or closed: nobody, no place, no supplies, or not offered
    REFERRALS_NOT_REACHED = "referrals_not_reached"  # closed because she could not be reached safely
    REFERRALS_WITH_FEEDBACK = "referrals_with_feedback"
    REFERRALS_LOST = "referrals_lost"  # open past their deadline
    REFERRALS_FROM_SPECIALISTS = "referrals_from_specialists"
    REFERRALS_FROM_OTHERS = "referrals_from_others"
    REFERRALS_FREE = "referrals_free"  # that the programme says are free
    FEES_CHARGED = "fees_charged"  # on those
    ACUTE_CONSENTED = "acute_consented"  # acute referrals, with her consent
    ARRIVALS_WITHIN_PEP = "arrivals_within_pep"
    ARRIVALS_GIVEN_EC = "arrivals_given_ec"  # of these, those that the clinic gave it to: what the clinic kept last decides
    ARRIVALS_GIVEN_PEP = "arrivals_given_pep"
    ARRIVALS_GIVEN_STI = "arrivals_given_sti"
    DOSES = "doses"  # of emergency contraception that a desk gave
    DOSES_IN_TIME = "doses_in_time"  # first doses, within the window of emergency contraception
    DOSES_ELIGIBLE = "doses_eligible"  # incidents for which a first dose could have been the answer, each once
    ADVERSE_EVENTS = "adverse_events"
    MISUSE = "misuse"
    STOCK_OPENING = "stock_opening"
    STOCK_RECEIVED = "stock_received"
    STOCK_DISPENSED = "stock_dispensed"
    STOCK_DISCARDED = "stock_discarded"  # expired, vomited, broken: written down as such
    STOCK_COUNTED = "stock_counted"
    STOCK_VARIANCE = "stock_variance"  # doses by which box and book differ, more or less, each box by itself
    STOCK_OUT_DAYS = "stock_out_days"
    BOXES = "boxes"  # with a book
    BOXES_COUNTED = "boxes_counted"  # of these, those that two have counted: no other box is in the sums of stock
    STAYS = "stays"
    STAYS_WITHIN_LIMIT = "stays_within_limit"
    STAYS_OVER_WITHOUT_PLAN = "stays_over_without_plan"
    REFUSED_FOR_LACK_OF_PLACE = "refused_for_lack_of_place"
    FACILITIES = "facilities"  # of a kind, as the network has them
    DISTRICTS = "districts"  # with a facility of a kind
    STATIONS = "stations"  # that are to have a desk
    STATIONS_READY = "stations_ready"  # of these, with a ready desk or more
    PLACES_DAY_AND_NIGHT = "places_day_and_night"  # by the hours that the network has of them
    DESKS = "desks"  # to which calls go
    DESKS_READY = "desks_ready"
    DESKS_STAFFED = "desks_staffed"
    DESKS_WITH_ROOM = "desks_with_room"  # that have said so within a shift: a room, or something to drive, is free
    DESKS_WITH_VEHICLE = "desks_with_vehicle"
    CALLS = "calls"
    CALLS_ROUTED = "calls_routed"  # given to a desk, or the room's own: a question, or cut off without a district
    CALLS_WRONG_NUMBER = "calls_wrong_number"
    CALLS_DUE = "calls_due"  # that a desk was to see: seen, or not seen and past their time
    CALLS_SEEN_IN_TIME = "calls_seen_in_time"  # of these, by their desk
    UNIT_DAYS = "unit_days"
    UNIT_DAYS_STAFFED = "unit_days_staffed"
    SEAT_DAYS = "seat_days"  # of a seconded worker
    SEAT_DAYS_PRESENT = "seat_days_present"
    MEDICAL_REPORTS_REQUESTED = "medical_reports_requested"
    MEDICAL_REPORTS_SIGNED = "medical_reports_signed"
    MEDICAL_REPORTS_UNSIGNED_AT_LIMIT = "medical_reports_unsigned_at_limit"
    INVESTIGATED = "investigated"
    CHARGED = "charged"
    TRIED = "tried"
    VERDICTS = "verdicts"
    CONVICTED = "convicted"  # cases, by the last verdict of the period
    ACQUITTED = "acquitted"
    HAND_OVERS = "hand_overs"
    HAND_OVERS_IN_TIME = "hand_overs_in_time"
    HAND_OVERS_DUE = "hand_overs_due"  # handed over in time, or past their time; not withdrawn, and not her no
    MEDIATIONS = "mediations"
    CONSENT_BREACHES = "consent_breaches"
    CONSENTS_REFUSED = "consents_refused"  # noes, of one agency each
    CONSENTS_TAKEN_BACK = "consents_taken_back"
    CONSENTS_HONOURED_IN_TIME = "consents_honoured_in_time"
    ADULTS_REPLACED = "adults_replaced"  # children for whom another adult stands in
    OUTREACH_SESSIONS = "outreach_sessions"
    PEOPLE_REACHED = "people_reached"
    SERVICES_SILENT = "services_silent"  # places that were asked and have answered nothing for thirty days
    PLACES_REPORTED = "places_reported"  # of one's own, at which anything was written down
    SHEETS_OUT = "sheets_out"  # numbered sheets that were printed and are not entered yet


# What a replay can play: the others follow from these.
REPLAYED = frozenset(
    {
        Measure.REPORTS, Measure.REPORTS_SEXUAL_VIOLENCE, Measure.CASES_REFERRED_TO_HEALTH, Measure.DOSES, Measure.CALLS,
        Measure.STAYS,
    }
)  # fmt: skip


class Duration(StrEnum):
    """What may be measured in hours."""

    REPORT_DELAY = "report_delay"  # from incident to report
    SEXUAL_REPORT_DELAY = "sexual_report_delay"  # the same of sexual violence
    DOSE_DELAY = "dose_delay"
    ARRIVAL_DELAY = "arrival_delay"  # from incident to arrival in care
    ACKNOWLEDGE_TIME = "acknowledge_time"
    DISPATCH_TIME = "dispatch_time"
    HAND_OVER_TIME = "hand_over_time"
    SIGN_TIME = "sign_time"  # from the request for a medical report to its signature
    STAY_LENGTH = "stay_length"  # until she left; so far, where she is still there


class Formula(StrEnum):
    """How an indicator is computed."""

    COUNT = "count"  # of
    RATE = "rate"  # of ÷ over
    PERCENT = "percent"  # 100 × of ÷ over
    CHANGE_PCT = "change_pct"  # 100 × (of in year − of in since) ÷ of in since
    SITES_GE = "sites_ge"  # places where of ÷ over is at least `at_least`
    TIMELY = "timely"  # the share of `durations` later than `after_h` and within `within_h`, of which one may be left out
    BALANCE = "balance"  # sum of `plus` − sum of `minus`
    MEDIAN_H = "median_h"  # of `durations`
    P90_H = "p90_h"  # of `durations`
    LONGEST_D = "longest_d"  # of `durations`, in days


class NotHeld(LookupError):
    """Nobody who was asked keeps records of a measure, which is something else than that there was none."""


class Tally(Protocol):
    """What an indicator is computed from: the records, counted. Raises NotHeld where there are no records to count."""

    def count(self, measure: Measure, *, year: int | None = None, place: str | None = None, kind: str | None = None) -> int:
        """How many there are, of a year, a place or a kind of facility where one is named."""

    def hours(self, duration: Duration, *, year: int | None = None) -> Sequence[float]:
        """Every duration of a kind."""

    def places(self, kind: str | None = None) -> Sequence[str]:
        """The places that are looked at, of a kind where one is named."""


MeasureCode = Annotated[Measure, BeforeValidator(OneOf(Measure, "measure"))]
DurationCode = Annotated[Duration, BeforeValidator(OneOf(Duration, "duration"))]
NEEDS: dict[Formula, tuple[str, ...]] = {
    Formula.COUNT: ("of",),
    Formula.RATE: ("of", "over"),
    Formula.PERCENT: ("of", "over"),
    Formula.CHANGE_PCT: ("of", "year", "since"),
    Formula.SITES_GE: ("of", "over", "at_least"),
    Formula.TIMELY: ("durations",),
    Formula.BALANCE: ("plus", "minus"),
    Formula.MEDIAN_H: ("durations",),
    Formula.P90_H: ("durations",),
    Formula.LONGEST_D: ("durations",),
}
MAY_HAVE: dict[Formula, tuple[str, ...]] = {
    Formula.COUNT: ("year", "kind", "kinds"), Formula.RATE: ("year", "kind"), Formula.PERCENT: ("year", "kind"),
    Formula.CHANGE_PCT: ("kind",), Formula.SITES_GE: ("year", "kind"), Formula.TIMELY: ("year", "after_h", "within_h"),
    Formula.BALANCE: ("year", "kind"), Formula.MEDIAN_H: ("year",), Formula.P90_H: ("year",),
    Formula.LONGEST_D: ("year",),
}  # fmt: skip
_ARGUMENTS = ("of", "over", "plus", "minus", "durations", "year", "since", "at_least", "after_h", "within_h", "kind", "kinds")


class Alarm(Sourced):
    """A value at which a post is told."""

    figures: ClassVar[tuple[str, ...]] = ("below", "above")

    below: Figure | None = None
    above: Figure | None = None

    @model_validator(mode="after")
    def _tells_somebody(self) -> "Alarm":
        if self.below is None and self.above is None:
            raise said("it has neither below nor above, so that nobody would ever be told; write one of them")
        if self.below is not None and self.above is not None and self.below > self.above:
            raise said(f"every value is below {self.below:g} or above {self.above:g}; write a below that is less than above")
        return self


class Indicator(Part):
    """One figure: a formula and what it is computed of."""

    name: Named
    safeguard: YesNo = False  # changed by no profile that extends the one in which it stands
    formula: Annotated[Formula, BeforeValidator(OneOf(Formula, "formula"))]
    of: MeasureCode | None = None
    over: MeasureCode | None = None
    plus: tuple[MeasureCode, ...] = ()
    minus: tuple[MeasureCode, ...] = ()
    durations: DurationCode | None = None
    year: Year | None = None
    since: Year | None = None
    at_least: Figure | None = None
    after_h: Figure | None = None
    within_h: Figure | None = None
    kind: Id | None = None  # of facility, to look at no other
    kinds: tuple[Id, ...] = ()  # the same, of several
    alarm: Alarm | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Indicator":
        given = {name for name in _ARGUMENTS if getattr(self, name) not in (None, ())}
        lacking = [name for name in NEEDS[self.formula] if name not in given]
        foreign = sorted(given - {*NEEDS[self.formula], *MAY_HAVE[self.formula]})
        if lacking:
            raise said(f"the formula {self.formula} needs {', '.join(NEEDS[self.formula])}; {', '.join(lacking)} is missing")
        if self.formula is Formula.TIMELY and not given & {"after_h", "within_h"}:
            raise said("the formula timely needs within_h, after_h or both; both are missing")
        if foreign:
            raise said(f"the formula {self.formula} has no {', '.join(foreign)}; leave it out")
        if self.after_h is not None and self.within_h is not None and self.after_h >= self.within_h:
            raise said(f"nothing is above {self.after_h:g} and within {self.within_h:g} hours; write an after_h below within_h")
        twice = next((kind for n, kind in enumerate(self.kinds) if kind in self.kinds[:n]), None)
        if twice is not None:
            raise said(f"'{twice}' stands twice in kinds, and would count twice; keep one of them")
        return self

    def value(self, tally: Tally) -> float | None:
        """The figure; None where there is nothing to divide by, nothing was measured, or no records of it are kept."""
        try:
            return _FORMULAS[self.formula](self, tally)
        except NotHeld:
            return None


def _count(i: Indicator, t: Tally) -> float | None:
    assert i.of is not None
    return float(sum(t.count(i.of, year=i.year, kind=kind) for kind in i.kinds or (i.kind,)))


def _rate(i: Indicator, t: Tally) -> float | None:
    assert i.of is not None
    assert i.over is not None
    below = t.count(i.over, year=i.year, kind=i.kind)
    return t.count(i.of, year=i.year, kind=i.kind) / below if below else None


def _percent(i: Indicator, t: Tally) -> float | None:
    rate = _rate(i, t)
    return None if rate is None else 100 * rate


def _change_pct(i: Indicator, t: Tally) -> float | None:
    assert i.of is not None
    before = t.count(i.of, year=i.since, kind=i.kind)
    return 100 * (t.count(i.of, year=i.year, kind=i.kind) - before) / before if before else None


def _sites_ge(i: Indicator, t: Tally) -> float | None:
    assert i.of is not None
    assert i.over is not None
    assert i.at_least is not None
    rates = [
        t.count(i.of, year=i.year, place=place) / below
        for place in t.places(i.kind)
        if (below := t.count(i.over, year=i.year, place=place))
    ]
    return float(sum(rate >= i.at_least for rate in rates))


def _timely(i: Indicator, t: Tally) -> float | None:
    assert i.durations is not None
    hours = t.hours(i.durations, year=i.year)
    after, within = i.after_h if i.after_h is not None else -inf, i.within_h if i.within_h is not None else inf
    return sum(after < one <= within for one in hours) / len(hours) if hours else None


def _balance(i: Indicator, t: Tally) -> float | None:
    plus = sum(t.count(one, year=i.year, kind=i.kind) for one in i.plus)
    return float(plus - sum(t.count(one, year=i.year, kind=i.kind) for one in i.minus))


def quantile(hours: Sequence[float], share: float) -> float | None:
    """By the nearest rank: a duration that somebody really waited."""
    ordered = sorted(hours)
    rank = max(0, -(-int(share * 100 * len(ordered)) // 100) - 1)
    return ordered[min(rank, len(ordered) - 1)] if ordered else None


def _median_h(i: Indicator, t: Tally) -> float | None:
    assert i.durations is not None
    return quantile(t.hours(i.durations, year=i.year), 0.5)


def _p90_h(i: Indicator, t: Tally) -> float | None:
    assert i.durations is not None
    return quantile(t.hours(i.durations, year=i.year), 0.9)


def _longest_d(i: Indicator, t: Tally) -> float | None:
    assert i.durations is not None
    return max((hours / DAY_H for hours in t.hours(i.durations, year=i.year)), default=None)


_FORMULAS: dict[Formula, Callable[[Indicator, Tally], float | None]] = {
    Formula.COUNT: _count,
    Formula.RATE: _rate,
    Formula.PERCENT: _percent,
    Formula.CHANGE_PCT: _change_pct,
    Formula.SITES_GE: _sites_ge,
    Formula.TIMELY: _timely,
    Formula.BALANCE: _balance,
    Formula.MEDIAN_H: _median_h,
    Formula.P90_H: _p90_h,
    Formula.LONGEST_D: _longest_d,
}


class Comparison(StrEnum):
    """How a value is compared with what is expected."""

    EQUAL = "equal"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    MORE_THAN = "more_than"
    LESS_THAN = "less_than"


COMPARED: dict[Comparison, Callable[[float, float], bool]] = {
    Comparison.EQUAL: operator.eq,
    Comparison.AT_LEAST: operator.ge,
    Comparison.AT_MOST: operator.le,
    Comparison.MORE_THAN: operator.gt,
    Comparison.LESS_THAN: operator.lt,
}


class WhyExpected(StrEnum):
    """What an expected value is."""

    FACT = "fact"  # the programme's report says so
    ZERO_TARGET = "zero_target"  # what must not happen
    DESIGN = "design"  # what we chose to reach


class Expected(Sourced):
    """What an indicator must come to."""

    figures: ClassVar[tuple[str, ...]] = ("value",)

    value: Figure
    safeguard: YesNo = False  # changed by no profile that extends the one in which it stands
    compared: Annotated[Comparison, BeforeValidator(OneOf(Comparison, "comparison"))] = Comparison.EQUAL
    why: Annotated[WhyExpected, BeforeValidator(OneOf(WhyExpected, "kind of expectation"))]
    decimals: Count = 0  # to how many the report rounds

    @model_validator(mode="after")
    def _honest(self) -> "Expected":
        if self.why is WhyExpected.FACT and self.is_assumption("value"):
            raise said("it is called a fact, and its source is none; name the report (S, O…), or write `why: design`")
        if self.why is WhyExpected.ZERO_TARGET and self.value != 0:
            raise said(f"a zero target is 0, and this is {self.value:g}; write 0, or `why: design`")
        return self

    def is_met(self, value: float | None) -> bool:
        """Whether a value meets it; what could not be computed meets nothing. What is to be equal to a number is rounded as the
        report rounds it; nought, at least and at most are asked of the value as it is."""
        if value is None:
            return False
        is_rounded = self.compared is Comparison.EQUAL and self.value != 0
        return COMPARED[self.compared](round(value, self.decimals) if is_rounded else value, self.value)


class SeriesKind(StrEnum):
    """Whether the numbers of a replay are facts or made up."""

    FACT = "fact"
    SYNTHETIC = "synthetic"


class Series(Sourced):
    """How many of something each place has in each year of a replay."""

    figures: ClassVar[tuple[str, ...]] = ("numbers",)

    measure: MeasureCode
    kind: Id  # of facility: its places, in their order
    numbers: dict[Year, tuple[Count, ...]] = Field(min_length=1)
    is_: Annotated[SeriesKind, BeforeValidator(OneOf(SeriesKind, "kind of series"))] = Field(alias="is")

    @model_validator(mode="after")
    def _honest(self) -> "Series":
        if self.is_ is SeriesKind.FACT and self.is_assumption("numbers"):
            raise said("it is called a fact, and its source is none; name the report (S, O…), or write `is: synthetic`")
        return self

    def total(self, year: int | None = None) -> int:
        """Over all places, of a year or of all."""
        return sum(sum(per_place) for one, per_place in self.numbers.items() if year in (None, one))
