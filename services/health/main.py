"""Composes the health agency from the shared parts and its own."""

from pathlib import Path

from sqlmodel import col

from services.agency import AgencyParts
from services.health.care.commands import is_kept_of
from services.health.care.figures import counts as care_counts
from services.health.care.listed import kept_list
from services.health.care.pages import router as pages
from services.health.care.tables import CareGiven
from services.health.care.web import router
from services.health.certificates.pages import case_ways as certificate_ways
from services.health.certificates.pages import router as certificate_pages
from services.health.certificates.tables import MedicalCertificate
from services.health.certificates.web import router as certificates
from services.health.custody.tables import CustodyEntry, Specimen
from services.health.follow_ups.pages import router as follow_up_pages
from services.health.follow_ups.tables import FollowUp
from services.health.follow_ups.views import case_ways as follow_up_ways
from services.health.follow_ups.views import work_lines as follow_up_lines
from services.health.follow_ups.web import router as follow_ups
from services.health.subscriptions import SUBSCRIPTIONS
from services.health.supplies.figures import counts as store_counts
from services.health.supplies.pages import router as supply_pages
from services.health.supplies.tables import StationMonth, StationReport, StationRequest, StoreEntry, SupervisionVisit
from services.health.supplies.views import work_lines
from services.health.supplies.web import router as supplies
from shared.casework.agreements.views import ways_here as agreement_ways
from shared.casework.agreements.watch import watch as watch_agreements
from shared.casework.counts import EVERYWHERE
from shared.casework.custody.pages import router as custody_pages
from shared.casework.custody.views import case_ways as custody_ways
from shared.casework.custody.views import work_lines as custody_lines
from shared.casework.custody.web import router as custody
from shared.casework.custody.words import WORDS as CUSTODY_WORDS
from shared.casework.figures.watch import watch_indicators
from shared.casework.lines.local_facts import LocalFacts
from shared.casework.pages.frame import Look
from shared.casework.referrals.figures import into_care
from shared.casework.reports.pages import router as report_pages
from shared.casework.reports.views import case_ways as report_ways
from shared.casework.reports.views import work_lines as report_lines
from shared.casework.reports.web import router as reports
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
FOLLOW_UPS = {
    "two_weeks": _("Two weeks after"), "pep_day_28": _("Day 28 of HIV protection"), "three_months": _("Three months after"),
    "six_months": _("Six months after"), "other": _("Next visit"),
}  # fmt: skip
FOLLOW_UP_STATES = {"made": _("Made"), "kept": _("Came"), "missed": _("Has not come yet"), "called_off": _("Called off")}
FINDINGS = {"right": _("Right"), "wrong": _("Not right"), "not_seen": _("Not seen")}

COUNTS = (*EVERYWHERE, into_care, care_counts, store_counts)

LOCAL_FACTS = (
    LocalFacts(_("What was given was kept here"), col(CareGiven.recorded_at)),
    LocalFacts(_("Follow-up visits"), col(FollowUp.recorded_at)),
    LocalFacts(_("Samples and their custody"), col(CustodyEntry.recorded_at)),
    LocalFacts(_("Medical certificate"), col(MedicalCertificate.recorded_at)),
    LocalFacts(_("Supplies"), col(StoreEntry.recorded_at)),
    LocalFacts(_("Visits to stations"), col(SupervisionVisit.recorded_at)),
)

PARTS = AgencyParts(
    kind=AgencyKind.HEALTH,
    routers=[
        router,
        pages,
        supplies,
        supply_pages,
        reports,
        report_pages,
        follow_ups,
        follow_up_pages,
        custody,
        custody_pages,
        certificates,
        certificate_pages,
    ],
    tables=[
        CareGiven,
        FollowUp,
        Specimen,
        CustodyEntry,
        MedicalCertificate,
        StoreEntry,
        StationRequest,
        StationMonth,
        StationReport,
        SupervisionVisit,
    ],
    migrations=Path(__file__).parent / "migrations",
    subscriptions=SUBSCRIPTIONS,
    look=Look(
        registers_apart=frozenset({"supervision_visit", "follow_up_visit", "evidence_custody"}),  # each with pages of its own
        ways=(
            ("/work", _("Inbox")),
            ("/here-now", _("Here now")),
            ("/cases", _("Cases")),
            ("/look-up", _("Find a case")),
            ("/waits", _("What waits for a doctor")),
            ("/supplies", _("Supplies")),
            ("/directory", _("Directory")),
            ("/hand-over", _("Hand over shift")),
        ),
        supervises=(("/supplies", _("Supplies")),),
        case_ways=(report_ways, follow_up_ways, custody_ways, certificate_ways),
        work_lines=(report_lines, follow_up_lines, custody_lines, work_lines),
        words={
            "care": CARE,
            "result": RESULTS,
            "check": CHECKS,
            "finding": FINDINGS,
            "follow_up": FOLLOW_UPS,
            "follow_up_state": FOLLOW_UP_STATES,
            **CUSTODY_WORDS,
        },
        care_kept=is_kept_of,
        kept_list=kept_list,
        ways_here=(agreement_ways,),
        counts=COUNTS,
        local_facts=LOCAL_FACTS,
        sheet_lines=tuple(CARE.values()),
        rooms={
            "health": Path(__file__).parent / "templates",
            "supplies": Path(__file__).parent / "supplies" / "templates",
            "follow_ups": Path(__file__).parent / "follow_ups" / "templates",
            "certificates": Path(__file__).parent / "certificates" / "templates",
        },
    ),
    watches=(watch_agreements, watch_indicators(COUNTS)),
)
