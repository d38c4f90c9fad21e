"""The web application of one agency: the routes that every agency has, and its own."""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI

from shared.casework.alarms.web import router as alarms
from shared.casework.cases.web import router as cases
from shared.casework.consents.web import router as consents
from shared.casework.edge import Edge, install_refusals
from shared.casework.following.web import router as following
from shared.casework.lines.web import router as lines
from shared.casework.referrals.web import router as referrals
from shared.kit.web import PROBLEM_RESPONSE, install

API_VERSION = "1"
SHARED_ROUTERS = (cases, consents, referrals, following, alarms, lines)


def create_app(edge: Edge, own: Sequence[APIRouter], asyncapi: dict[str, object]) -> FastAPI:
    """The application; it keeps no state but the edge."""
    entry = edge.here.entry
    app = FastAPI(
        title=f"Referral network: {entry.kind.value.replace('_', ' ')} agency",
        version=API_VERSION,
        description="Referrals and case progress between agencies. Bearer tokens; problem+json errors; UTC times; UUIDv7 ids.",
        docs_url="/docs",
        redoc_url=None,
        responses=PROBLEM_RESPONSE,
    )
    app.state.edge = edge
    install(app)
    install_refusals(app)
    for router in (*own, *SHARED_ROUTERS):  # an agency's own routes are not taken for transitions
        app.include_router(router)

    @app.get("/asyncapi", tags=["health"])
    async def get_asyncapi() -> dict[str, object]:
        """What this agency says and hears on Kafka, as AsyncAPI 3."""
        return asyncapi

    return app
