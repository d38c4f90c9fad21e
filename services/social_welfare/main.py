"""Composes the social welfare agency from the shared parts and its own."""

from pathlib import Path

from services.agency import AgencyParts
from services.social_welfare.assignments.tables import Assignment
from services.social_welfare.assignments.web import router
from services.social_welfare.subscriptions import SUBSCRIPTIONS
from shared.casework.agreements.views import ways_here as agreement_ways
from shared.casework.agreements.watch import watch as watch_agreements
from shared.casework.consents.figures import offered
from shared.casework.counts import EVERYWHERE
from shared.casework.figures.watch import watch_indicators
from shared.casework.pages.frame import Look
from shared.contracts.casework.codes import AgencyKind
from shared.kit.i18n import mark as _

COUNTS = (*EVERYWHERE, offered)

PARTS = AgencyParts(
    kind=AgencyKind.SOCIAL_WELFARE,
    routers=[router],
    tables=[Assignment],
    migrations=Path(__file__).parent / "migrations",
    subscriptions=SUBSCRIPTIONS,
    look=Look(
        ways=(
            ("/work", _("My cases")),
            ("/cases", _("All cases")),
            ("/following", _("What I follow")),
            ("/directory", _("Directory")),
            ("/hand-over", _("Hand over shift")),
        ),
        ways_here=(agreement_ways,),
        counts=COUNTS,
        rooms={"social_welfare": Path(__file__).parent / "templates"},
    ),
    watches=(watch_agreements, watch_indicators(COUNTS)),
)
