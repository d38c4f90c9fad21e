"""The fifteen monthly figures that a ministry needs (practice guide), and which of them this agency keeps records of."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from shared.kit.i18n import mark as _
from shared.programmes.indicators import Duration, Measure

_M, _D = Measure, Duration


class Kept(StrEnum):
    """Whether there are records of a monthly figure here."""

    WHOLE = "whole"
    PARTLY = "partly"
    NOT_YET = "not_yet"


@dataclass(frozen=True, slots=True)
class Monthly:
    """One of them: what it is, and the measures of which any is a part of it. `is_whole`: there is nothing more to it."""

    words: str
    measures: frozenset[Measure | Duration]
    is_whole: bool = False
    is_cube: bool = False  # in the released figures of every agency

    def kept(self, held: Collection[Measure | Duration]) -> Kept:
        """Whether it is kept here, by the measures that are."""
        if self.is_cube:
            return Kept.WHOLE
        if not self.measures & set(held):
            return Kept.NOT_YET
        return Kept.WHOLE if self.is_whole and self.measures <= set(held) else Kept.PARTLY


MONTHLY = (
    Monthly(_("Reports by type, sex, age group, first or again"), frozenset(), is_cube=True),
    Monthly(_("Hours until a report, and until arrival in care"), frozenset({_D.REPORT_DELAY, _D.ARRIVAL_DELAY}), is_whole=True),
    Monthly(_("Offered, accepted, sent, seen, came, finished, and why not"),
            frozenset({_M.HEALTH_OFFERED, _M.REFERRALS_ISSUED, _M.REFERRALS_ARRIVED, _M.REFERRALS_SERVED})),
    Monthly(_("What was given among those who came in time"), frozenset({_M.DOSES_IN_TIME, _M.ARRIVALS_WITHIN_PEP})),
    Monthly(_("Days without stock, and what two counted"), frozenset({_M.STOCK_OUT_DAYS, _M.STOCK_COUNTED}), is_whole=True),
    Monthly(_("Medical reports: asked for, signed, not signed at the limit"),
            frozenset({_M.MEDICAL_REPORTS_REQUESTED, _M.MEDICAL_REPORTS_SIGNED, _M.MEDICAL_REPORTS_UNSIGNED_AT_LIMIT}),
            is_whole=True),
    Monthly(_("How far the police came, withdrawn, with pressure"),
            frozenset({_M.INVESTIGATED, _M.CHARGED, _M.TRIED, _M.VERDICTS, _M.REPORTS_WITHDRAWN,
                       _M.REPORTS_WITHDRAWN_AT_STATION, _M.REPORTS_WITHDRAWN_IN_COURT, _M.PRESSURE_TO_SETTLE}),
            is_whole=True),
    Monthly(_("Places: stays, over the limit, refused because none was free"),
            frozenset({_M.STAYS, _M.STAYS_WITHIN_LIMIT, _M.STAYS_OVER_WITHOUT_PLAN, _M.REFUSED_FOR_LACK_OF_PLACE}), is_whole=True),
    Monthly(_("Fees that were asked for"), frozenset({_M.FEES_CHARGED}), is_whole=True),
    Monthly(_("Presence: desks staffed, social worker there, room, vehicle"),
            frozenset({_M.DESKS_READY, _M.UNIT_DAYS_STAFFED, _M.SEAT_DAYS_PRESENT}), is_whole=True),
    Monthly(_("Services that answered nothing for thirty days"), frozenset({_M.SERVICES_SILENT}), is_whole=True),
    Monthly(_("Children: told by law, a safe adult in place of another"),
            frozenset({_M.REPORTS_BY_LAW, _M.ADULTS_REPLACED}), is_whole=True),
    Monthly(_("Consent: refused, taken back, honoured in time"),
            frozenset({_M.CONSENTS_TAKEN_BACK, _M.CONSENTS_HONOURED_IN_TIME}), is_whole=True),
    Monthly(_("Outreach: sessions, people reached"), frozenset({_M.OUTREACH_SESSIONS, _M.PEOPLE_REACHED}), is_whole=True),
    Monthly(_("Completeness: places that reported, sheets still open"),
            frozenset({_M.PLACES_REPORTED, _M.SHEETS_OUT}), is_whole=True),
)  # fmt: skip
KEPT_WORDS = {Kept.WHOLE: _("there"), Kept.PARTLY: _("in part"), Kept.NOT_YET: _("no records yet")}
