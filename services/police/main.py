"""Composes the police agency from the shared parts and its own."""

from pathlib import Path

from services.agency import AgencyParts
from services.police.complaints.domain import ENTERED_APART
from services.police.complaints.pages import router as complaint_pages
from services.police.complaints.tables import Breach, Complaint, ComplaintStep, Explained, Telling
from services.police.complaints.views import case_ways, to_tell
from services.police.complaints.web import router as complaints
from services.police.complaints.words import WORDS
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
    routers=[router, docket_pages, complaints, complaint_pages],
    tables=[Docket, Complaint, ComplaintStep, Telling, Explained, Breach],
    migrations=Path(__file__).parent / "migrations",
    subscriptions=SUBSCRIPTIONS,
    look=Look(
        ways=(
            ("/work", _("For my desk")),
            ("/cases", _("Cases")),
            ("/directory", _("Directory")),
            ("/hand-over", _("Hand over shift")),
        ),
        supervises=(("/complaints", _("Complaints")),),
        words=WORDS,
        case_ways=(case_ways,),
        to_tell=to_tell,
        steps_apart=ENTERED_APART,
        case_facts=docket_of,
        own_number=_("Number in the occurrence book"),
        find_own=case_with,
        rooms={"police": Path(__file__).parent / "templates", "complaints": Path(__file__).parent / "complaints" / "templates"},
    ),
)
