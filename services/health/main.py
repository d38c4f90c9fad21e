"""Composes the health agency from the shared parts and its own."""

from pathlib import Path

from services.agency import AgencyParts
from services.health.care.commands import is_kept_of
from services.health.care.pages import router as pages
from services.health.care.tables import CareGiven
from services.health.care.web import router
from services.health.subscriptions import SUBSCRIPTIONS
from shared.casework.pages.frame import Look
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

PARTS = AgencyParts(
    kind=AgencyKind.HEALTH,
    routers=[router, pages],
    tables=[CareGiven],
    migrations=Path(__file__).parent / "migrations",
    subscriptions=SUBSCRIPTIONS,
    look=Look(
        ways=(
            ("/work", _("Inbox")),
            ("/here-now", _("Here now")),
            ("/cases", _("Cases")),
            ("/look-up", _("Find a case")),
            ("/directory", _("Directory")),
            ("/hand-over", _("Hand over shift")),
        ),
        words={"care": CARE, "result": RESULTS},
        care_kept=is_kept_of,
        sheet_lines=tuple(CARE.values()),
        rooms={"health": Path(__file__).parent / "templates"},
    ),
)
