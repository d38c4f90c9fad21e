"""Composes the police agency from the shared parts and its own."""

from pathlib import Path

from services.agency import AgencyParts
from services.police.dispensing.box_pages import router as box_pages
from services.police.dispensing.certificate_pages import router as certificate_pages
from services.police.dispensing.pages import router as dispensing_pages
from services.police.dispensing.tables import BoxCount, BoxEntry, Dose, HeldCertificate, Resupply, SafetyReport, Statement
from services.police.dispensing.views import case_ways, work_lines
from services.police.dispensing.web import router as dispensing
from services.police.dockets.commands import case_with
from services.police.dockets.pages import docket_of
from services.police.dockets.pages import router as docket_pages
from services.police.dockets.tables import Docket
from services.police.dockets.web import router
from services.police.subscriptions import SUBSCRIPTIONS
from shared.casework.pages.frame import Look
from shared.contracts.casework.codes import AgencyKind
from shared.kit.i18n import mark as _

DOSES = {
    "given": _("Given"), "declined": _("She said no"), "none_here": _("None here"), "first": _("First dose"),
    "vomited": _("In place of one that was vomited"), "again": _("A second dose"),
}  # fmt: skip
AGAIN = {
    "not_swallowed": _("It was not swallowed"), "lost": _("It was lost"), "vomited_later": _("Vomited, later than three hours"),
    "nurse_said_so": _("A nurse said so"), "first_not_taken": _("The first was not taken"),
}  # fmt: skip
CERTIFICATES = {
    "none": _("not yet"), "trained": _("trained, not certified"), "valid": _("valid"), "expired": _("expired"),
    "revoked": _("ended"),
}  # fmt: skip

PARTS = AgencyParts(
    kind=AgencyKind.POLICE,
    routers=[router, docket_pages, dispensing, dispensing_pages, box_pages, certificate_pages],
    tables=[Docket, HeldCertificate, BoxEntry, BoxCount, Dose, SafetyReport, Resupply, Statement],
    migrations=Path(__file__).parent / "migrations",
    subscriptions=SUBSCRIPTIONS,
    look=Look(
        ways=(
            ("/work", _("For my desk")),
            ("/cases", _("Cases")),
            ("/directory", _("Directory")),
            ("/hand-over", _("Hand over shift")),
        ),
        supervises=(("/certificates", _("Certificates and boxes")),),
        words={"dose": DOSES, "again": AGAIN, "certificate": CERTIFICATES},
        case_ways=(case_ways,),
        work_lines=(work_lines,),
        case_facts=docket_of,
        own_number=_("Number in the occurrence book"),
        find_own=case_with,
        rooms={"police": Path(__file__).parent / "templates", "dispensing": Path(__file__).parent / "dispensing" / "templates"},
    ),
)
