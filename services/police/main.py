"""Composes the police agency from the shared parts and its own."""

from pathlib import Path

from services.agency import AgencyParts
from services.police.complaints.domain import ENTERED_APART
from services.police.complaints.figures import counts as complaint_counts
from services.police.complaints.pages import router as complaint_pages
from services.police.complaints.tables import Complaint, ComplaintStep, Explained, Telling
from services.police.complaints.views import case_ways as complaint_ways
from services.police.complaints.views import to_tell
from services.police.complaints.web import router as complaints
from services.police.complaints.words import WORDS
from services.police.dispensing.box_pages import router as box_pages
from services.police.dispensing.certificate_pages import router as certificate_pages
from services.police.dispensing.figures import counts as dose_counts
from services.police.dispensing.pages import router as dispensing_pages
from services.police.dispensing.tables import BoxCount, BoxEntry, Dose, HeldCertificate, Resupply, SafetyReport, Statement
from services.police.dispensing.views import case_ways, work_lines
from services.police.dispensing.web import router as dispensing
from services.police.dockets.commands import case_with
from services.police.dockets.pages import docket_of
from services.police.dockets.pages import router as docket_pages
from services.police.dockets.tables import Docket
from services.police.dockets.web import router
from services.police.fast_track.pages import router as fast_track_pages
from services.police.fast_track.views import waiting as to_see_first
from services.police.fast_track.views import work_lines as fast_track_lines
from services.police.fast_track.web import router as fast_track
from services.police.hotline.figures import counts as call_counts
from services.police.hotline.pages import router as hotline_pages
from services.police.hotline.pages import ways_here as hotline_ways
from services.police.hotline.tables import Call, CallLook, DeskState
from services.police.hotline.views import to_see
from services.police.hotline.watch import watch
from services.police.hotline.web import router as hotline
from services.police.offenders.pages import router as offender_pages
from services.police.offenders.pages import ways_here as offender_ways
from services.police.offenders.tables import Offender, OffenderEntry, OffenderLook
from services.police.offenders.web import router as offenders
from services.police.seats.figures import counts as seat_counts
from services.police.seats.pages import router as seat_pages
from services.police.seats.pages import ways_here as seat_ways
from services.police.seats.tables import SeatDay
from services.police.seats.views import seats_now
from services.police.seats.views import work_lines as seat_lines
from services.police.seats.web import router as seats
from services.police.seats.words import WORDS as SEAT_WORDS
from services.police.subscriptions import SUBSCRIPTIONS
from shared.casework.cases.figures import counts as report_counts
from shared.casework.consents.figures import offered
from shared.casework.counts import EVERYWHERE
from shared.casework.figures.watch import watch_indicators
from shared.casework.pages.frame import Look
from shared.casework.referrals.figures import to_health
from shared.casework.reports.pages import router as report_pages
from shared.casework.reports.views import case_ways as report_ways
from shared.casework.reports.views import due_soon
from shared.casework.reports.views import work_lines as report_lines
from shared.casework.reports.watch import watch as watch_reports
from shared.casework.reports.web import router as reports
from shared.contracts.casework.codes import AgencyKind
from shared.kit.i18n import mark as _
from shared.programmes.indicators import Measure

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
CALLS = {
    "report": _("She tells of violence, or asks for help"), "information": _("A question, answered on the line"),
    "cut": _("Cut off"), "wrong_number": _("Wrong number"),
}  # fmt: skip
CHANNELS = {"voice": _("By voice"), "sms": _("By SMS")}
STEPS = {
    "fits": _("The desk of the district"), "fall_back": _("The next desk, because that of the district was not ready"),
    "last_resort": _("The room itself: no desk was ready"), "answered": _("Answered in the room"),
}  # fmt: skip

COUNTS = (report_counts, to_health, offered, *EVERYWHERE, dose_counts, complaint_counts, call_counts, seat_counts)

PARTS = AgencyParts(
    kind=AgencyKind.POLICE,
    routers=[
        router,
        docket_pages,
        dispensing,
        dispensing_pages,
        box_pages,
        certificate_pages,
        hotline,
        hotline_pages,
        complaints,
        complaint_pages,
        offenders,
        offender_pages,
        fast_track,
        fast_track_pages,
        reports,
        report_pages,
        seats,
        seat_pages,
    ],
    tables=[
        Docket,
        HeldCertificate,
        BoxEntry,
        BoxCount,
        Dose,
        SafetyReport,
        Resupply,
        Statement,
        Call,
        CallLook,
        DeskState,
        Complaint,
        ComplaintStep,
        Telling,
        Explained,
        Offender,
        OffenderEntry,
        OffenderLook,
        SeatDay,
    ],
    migrations=Path(__file__).parent / "migrations",
    subscriptions=SUBSCRIPTIONS,
    look=Look(
        ways=(
            ("/work", _("For my desk")),
            ("/cases", _("Cases")),
            ("/reports", _("Medical reports")),
            ("/directory", _("Directory")),
            ("/hand-over", _("Hand over shift")),
        ),
        supervises=(("/certificates", _("Certificates and boxes")), ("/complaints", _("Complaints"))),
        words={
            **WORDS,
            **SEAT_WORDS,
            "dose": DOSES,
            "again": AGAIN,
            "certificate": CERTIFICATES,
            "call": CALLS,
            "channel": CHANNELS,
            "route_step": STEPS,
        },
        case_ways=(case_ways, complaint_ways, report_ways),
        work_lines=(report_lines, work_lines, fast_track_lines, seat_lines),
        case_facts=docket_of,
        own_number=_("Number in the occurrence book"),
        find_own=case_with,
        to_tell=to_tell,
        steps_apart=ENTERED_APART,
        ways_here=(hotline_ways, offender_ways, seat_ways),
        seats=seats_now,
        counts=COUNTS,
        work_first=(
            ("fast_track/first.html", to_see_first),
            ("hotline/at_work.html", to_see),
            ("reports/due.html", due_soon),
        ),
        rooms={
            "police": Path(__file__).parent / "templates",
            "dispensing": Path(__file__).parent / "dispensing" / "templates",
            "complaints": Path(__file__).parent / "complaints" / "templates",
            "fast_track": Path(__file__).parent / "fast_track" / "templates",
            "hotline": Path(__file__).parent / "hotline" / "templates",
            "offenders": Path(__file__).parent / "offenders" / "templates",
            "seats": Path(__file__).parent / "seats" / "templates",
        },
    ),
    watches=(
        watch,
        watch_reports,
        watch_indicators(COUNTS, beside={Measure.DESKS_READY}),  # each desk that is not is an alarm of its own
    ),
)
