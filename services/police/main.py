"""Composes the police agency from the shared parts and its own."""

from pathlib import Path

from services.agency import AgencyParts
from services.police.dockets.tables import Docket
from services.police.dockets.web import router
from services.police.subscriptions import SUBSCRIPTIONS
from shared.contracts.casework.codes import AgencyKind

PARTS = AgencyParts(
    kind=AgencyKind.POLICE,
    routers=[router],
    tables=[Docket],
    migrations=Path(__file__).parent / "migrations",
    subscriptions=SUBSCRIPTIONS,
)
