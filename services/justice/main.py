"""Composes the justice agency (prosecutor, forensic institute, court) from the shared parts and its own."""

from pathlib import Path

from sqlmodel import col

from services.agency import AgencyParts
from services.justice.custody.tables import CustodyEntry, Specimen
from services.justice.examinations.pages import router as examination_pages
from services.justice.examinations.tables import Examination
from services.justice.examinations.views import case_ways as examination_ways
from services.justice.examinations.views import work_lines as examination_lines
from services.justice.examinations.watch import watch as watch_orders
from services.justice.examinations.web import router as examinations
from services.justice.hand_overs.pages import router as hand_over_pages
from services.justice.hand_overs.web import router as hand_overs
from services.justice.proceedings.figures import counts as verdict_counts
from services.justice.proceedings.pages import router as proceeding_pages
from services.justice.proceedings.tables import Hearing, Verdict
from services.justice.proceedings.views import case_ways as proceeding_ways
from services.justice.proceedings.views import first as hearings_first
from services.justice.proceedings.watch import watch as watch_hearings
from services.justice.proceedings.web import router as proceedings
from services.justice.subscriptions import SUBSCRIPTIONS
from shared.casework.agreements.views import ways_here
from shared.casework.agreements.watch import watch as watch_agreements
from shared.casework.consents.figures import offered
from shared.casework.counts import EVERYWHERE
from shared.casework.custody.pages import router as custody_pages
from shared.casework.custody.views import case_ways as custody_ways
from shared.casework.custody.views import work_lines as custody_lines
from shared.casework.custody.web import router as custody
from shared.casework.custody.words import WORDS as CUSTODY_WORDS
from shared.casework.figures.watch import watch_indicators
from shared.casework.lines.local_facts import LocalFacts
from shared.casework.pages.frame import Look
from shared.contracts.casework.codes import AgencyKind, ProgressCode
from shared.kit.i18n import mark as _

HEARINGS = {"set": _("Set"), "held": _("Was held"), "put_off": _("Put off"), "cancelled": _("Cancelled")}
TRIALS = {
    "convicted": _("Convicted"), "acquitted": _("Acquitted"), "dismissed": _("Not taken up"), "other": _("Decided otherwise"),
}  # fmt: skip
ORDERS = {
    "not_needed": _("No order is needed"), "there": _("The order was there"), "awaited": _("The order is to follow"),
    "asked": _("The order has been asked for"), "came": _("The order came"),
}  # fmt: skip
ASKED_OF = {"police": _("Police"), "prosecutor": _("Prosecutor"), "court": _("Court")}
APART = frozenset({ProgressCode.CHARGED, ProgressCode.HEARING_DATE, ProgressCode.VERDICT})  # on the page of proceedings
COUNTS = (*EVERYWHERE, offered, verdict_counts)

LOCAL_FACTS = (
    LocalFacts(_("Hearings"), col(Hearing.recorded_at)),
    LocalFacts(_("Verdict"), col(Verdict.recorded_at)),
    LocalFacts(_("Examinations"), col(Examination.recorded_at)),
    LocalFacts(_("Samples and their custody"), col(CustodyEntry.recorded_at)),
)

PARTS = AgencyParts(
    kind=AgencyKind.JUSTICE,
    routers=[
        proceedings,
        proceeding_pages,
        examinations,
        examination_pages,
        hand_overs,
        hand_over_pages,
        custody,
        custody_pages,
    ],
    tables=[Hearing, Verdict, Examination, Specimen, CustodyEntry],
    migrations=Path(__file__).parent / "migrations",
    subscriptions=SUBSCRIPTIONS,
    look=Look(
        ways=(
            ("/work", _("Inbox")),
            ("/hand-overs", _("Hand-overs due")),
            ("/hearings", _("Hearings this week")),
            ("/examinations", _("Examinations")),
            ("/cases", _("Cases")),
            ("/directory", _("Directory")),
            ("/hand-over", _("Hand over shift")),
        ),
        supervises=(("/hand-overs", _("Hand-overs due")), ("/hearings", _("Hearings this week"))),
        words={**CUSTODY_WORDS, "hearing": HEARINGS, "trial": TRIALS, "order": ORDERS, "asked_of": ASKED_OF},
        case_ways=(proceeding_ways, examination_ways, custody_ways),
        work_lines=(examination_lines, custody_lines),
        work_first=(("proceedings/week.html", hearings_first),),
        steps_apart=APART,
        ways_here=(ways_here,),
        counts=COUNTS,
        local_facts=LOCAL_FACTS,
        rooms={
            "proceedings": Path(__file__).parent / "proceedings" / "templates",
            "examinations": Path(__file__).parent / "examinations" / "templates",
            "hand_overs": Path(__file__).parent / "hand_overs" / "templates",
        },
    ),
    watches=(watch_orders, watch_hearings, watch_agreements, watch_indicators(COUNTS)),
)
