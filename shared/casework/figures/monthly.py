"""The fifteen monthly figures that a ministry needs (practice guide), which of them this agency keeps records of, and what they
come to: exact, for a supervisor's own eyes. What of it may leave says leaving.py."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import HOURS, UNKNOWN
from shared.casework.figures.leaving import IN_CUBES, OF_PLACES
from shared.casework.figures.programme import Leaves, written
from shared.casework.figures.views import hours as band_of
from shared.casework.figures.words import DURATIONS, FORMULAS, MEASURES
from shared.kit.i18n import mark as _
from shared.programmes.indicators import Duration, Formula, Measure, quantile
from shared.programmes.tallies import RECIPIENTS, SENDERS

_M, _D = Measure, Duration


class Kept(StrEnum):
    """Whether there are records of a monthly figure here."""

    WHOLE = "whole"
    PARTLY = "partly"
    NOT_YET = "not_yet"


@dataclass(frozen=True, slots=True)
class Monthly:
    """One of them: what it is, and the measures that are parts of it, in the order in which they are told. `lacking`: what else the
    ministry asks, of which nobody keeps records. `is_cube`: it is in the released figures of every agency as well."""

    words: str
    measures: tuple[Measure | Duration, ...]
    lacking: str | None = None
    is_cube: bool = False

    def kept(self, held: Collection[Measure | Duration]) -> Kept:
        """Whether it is kept here, by the measures that are."""
        there = [one for one in self.measures if one in held]
        if self.is_cube or (len(there) == len(self.measures) and self.lacking is None):
            return Kept.WHOLE
        return Kept.PARTLY if there else Kept.NOT_YET


MONTHLY = (
    Monthly(_("Reports by type, sex, age group, first or again"), (_M.REPORTS, _M.REPORTS_SEXUAL_VIOLENCE), is_cube=True),
    Monthly(_("Hours until a report, and until arrival in care"), (_D.SEXUAL_REPORT_DELAY, _D.ARRIVAL_DELAY)),
    Monthly(_("Offered, accepted, sent, seen, came, finished, and why not"),
            (_M.HEALTH_OFFERED, _M.HEALTH_DECLINED_BY_HER, _M.REFERRALS_ISSUED, _M.REFERRALS_ACKNOWLEDGED, _M.REFERRALS_ACCEPTED,
             _M.REFERRALS_ARRIVED, _M.REFERRALS_SERVED, _M.REFERRALS_SAID_NO_THERE, _M.REFERRALS_NOT_AVAILABLE,
             _M.REFERRALS_NOT_REACHED, _M.REFERRALS_LOST),
            lacking=_("that there was no way there, or that a fee was the reason")),
    Monthly(_("What was given among those who came in time"),
            (_M.ARRIVALS_WITHIN_PEP, _M.ARRIVALS_GIVEN_EC, _M.ARRIVALS_GIVEN_PEP, _M.ARRIVALS_GIVEN_STI)),
    Monthly(_("Days without stock, and what two counted"),
            (_M.STOCK_OUT_DAYS, _M.BOXES, _M.BOXES_COUNTED, _M.STOCK_COUNTED, _M.STOCK_VARIANCE)),
    Monthly(_("Medical reports: asked for, signed, not signed at the limit"),
            (_M.MEDICAL_REPORTS_REQUESTED, _M.MEDICAL_REPORTS_SIGNED, _D.SIGN_TIME, _M.MEDICAL_REPORTS_UNSIGNED_AT_LIMIT)),
    Monthly(_("How far the police came, withdrawn, with pressure"),
            (_M.INVESTIGATED, _M.CHARGED, _M.TRIED, _M.VERDICTS, _M.CONVICTED, _M.ACQUITTED, _M.REPORTS_WITHDRAWN,
             _M.REPORTS_WITHDRAWN_AT_STATION, _M.REPORTS_WITHDRAWN_IN_COURT, _M.PRESSURE_TO_SETTLE)),
    Monthly(_("Places: stays, over the limit, refused because none was free"),
            (_M.STAYS, _M.STAYS_WITHIN_LIMIT, _M.STAYS_OVER_WITHOUT_PLAN, _M.REFUSED_FOR_LACK_OF_PLACE)),
    Monthly(_("Fees that were asked for"), (_M.FEES_CHARGED,)),
    Monthly(_("Presence: desks staffed, social worker there, room, vehicle"),
            (_M.DESKS, _M.DESKS_STAFFED, _M.DESKS_READY, _M.DESKS_WITH_ROOM, _M.DESKS_WITH_VEHICLE, _M.PLACES_DAY_AND_NIGHT,
             _M.UNIT_DAYS, _M.UNIT_DAYS_STAFFED, _M.SEAT_DAYS, _M.SEAT_DAYS_PRESENT)),
    Monthly(_("Services that answered nothing for thirty days"), (_M.SERVICES_SILENT,)),
    Monthly(_("Children: told by law, a safe adult in place of another"), (_M.REPORTS_BY_LAW, _M.ADULTS_REPLACED)),
    Monthly(_("Consent: refused, taken back, honoured in time"),
            (_M.CONSENTS_REFUSED, _M.CONSENTS_TAKEN_BACK, _M.CONSENTS_HONOURED_IN_TIME)),
    Monthly(_("Outreach: sessions, people reached"), (_M.OUTREACH_SESSIONS, _M.PEOPLE_REACHED)),
    Monthly(_("Completeness: places that reported, sheets still open"), (_M.PLACES_REPORTED, _M.SHEETS_OUT)),
)  # fmt: skip
KEPT_WORDS = {Kept.WHOLE: _("there"), Kept.PARTLY: _("in part"), Kept.NOT_YET: _("no records of it here")}
KNOWN = [band for band in HOURS if band != UNKNOWN]
BANDED = frozenset({_D.SEXUAL_REPORT_DELAY, _D.ARRIVAL_DELAY})  # told also by the limits within which care works best


HALF = FORMULAS[Formula.MEDIAN_H]


@dataclass(frozen=True, slots=True)
class Row:
    """One number of a monthly figure. `number` None: no records of it are kept; `band`: it is how many were within that limit;
    `is_half`: `median` is how long half of them took, None where there was none."""

    words: str
    number: int | None
    leaves: Leaves = Leaves.STAYS
    is_other_end: bool = False  # of what was sent to here, where what was sent from here stands beside it
    band: str | None = None
    is_half: bool = False
    median: str | None = None


def rows(one: Monthly, counts: Counts) -> list[Row]:
    """What a monthly figure comes to at all of the places that were counted, in numbers; none where nothing of it is kept."""
    held = [part for part in one.measures if part in counts.kept]
    received = RECIPIENTS - SENDERS if SENDERS.intersection(one.measures) else frozenset[Measure]()
    found: list[Row] = []
    for part in one.measures if held and not one.is_cube else held:
        if isinstance(part, Duration) and part in held:
            found += _of_hours(part, [hours for _place, hours in counts.hours[part]])
        elif isinstance(part, Duration):
            found.append(Row(DURATIONS[part], None))
        else:
            leaves = Leaves.EXACT if part in OF_PLACES else Leaves.AS_RELEASED if part in IN_CUBES else Leaves.STAYS
            found.append(Row(MEASURES[part], _sum(counts, part), leaves, part in received))
    return found


def _sum(counts: Counts, measure: Measure) -> int | None:
    return sum(counts.found[measure].values()) if measure in counts.found else None


def _of_hours(part: Duration, several: Sequence[float]) -> list[Row]:
    bands = [band_of(timedelta(hours=hours)) for hours in several]
    limits = [Row(DURATIONS[part], bands.count(band), band=band) for band in KNOWN] if part in BANDED else []
    half = written(quantile(several, 0.5), Formula.MEDIAN_H)
    return [*limits, Row(DURATIONS[part], len(several), is_half=True, median=half)]
