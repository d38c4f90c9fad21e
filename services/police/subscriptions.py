"""This agency's table of contents: which events it takes. Progress of others is not its business but that of justice, to
which it handed a case over: what anybody else tells of it is parked.
"""

from services.police.dispensing.handlers import on_supplies_declined, on_supplies_sent
from services.police.stations.handlers import on_station_registered
from shared.casework.circles.handlers import on_case_progress, on_hearing_off
from shared.casework.reports.handlers import on_report_moved
from shared.casework.vocabulary import (
    ANSWERS_TO_OURS,
    ASKED_TO_CONFERENCES,
    CONSENT_AND_CIRCLE,
    MESSAGES_AND_PLACES,
    PROTOCOLS,
    REFERRALS_SENT_TO_US,
    THE_LINE,
    Contents,
)
from shared.contracts.casework import events

STATIONS: Contents = {events.StationRegistered: on_station_registered}

SUPPLIES: Contents = {events.SuppliesSent: on_supplies_sent, events.SuppliesDeclined: on_supplies_declined}

# Of justice alone: nobody else may tell a desk of steps.
COURT: Contents = {events.CaseProgress: on_case_progress, events.HearingOff: on_hearing_off}

REPORTS: Contents = {events.ReportMoved: on_report_moved}

SUBSCRIPTIONS: Contents = {
    **REFERRALS_SENT_TO_US, **ANSWERS_TO_OURS, **CONSENT_AND_CIRCLE, **MESSAGES_AND_PLACES, **ASKED_TO_CONFERENCES,
    **SUPPLIES, **REPORTS, **COURT, **PROTOCOLS, **STATIONS, **THE_LINE,
}  # fmt: skip
