"""Composes the police agency from the shared parts and its own."""

from pathlib import Path

from sqlmodel import col

from services.agency import AgencyParts
from services.police.complaints.domain import ENTERED_APART
from services.police.complaints.figures import counts as complaint_counts
from services.police.complaints.pages import router as complaint_pages
from services.police.complaints.tables import Complaint, ComplaintStep, Explained, Telling
from services.police.complaints.views import case_ways as complaint_ways
from services.police.complaints.views import to_tell
from services.police.complaints.web import router as complaints
from services.police.complaints.words import WORDS
from services.police.counselling.pages import KINDS as COUNSELLING
from services.police.counselling.pages import case_ways as counselling_ways
from services.police.counselling.pages import router as counselling_pages
from services.police.counselling.tables import Counselling
from services.police.counselling.web import router as counselling
from services.police.dispensing.box_pages import router as box_pages
from services.police.dispensing.certificate_pages import router as certificate_pages
from services.police.dispensing.certificates import valid_certificates
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
from services.police.enquiries.pages import router as enquiry_pages
from services.police.enquiries.tables import Enquiry, OwnWord
from services.police.enquiries.views import case_ways as own_word_ways
from services.police.enquiries.views import ways_here as enquiry_ways
from services.police.enquiries.web import router as enquiries
from services.police.enquiries.words import WORDS as ENQUIRY_WORDS
from services.police.fast_track.pages import router as fast_track_pages
from services.police.fast_track.views import waiting as to_see_first
from services.police.fast_track.views import work_lines as fast_track_lines
from services.police.fast_track.web import router as fast_track
from services.police.hand_overs.figures import counts as hand_over_counts
from services.police.hand_overs.pages import router as hand_over_pages
from services.police.hand_overs.views import case_ways as hand_over_ways
from services.police.hand_overs.views import ways_here as hand_over_lists
from services.police.hand_overs.views import work_lines as hand_over_lines
from services.police.hand_overs.watch import watch as watch_hand_overs
from services.police.hand_overs.web import router as hand_overs
from services.police.hotline.figures import counts as call_counts
from services.police.hotline.pages import router as hotline_pages
from services.police.hotline.pages import ways_here as hotline_ways
from services.police.hotline.tables import Call, CallLook, DeskState
from services.police.hotline.views import to_see, told_in_call
from services.police.hotline.watch import watch
from services.police.hotline.web import router as hotline
from services.police.mandates.web import router as mandates
from services.police.offenders.pages import router as offender_pages
from services.police.offenders.pages import ways_here as offender_ways
from services.police.offenders.tables import Offender, OffenderEntry, OffenderLook
from services.police.offenders.web import router as offenders
from services.police.property.pages import router as property_pages
from services.police.property.tables import Property, PropertyEntry
from services.police.property.views import case_ways as property_ways
from services.police.property.watch import watch as watch_property
from services.police.property.web import router as things
from services.police.property.words import WORDS as PROPERTY_WORDS
from services.police.seats.figures import counts as seat_counts
from services.police.seats.pages import router as seat_pages
from services.police.seats.pages import ways_here as seat_ways
from services.police.seats.tables import SeatDay
from services.police.seats.views import seats_now
from services.police.seats.views import work_lines as seat_lines
from services.police.seats.web import router as seats
from services.police.seats.words import WORDS as SEAT_WORDS
from services.police.stations.pages import WORDS as STATION_WORDS
from services.police.stations.pages import router as station_pages
from services.police.stations.pages import ways_here as station_ways
from services.police.stations.tables import InformedCount, Registration, StationCounter, StationEntry, StationKnown, StationStated
from services.police.stations.views import work_lines as station_lines
from services.police.stations.watch import watch as watch_stations
from services.police.stations.web import router as stations
from services.police.stays.figures import counts as stay_counts
from services.police.stays.pages import router as stay_pages
from services.police.stays.tables import Stay, StayFact, StayRefusal
from services.police.stays.views import at_work as stays_at_work
from services.police.stays.views import case_ways as stay_ways
from services.police.stays.views import ways_here as stays_here
from services.police.stays.watch import watch as watch_stays
from services.police.stays.web import router as stays
from services.police.stays.words import WORDS as STAY_WORDS
from services.police.subscriptions import SUBSCRIPTIONS
from shared.casework.agreements.views import ways_here as agreement_ways
from shared.casework.agreements.watch import watch as watch_agreements
from shared.casework.cases.figures import counts as report_counts
from shared.casework.circles.figures import attrition
from shared.casework.consents.figures import offered
from shared.casework.counts import EVERYWHERE
from shared.casework.figures.watch import watch_indicators
from shared.casework.lines.local_facts import LocalFacts
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

KEPT_BY_FEATURES = frozenset(
    {
        "complaint", "legal_information", "complaint_withdrawn", "complaint_reopened", "offender", "ec_register", "ec_box",
        "ec_adverse_event", "ec_misuse", "call", "desk_state", "stay_register", "property", "counselling", "enquiry",
    }
)  # fmt: skip
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
    "report": _("Somebody tells of violence, or asks for help"), "information": _("A question, answered on the line"),
    "cut": _("Cut off"), "wrong_number": _("Wrong number"),
}  # fmt: skip
CHANNELS = {"voice": _("By voice"), "sms": _("By SMS")}
STEPS = {
    "fits": _("The desk of the district"), "fall_back": _("The next desk, because that of the district was not ready"),
    "last_resort": _("The room itself: no desk was ready"), "answered": _("Answered in the room"),
}  # fmt: skip

