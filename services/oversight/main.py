"""Composes the oversight body from the shared parts that are of no case, and its own."""

from pathlib import Path

from services.agency import AgencyParts
from services.oversight.figures.pages import router as figure_pages
from services.oversight.figures.tables import HeardRelease
from services.oversight.figures.watch import watch_isolation
from services.oversight.figures.web import router as figures
from services.oversight.protocols.pages import router as protocol_pages
from services.oversight.protocols.tables import PlaceAdoption, PublishedProtocol
from services.oversight.protocols.watch import watch_adoptions
from services.oversight.protocols.web import router as protocols
from services.oversight.subscriptions import SUBSCRIPTIONS
from shared.casework.pages.frame import Look
from shared.contracts.casework.codes import AgencyKind
from shared.kit.i18n import mark as _

PARTS = AgencyParts(
    kind=AgencyKind.OVERSIGHT,
    routers=[protocols, protocol_pages, figures, figure_pages],
    tables=[PublishedProtocol, PlaceAdoption, HeardRelease],
    migrations=Path(__file__).parent / "migrations",
    subscriptions=SUBSCRIPTIONS,
    look=Look(
        ways=(
            ("/alarms", _("Alarms")),
            ("/protocols", _("Protocols")),
            ("/national", _("Figures")),
            ("/exports", _("Files that were handed out")),
            ("/directory", _("Directory")),
            ("/posts", _("Posts and roster")),
            ("/accounts", _("Accounts")),
            ("/parked", _("Messages that wait")),
        ),
        rooms={
            "oversight_protocols": Path(__file__).parent / "protocols" / "templates",
            "oversight_figures": Path(__file__).parent / "figures" / "templates",
        },
    ),
    watches=(watch_adoptions, watch_isolation),
)
