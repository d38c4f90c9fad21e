"""Composes the health agency from the shared parts and its own."""

from pathlib import Path

from services.agency import AgencyParts
from services.health.care.tables import CareGiven
from services.health.care.web import router
from services.health.subscriptions import SUBSCRIPTIONS
from shared.contracts.casework.codes import AgencyKind

PARTS = AgencyParts(
    kind=AgencyKind.HEALTH,
    routers=[router],
    tables=[CareGiven],
    migrations=Path(__file__).parent / "migrations",
    subscriptions=SUBSCRIPTIONS,
)