TO_PROSECUTOR = {
    "due": _("To be handed over"), "due_soon": _("To be handed over soon"), "late": _("Time has passed, still to be handed over"),
    "in_time": _("Handed over in time"), "handed_late": _("Handed over after its time"), "said_no": _("The answer was no"),
    "withdrawn": _("Withdrawn"),
}  # fmt: skip

COUNTS = (
    report_counts, to_health, offered, *EVERYWHERE, dose_counts, complaint_counts, hand_over_counts, call_counts, stay_counts,
    seat_counts, attrition,
)  # fmt: skip

LOCAL_FACTS = (
    LocalFacts(_("Doses"), col(Dose.recorded_at)),
    LocalFacts(_("Locked box"), col(BoxEntry.recorded_at)),
    LocalFacts(_("Counts of the box"), col(BoxCount.counted_at)),
    LocalFacts(_("Certificates and boxes"), col(HeldCertificate.entered_at)),
    LocalFacts(_("Calls"), col(Call.came_at)),
    LocalFacts(_("Complaints"), col(Complaint.entered_at)),
    LocalFacts(_("Counselling"), col(Counselling.recorded_at)),
    LocalFacts(_("Stay at the centre"), col(StayFact.recorded_at)),
    LocalFacts(_("Things that are kept"), col(PropertyEntry.recorded_at)),
    LocalFacts(_("Word for the telephone"), col(OwnWord.entered_at)),
    LocalFacts(_("Somebody asks by telephone"), col(Enquiry.occurred_at)),
    LocalFacts(_("Register of offenders"), col(OffenderEntry.recorded_at)),
    LocalFacts(_("Register of this station"), col(Registration.recorded_at)),
    LocalFacts(_("Who is there"), col(SeatDay.recorded_at)),
)

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
        hand_overs,
        hand_over_pages,
        mandates,
        fast_track,
        fast_track_pages,
        stays,
        stay_pages,
        things,
        property_pages,
        enquiries,
        enquiry_pages,
        counselling,
        counselling_pages,
        reports,
        report_pages,
        stations,
        station_pages,
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
        StationCounter,
        Registration,
        StationEntry,
        StationKnown,
        StationStated,
        InformedCount,
        Stay,
        StayFact,
        StayRefusal,
        Property,
        PropertyEntry,
        OwnWord,
        Enquiry,
        Counselling,
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
            "to_prosecutor": TO_PROSECUTOR,
            **STATION_WORDS,
            **STAY_WORDS,
            **PROPERTY_WORDS,
            **ENQUIRY_WORDS,
            "counselling": COUNSELLING,
            **SEAT_WORDS,
            "dose": DOSES,
            "again": AGAIN,
            "certificate": CERTIFICATES,
            "call": CALLS,
            "channel": CHANNELS,
            "route_step": STEPS,
        },
        case_ways=(
            case_ways,
            complaint_ways,
            hand_over_ways,
            report_ways,
            stay_ways,
            property_ways,
            counselling_ways,
            own_word_ways,
        ),
        work_lines=(station_lines, report_lines, hand_over_lines, work_lines, fast_track_lines, seat_lines),
        told_before=told_in_call,
        case_facts=docket_of,
        own_number=_("Number in the occurrence book"),
        find_own=case_with,
        to_tell=to_tell,
        steps_apart=ENTERED_APART,
        ways_here=(
            hotline_ways,
            stays_here,
            enquiry_ways,
            hand_over_lists,
            offender_ways,
            station_ways,
            seat_ways,
            agreement_ways,
        ),
        seats=seats_now,
        registers_apart=KEPT_BY_FEATURES,
        certificates=valid_certificates,
        counts=COUNTS,
        local_facts=LOCAL_FACTS,
        work_first=(
            ("fast_track/first.html", to_see_first),
            ("hotline/at_work.html", to_see),
            ("stays/at_work.html", stays_at_work),
            ("reports/due.html", due_soon),
        ),
        rooms={
            "police": Path(__file__).parent / "templates",
            "dispensing": Path(__file__).parent / "dispensing" / "templates",
            "complaints": Path(__file__).parent / "complaints" / "templates",
            "hand_overs": Path(__file__).parent / "hand_overs" / "templates",
            "fast_track": Path(__file__).parent / "fast_track" / "templates",
            "hotline": Path(__file__).parent / "hotline" / "templates",
            "stations": Path(__file__).parent / "stations" / "templates",
            "offenders": Path(__file__).parent / "offenders" / "templates",
            **{room: Path(__file__).parent / room / "templates" for room in ("stays", "property", "enquiries", "counselling")},
            "seats": Path(__file__).parent / "seats" / "templates",
        },
    ),
    watches=(
        watch,
        watch_stations,
        watch_reports,
        watch_hand_overs,
        watch_agreements,
        watch_stays,
        watch_property,
        # Each desk that is not ready is an alarm of its own.
        watch_indicators(COUNTS, beside={Measure.DESKS_READY, Measure.STATIONS_READY}),
    ),
)
