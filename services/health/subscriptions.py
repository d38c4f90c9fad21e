"""This agency's table of contents: which events it takes. Progress of others is not its business: such an event is parked."""

from services.health.supplies.handlers import (
    on_safety_reported,
    on_supplies_received,
    on_supplies_requested,
    on_supplies_stated,
)
from shared.casework.reports import handlers as _reports  # noqa: F401 — how its own words of a report are put back
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

SUPPLIES: Contents = {
    events.SuppliesRequested: on_supplies_requested,
    events.SuppliesReceived: on_supplies_received,
    events.SuppliesStated: on_supplies_stated,
    events.SafetyReported: on_safety_reported,
}

SUBSCRIPTIONS: Contents = {
    **REFERRALS_SENT_TO_US, **ANSWERS_TO_OURS, **CONSENT_AND_CIRCLE, **MESSAGES_AND_PLACES,
    **ASKED_TO_CONFERENCES, **SUPPLIES, **PROTOCOLS, **THE_LINE,
}  # fmt: skip
