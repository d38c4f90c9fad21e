"""Composes the social welfare agency from the shared parts and its own."""

from pathlib import Path

from sqlmodel import col

from services.agency import AgencyParts
from services.social_welfare.assignments.tables import Assignment
from services.social_welfare.assignments.views import today
from services.social_welfare.assignments.web import router
from services.social_welfare.outreach import figures as outreach_figures
from services.social_welfare.outreach.pages import router as outreach_pages
from services.social_welfare.outreach.tables import OutreachSession
from services.social_welfare.outreach.web import router as outreach
from services.social_welfare.plans.pages import router as plan_pages
from services.social_welfare.plans.tables import Plan, PlanAnswer, PlanVersion, StepMark
from services.social_welfare.plans.views import case_ways as plan_ways
from services.social_welfare.plans.web import router as plans
from services.social_welfare.returns.pages import case_ways as return_ways
from services.social_welfare.returns.pages import router as return_pages
from services.social_welfare.returns.tables import HomeReturn
from services.social_welfare.returns.web import router as returns
from services.social_welfare.subscriptions import SUBSCRIPTIONS
from services.social_welfare.visits.pages import router as visit_pages
from services.social_welfare.visits.tables import SafeWord, Visit
from services.social_welfare.visits.views import case_ways as visit_ways
from services.social_welfare.visits.watch import watch_visits
from services.social_welfare.visits.web import router as visits
from services.social_welfare.words import WORDS
from shared.casework.agreements.views import ways_here as agreement_ways
from shared.casework.agreements.watch import watch as watch_agreements
from shared.casework.consents.figures import offered
from shared.casework.counts import EVERYWHERE
from shared.casework.figures.watch import watch_indicators
from shared.casework.lines.local_facts import LocalFacts
from shared.casework.pages.frame import Look
from shared.contracts.casework.codes import AgencyKind
from shared.kit.i18n import mark as _

COUNTS = (*EVERYWHERE, offered, outreach_figures.counts)
HERE = Path(__file__).parent
ROOMS = ("assignments", "plans", "visits", "returns", "outreach")

LOCAL_FACTS = (
    LocalFacts(_("Has a social worker"), col(Assignment.assigned_at)),
    LocalFacts(_("Plan"), col(PlanVersion.recorded_at)),
    LocalFacts(_("Visits"), col(Visit.recorded_at)),
    LocalFacts(_("Going back"), col(HomeReturn.recorded_at)),
    LocalFacts(_("Outreach"), col(OutreachSession.recorded_at)),
)

PARTS = AgencyParts(
    kind=AgencyKind.SOCIAL_WELFARE,
    routers=[
        router, plans, plan_pages, visits, visit_pages, returns, return_pages, outreach, outreach_pages,
    ],
    tables=[Assignment, Plan, PlanVersion, PlanAnswer, StepMark, SafeWord, Visit, HomeReturn, OutreachSession],
    migrations=HERE / "migrations",
    subscriptions=SUBSCRIPTIONS,
    look=Look(
        ways=(
            ("/work", _("My cases")),
            ("/cases", _("All cases")),
            ("/conferences", _("Case conferences")),
            ("/following", _("What I follow")),
            ("/outreach", _("Outreach")),
            ("/directory", _("Directory")),
            ("/hand-over", _("Hand over shift")),
        ),
        ways_here=(agreement_ways,),
        supervises=(("/outreach", _("Outreach")),),
        case_ways=(plan_ways, visit_ways, return_ways),
        work_first=(("assignments/today.html", today),),
        words=WORDS,
        counts=COUNTS,
        local_facts=LOCAL_FACTS,
        rooms={"social_welfare": HERE / "templates", **{room: HERE / room / "templates" for room in ROOMS}},
    ),
    watches=(watch_agreements, watch_indicators(COUNTS), watch_visits),
)  # fmt: skip
