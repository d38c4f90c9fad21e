"""Composes the partner agency from the shared parts and its own."""

from pathlib import Path

from sqlmodel import col

from services.agency import AgencyParts
from services.partner.afterwards.domain import Plan
from services.partner.afterwards.pages import router as afterwards_pages
from services.partner.afterwards.tables import Afterwards
from services.partner.afterwards.views import to_decide, work_lines
from services.partner.afterwards.web import router as afterwards
from services.partner.subscriptions import SUBSCRIPTIONS
from shared.casework.agreements.views import ways_here
from shared.casework.agreements.watch import watch as watch_agreements
from shared.casework.consents.figures import offered
from shared.casework.counts import EVERYWHERE
from shared.casework.figures.watch import watch_indicators
from shared.casework.lines.local_facts import LocalFacts
from shared.casework.pages.frame import Look
from shared.contracts.casework.codes import AgencyKind
from shared.kit.i18n import mark as _

COUNTS = (*EVERYWHERE, offered)
PLANS: dict[str, str] = {
    Plan.FINISHED_BEFORE: _("It is finished before the agreement ends"),
    Plan.GOES_ON_HERE: _("It goes on here, by our own means"),
    Plan.ANOTHER_PLACE: _("The desk that sent is asked to find another place with her"),
}

PARTS = AgencyParts(
    kind=AgencyKind.PARTNER,
    routers=[afterwards, afterwards_pages],
    tables=[Afterwards],
    migrations=Path(__file__).parent / "migrations",
    subscriptions=SUBSCRIPTIONS,
    look=Look(
        ways=(
            ("/work", _("Inbox")),
            ("/here-now", _("Here now")),
            ("/cases", _("Cases")),
            ("/directory", _("Directory")),
            ("/hand-over", _("Hand over shift")),
        ),
        words={"afterwards": PLANS},
        work_lines=(work_lines,),
        ways_here=(ways_here,),
        agreement_more=(("afterwards/to_decide.html", to_decide),),
        counts=COUNTS,
        local_facts=(LocalFacts(_("Open while the agreement ends"), col(Afterwards.recorded_at)),),
        rooms={"afterwards": Path(__file__).parent / "afterwards" / "templates"},
    ),
    watches=(watch_agreements, watch_indicators(COUNTS)),
)
