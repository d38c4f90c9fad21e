"""Composes the police agency from the shared parts and its own."""

from pathlib import Path

from services.agency import AgencyParts
from services.police.dockets.commands import case_with
from services.police.dockets.pages import docket_of
from services.police.dockets.pages import router as docket_pages
from services.police.dockets.tables import Docket
from services.police.dockets.web import router
from services.police.subscriptions import SUBSCRIPTIONS
from shared.casework.pages.frame import Look
from shared.contracts.casework.codes import AgencyKind
from shared.kit.i18n import mark as _

PARTS = AgencyParts(
    kind=AgencyKind.POLICE,
    routers=[router, docket_pages],
    tables=[Docket],
    migrations=Path(__file__).parent / "migrations",
    subscriptions=SUBSCRIPTIONS,
    look=Look(
        ways=(
            ("/work", _("For my desk")),
            ("/cases", _("Cases")),
            ("/directory", _("Directory")),
            ("/hand-over", _("Hand over shift")),
        ),
        case_facts=docket_of,
        own_number=_("Number in the occurrence book"),
        find_own=case_with,
        rooms={"police": Path(__file__).parent / "templates"},
    ),
)
