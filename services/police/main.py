"""Composes the police agency from the shared parts and its own."""

from pathlib import Path

from services.agency import AgencyParts
from services.police.dockets.commands import case_with
from services.police.dockets.pages import docket_of
from services.police.dockets.pages import router as docket_pages
from services.police.dockets.tables import Docket
from services.police.dockets.web import router
from services.police.hotline.pages import router as hotline_pages
from services.police.hotline.pages import ways_here
from services.police.hotline.tables import Call, CallLook, DeskState
from services.police.hotline.views import to_see
from services.police.hotline.watch import watch
from services.police.hotline.web import router as hotline
from services.police.subscriptions import SUBSCRIPTIONS
from shared.casework.pages.frame import Look
from shared.contracts.casework.codes import AgencyKind
from shared.kit.i18n import mark as _

CALLS = {
    "report": _("She tells of violence, or asks for help"), "information": _("A question, answered on the line"),
    "cut": _("Cut off"), "wrong_number": _("Wrong number"),
}  # fmt: skip
CHANNELS = {"voice": _("By voice"), "sms": _("By SMS")}
STEPS = {
    "fits": _("The desk of the district"), "fall_back": _("The next desk, because that of the district was not ready"),
    "last_resort": _("The room itself: no desk was ready"), "answered": _("Answered in the room"),
}  # fmt: skip

PARTS = AgencyParts(
    kind=AgencyKind.POLICE,
    routers=[router, docket_pages, hotline, hotline_pages],
    tables=[Docket, Call, CallLook, DeskState],
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
        words={"call": CALLS, "channel": CHANNELS, "route_step": STEPS},
        ways_here=ways_here,
        work_first=(("hotline/at_work.html", to_see),),
        rooms={"police": Path(__file__).parent / "templates", "hotline": Path(__file__).parent / "hotline" / "templates"},
    ),
    watches=(watch,),
)
