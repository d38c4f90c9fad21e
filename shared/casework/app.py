"""The web application of one agency: the routes that every agency has, and its own."""

from collections.abc import Callable, Sequence

from fastapi import APIRouter, FastAPI

from shared.casework.accounts.demo_pages import router as demo_pages
from shared.casework.accounts.pages import router as account_pages
from shared.casework.accounts.web import router as duties
from shared.casework.agreements.pages import router as agreement_pages
from shared.casework.agreements.web import router as agreements
from shared.casework.alarms.pages import router as alarm_pages
from shared.casework.alarms.web import router as alarms
from shared.casework.arrivals.pages import router as arrival_pages
from shared.casework.arrivals.web import router as arrivals
from shared.casework.breaches.pages import router as breach_pages
from shared.casework.breaches.web import router as breaches
from shared.casework.cases.look_pages import router as look_pages
from shared.casework.cases.pages import router as case_pages
from shared.casework.cases.web import router as cases
from shared.casework.circles.web import router as circles
from shared.casework.conferences.pages import router as conference_pages
from shared.casework.conferences.web import router as conferences
from shared.casework.consents.pages import router as consent_pages
from shared.casework.consents.vital_pages import router as vital_pages
from shared.casework.consents.web import refusals
from shared.casework.consents.web import router as consents
from shared.casework.documentation.pages import router as api_pages
from shared.casework.edge import Edge, NobodyAsks, ReadsOn, install_refusals
from shared.casework.exports.pages import own_router as own_export_pages
from shared.casework.exports.pages import router as export_pages
from shared.casework.eyes.pages import router as eyes_pages
from shared.casework.figures.pages import router as figure_pages
from shared.casework.figures.programme_pages import router as programme_pages
from shared.casework.figures.web import router as counts
from shared.casework.following.pages import router as following_pages
from shared.casework.following.web import router as following
from shared.casework.holds.pages import router as hold_pages
from shared.casework.holds.web import router as holds
from shared.casework.lines.pages import router as line_pages
from shared.casework.lines.web import router as lines
from shared.casework.messages.pages import router as message_pages
from shared.casework.messages.web import router as messages
from shared.casework.pages.frame import STATIC
from shared.casework.pages.refusals import install_page_refusals
from shared.casework.paper.pages import router as paper_pages
from shared.casework.protocols.pages import router as protocol_pages
from shared.casework.protocols.web import router as protocols
from shared.casework.referrals.act_pages import router as act_pages
from shared.casework.referrals.asked_again_pages import router as asked_again_pages
from shared.casework.referrals.card_pages import router as card_pages
from shared.casework.referrals.pages import router as referral_pages
from shared.casework.referrals.web import router as referrals
from shared.casework.registers.pages import router as register_pages
from shared.casework.registers.web import router as registers
from shared.casework.survivors.pages import router as survivor_pages
from shared.casework.work.pages import live_router as live_pages
from shared.casework.work.pages import router as work_pages
from shared.contracts.casework.authority import SERVING
from shared.kit.pages import CachedFiles, SafeHeaders
from shared.kit.web import PROBLEM_RESPONSE, install

API_VERSION = "1"
# A message is not taken for a transition.
CASE_ROUTERS = (
    cases, breaches, conferences, consents, refusals, holds, messages, referrals, arrivals, following, agreements, counts,
    protocols, circles, registers,
)  # fmt: skip
SHARED_ROUTERS = (alarms, lines, duties)
CASE_PAGES = (
    work_pages,
    arrival_pages,
    case_pages,
    breach_pages,
    conference_pages,
    look_pages,
    consent_pages,
    vital_pages,
    hold_pages,
    following_pages,
    card_pages,
    message_pages,
    asked_again_pages,
    referral_pages,
    act_pages,
    eyes_pages,
    agreement_pages,
    paper_pages,
    figure_pages,
    programme_pages,
    own_export_pages,
    protocol_pages,
    register_pages,
    survivor_pages,
)  # a card's and a message's own pages are not taken for acts on a referral
SHARED_PAGES = (account_pages, live_pages, alarm_pages, line_pages, export_pages, api_pages)


def create_app(edge: Edge, own: Sequence[APIRouter], asyncapi: Callable[[], dict[str, object]]) -> FastAPI:
    """The application; it keeps no state but the edge. `asyncapi` is asked when somebody asks for it: it takes 2 MB."""
    entry = edge.here.entry
    app = FastAPI(
        title=f"Referral network: {entry.kind.value.replace('_', ' ')} agency",
        version=API_VERSION,
        description="Referrals and case progress between agencies. Bearer tokens; problem+json errors; UTC times; UUIDv7 ids.",
        docs_url=None,  # the framework's page fetches its script from a stranger; ours asks nobody
        redoc_url=None,
        responses=PROBLEM_RESPONSE,
    )
    app.state.edge = edge
    install(app)
    install_refusals(app)
    install_page_refusals(app)
    app.add_middleware(SafeHeaders)
    app.add_middleware(NobodyAsks)
    app.add_middleware(ReadsOn)
    app.mount("/static", CachedFiles(directory=STATIC), name="static")
    only_here = (demo_pages,) if edge.here.network.purpose == "demo" else ()
    # Whoever serves nobody has no case, and not even an address for one.
    of_cases = (*CASE_ROUTERS, *CASE_PAGES) if entry.kind in SERVING else ()
    for router in (*own, *of_cases, *SHARED_ROUTERS, *SHARED_PAGES, *only_here):  # own routes are not taken for transitions
        app.include_router(router)

    @app.get("/asyncapi", tags=["health"])
    async def get_asyncapi() -> dict[str, object]:
        """What this agency says and hears on Kafka, as AsyncAPI 3."""
        return asyncapi()

    return app
