"""Composes the health agency from the shared parts and its own."""

from pathlib import Path

from services.agency import AgencyParts
from services.health.care.commands import is_kept_of
from services.health.care.pages import router as pages
from services.health.care.tables import CareGiven
from services.health.care.web import router
from services.health.subscriptions import SUBSCRIPTIONS
from services.health.supplies.pages import router as supply_pages
from services.health.supplies.tables import StationMonth, StationReport, StationRequest, StoreEntry, SupervisionVisit
from services.health.supplies.views import work_lines
from services.health.supplies.web import router as supplies
from shared.casework.counts import EVERYWHERE
from shared.casework.pages.frame import Look
from shared.casework.referrals.figures import into_care
from shared.contracts.casework.codes import AgencyKind
from shared.kit.i18n import mark as _

CARE = {
    "examination": _("Examination"),
    "emergency_contraception": _("Emergency contraception"),
    "pep": _("HIV protection (PEP), 28 days"),
    "sti_prophylaxis": _("Infection medicine"),
    "hepatitis_b_vaccine": _("Hepatitis B vaccine"),
    "tetanus": _("Tetanus"),
    "injury_care": _("Care for injuries"),
    "first_line_support": _("Someone to talk to"),
}
RESULTS = {"given": _("Given"), "refused": _("Said no"), "none_in_stock": _("None in stock")}
CHECKS = {
    "box_locked": _("Is the box locked?"), "key_with_certified": _("Is the key with a certified officer?"),
    "book_complete": _("Is the book complete?"), "counts_by_two": _("Do two count at each change of shift?"),
    "certificates_valid": _("Are the certificates valid?"), "leaflets_there": _("Are the leaflets there, in her language?"),
    "care_always_offered": _("Is care offered every time?"), "private_room": _("Is there a room to be alone in?"),
}  # fmt: skip
FINDINGS = {"right": _("Right"), "wrong": _("Not right"), "not_seen": _("Not seen")}

PARTS = AgencyParts(
    kind=AgencyKind.HEALTH,
    routers=[router, pages, supplies, supply_pages],
    tables=[CareGiven, StoreEntry, StationRequest, StationMonth, StationReport, SupervisionVisit],
    migrations=Path(__file__).parent / "migrations",
    subscriptions=SUBSCRIPTIONS,
    look=Look(
        ways=(
            ("/work", _("Inbox")),
            ("/here-now", _("Here now")),
            ("/cases", _("Cases")),
            ("/look-up", _("Find a case")),
            ("/supplies", _("Supplies")),
            ("/directory", _("Directory")),
            ("/hand-over", _("Hand over shift")),
        ),
        supervises=(("/supplies", _("Supplies")),),
        work_lines=(work_lines,),
        words={"care": CARE, "result": RESULTS, "check": CHECKS, "finding": FINDINGS},
        care_kept=is_kept_of,
        counts=(*EVERYWHERE, into_care),
        sheet_lines=tuple(CARE.values()),
        rooms={"health": Path(__file__).parent / "templates", "supplies": Path(__file__).parent / "supplies" / "templates"},
    ),
)
