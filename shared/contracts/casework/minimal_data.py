"""The minimal data set: which field of a referral may cross from which kind of agency to which, and under which consent item.

The practice guide's table, as data. What is not listed here never leaves; a direction that is not listed gets the `req` rows only.
"""

from typing import Literal

from shared.contracts.casework.codes import AgencyKind, AgendaItem, ConsentItem, DeclineReason, OutcomeCode, ProgressCode

DataClass = Literal["A", "C", "S", "K"]  # administrative, clinical, coded statement, contact
I = ConsentItem  # noqa: E741
K = AgencyKind

# The request itself: every direction, under `req`, a legal basis or vital interest.
REQUEST_FIELDS = frozenset(
    {
        "circle", "pairwise_code", "from_facility", "to_facility", "services", "urgency", "respond_by", "basis",
        "feedback_agreed", "arrival_code_hash",
    }
)  # fmt: skip

# Everything else a referral can say, with its class.
FIELD_CLASS: dict[str, DataClass] = {
    "windows": "A",
    "needs": "A",
    "child": "A",
    "incident_class": "S",
    "given": "C",
    "travel": "A",
    "dependants": "A",
    "safety": "K",
    "relay": "K",
    "report_form": "A",
    "urgent_mental_health": "C",
}

CROSSES: dict[tuple[AgencyKind, AgencyKind], dict[str, ConsentItem]] = {
    (K.POLICE, K.HEALTH): {
        "windows": I.REQ,
        "needs": I.NEEDS,
        "child": I.REQ,
        "incident_class": I.TYPE,
        "given": I.GIVEN,
        "travel": I.REQ,
        "relay": I.RELAY,
        "report_form": I.REQ,
    },
    (K.POLICE, K.SOCIAL_WELFARE): {
        "needs": I.NEEDS,
        "child": I.REQ,
        "incident_class": I.TYPE,
        "travel": I.REQ,
        "dependants": I.NEEDS,
        "safety": I.SAFETY,
        "relay": I.RELAY,
    },
    (K.HEALTH, K.POLICE): {
        "needs": I.NEEDS,
        "child": I.REQ,
        "incident_class": I.TYPE,
        "safety": I.SAFETY,
        "relay": I.RELAY,
    },
    (K.HEALTH, K.SOCIAL_WELFARE): {
        "needs": I.NEEDS,
        "child": I.REQ,
        "incident_class": I.TYPE,
        "travel": I.REQ,
        "dependants": I.NEEDS,
        "safety": I.SAFETY,
        "relay": I.RELAY,
        "urgent_mental_health": I.GIVEN,
    },
}

CHILD_NEEDS_LEGAL_BASIS = frozenset({(K.HEALTH, K.POLICE)})  # "LB": what is said of a child goes to police by legal duty only

# Progress on a case: which code may go to which kind, and under which item.
PROGRESS_CROSSES: dict[tuple[AgencyKind, AgencyKind], dict[ProgressCode, ConsentItem]] = {
    (K.POLICE, K.SOCIAL_WELFARE): dict.fromkeys(
        (
            ProgressCode.COMPLAINT_REGISTERED, ProgressCode.STATEMENT_TAKEN, ProgressCode.CHARGED, ProgressCode.HEARING_DATE,
            ProgressCode.PROTECTION_ORDER, ProgressCode.VERDICT, ProgressCode.COMPLAINT_WITHDRAWN, ProgressCode.COMPLAINT_REOPENED,
        ),
        I.PROG,
    ),
    (K.HEALTH, K.SOCIAL_WELFARE): {ProgressCode.NEXT_CLINIC_DATE: I.FB},
    # That there is a charge, a hearing, a verdict; never which, against whom, or what was found.
    (K.JUSTICE, K.POLICE): dict.fromkeys((ProgressCode.CHARGED, ProgressCode.HEARING_DATE, ProgressCode.VERDICT), I.PROG),
}  # fmt: skip

# Of what a case conference may speak with an agency of each kind, each under the consent item of its name: health hears no police
# steps and the police hear of no care, whatever she ticked.
AGENDA_CROSSES: dict[tuple[AgencyKind, AgencyKind], frozenset[AgendaItem]] = {
    (K.SOCIAL_WELFARE, K.POLICE): frozenset({AgendaItem.NEEDS, AgendaItem.TYPE, AgendaItem.SAFETY, AgendaItem.PROG}),
    (K.SOCIAL_WELFARE, K.HEALTH): frozenset({AgendaItem.NEEDS, AgendaItem.TYPE, AgendaItem.GIVEN, AgendaItem.SAFETY}),
    (K.SOCIAL_WELFARE, K.SOCIAL_WELFARE): frozenset({AgendaItem.NEEDS, AgendaItem.TYPE, AgendaItem.SAFETY, AgendaItem.PROG}),
    (K.SOCIAL_WELFARE, K.PARTNER): frozenset({AgendaItem.NEEDS, AgendaItem.SAFETY, AgendaItem.PROG}),
    (K.SOCIAL_WELFARE, K.JUSTICE): frozenset({AgendaItem.TYPE, AgendaItem.PROG}),
}

# The end, under `fb`, the same in every direction: finished, another visit needed, cannot take, or never came. How it ended stays
# with whoever served her: what was found, refused, suffered or had before is a finding. A code that is not listed is never told.
O = OutcomeCode  # noqa: E741
FINISHED, ANOTHER_VISIT, CANNOT_TAKE = O.SERVED, O.SERVED_PARTLY, O.NOT_AVAILABLE
OUTCOME_TOLD: dict[OutcomeCode, OutcomeCode] = {
    **dict.fromkeys((O.SERVED, O.SHE_DECLINED, O.ALREADY_RECEIVED, O.REFERRED_ON, O.ADMITTED, O.DIED, O.DUPLICATE), FINISHED),
    O.SERVED_PARTLY: ANOTHER_VISIT,
    **dict.fromkeys((O.NOT_AVAILABLE, O.NOT_ELIGIBLE), CANNOT_TAKE),
    O.NOT_REACHED_SAFELY: O.NOT_REACHED_SAFELY,
    O.MOVED_AWAY: O.MOVED_AWAY,
}
DECLINE_TOLD = {DeclineReason.NOT_ELIGIBLE: DeclineReason.SERVICE_NOT_OFFERED}  # the place's reasons are told, hers are not

# How a referral to another member of the circle stands, told to a member.
REFERRAL_PROGRESS_CROSSES = frozenset({(K.POLICE, K.SOCIAL_WELFARE), (K.HEALTH, K.SOCIAL_WELFARE)})
REFERRAL_PROGRESS_ITEM = I.PROG

# Everything that any event can say, by type and path: its class, and the item under which it may be said at all; None is about no
# person. "" is the event itself, where saying it tells something. Directions narrow this further: CROSSES, PROGRESS_CROSSES, and
# the ways that an event declares. What is not listed here is said by nobody: a test walks every field of every event.
Listed = tuple[DataClass, ConsentItem | None]
_REQ: Listed = ("A", I.REQ)
_FB: Listed = ("A", I.FB)
_PROG: Listed = ("A", I.PROG)
_RELAY: Listed = ("K", I.RELAY)
_NOBODY: Listed = ("A", None)
_SUPPLY = ("facility", "to_facility", "product")  # of a box and the place that fills it
_BATCH = ("batches.batch", "batches.expires_on", "batches.quantity")
_ABOUT_HER = ("age_band", "sex", "language", "interpreter", "access", "staff_preference")
SAID: dict[str, dict[str, Listed]] = {
    "referral.issued": {
        **dict.fromkeys(REQUEST_FIELDS, _REQ),
        **dict.fromkeys(("windows.care", "windows.until"), _REQ),
        **{f"needs.{name}": ("A", I.NEEDS) for name in _ABOUT_HER},
        **dict.fromkeys(("child.assent", "child.safe_adult_present", "child.legal_duty"), _REQ),
        "incident_class": ("S", I.TYPE),
        "given.product": ("C", I.GIVEN),
        "given.given_at": ("C", I.GIVEN),
        **dict.fromkeys(("travel.mode", "travel.escort", "travel.expected_at"), _REQ),
        "dependants.age_bands": ("A", I.NEEDS),
        "safety.safe_to_return": ("K", I.SAFETY),
        "safety.alone_on_phone": ("K", I.SAFETY),
        "relay.safe_hours": _RELAY,
        **dict.fromkeys(("report_form.form", "report_form.form_version"), _REQ),
        "urgent_mental_health": ("C", I.GIVEN),
    },
    "referral.cancel_requested": {"": _REQ, "reason_code": _REQ},
    "referral.set_out": {"": _REQ, "mode": _REQ, "escort": _REQ, "expected_at": _REQ},
    "referral.told_by_phone": {"": _REQ, "post": _REQ},
    "referral.acknowledged": {"": _REQ},
    "referral.accepted": {"": _REQ},
    "referral.declined": {"": _REQ, "reason_code": _REQ, "next_agency": _REQ, "next_facility": _REQ},
    "referral.redirected": {"": _REQ, "to_facility": _REQ},
    "referral.suggested": {"": _REQ, "to_agency": _REQ, "to_facility": _REQ},
    "referral.arrived": {"": _FB, "facility": _FB},
    "referral.arrived_in_error": {"": _FB, "facility": _FB, "stands": _FB},
    "referral.in_service": {"": _FB},
    "referral.on_hold": {"": _REQ, "reason_code": _FB},
    "referral.resumed": {"": _REQ},
    "referral.not_attended": {"": _FB},
    "referral.closed": {"": _FB, "outcome_code": _FB},
    "referral.cancelled": {"": _REQ, "reason_code": _REQ},
    "referral.cancel_refused": {"": _REQ, "stands": _REQ},
    "referral.came_without_referral": {"": _FB, "facility": _FB},
    "referral.no_feedback_by_choice": {"": _REQ},
    "referral.ended_undisclosed": {"": _REQ},
    "referral.transition_refused": {"": _REQ, "refused": _REQ, "stands": _REQ, "outcome_code": _FB, "reason_code": _REQ},
    "message.asked": {"": _RELAY, "message": _RELAY, "code": _RELAY, "on_at": _RELAY},
    "message.answered": {"": _RELAY, "message": _RELAY, "answer": _RELAY},
    "report.moved": dict.fromkeys(("", "status", "reason_code", "form", "form_version", "post", "custody_code"), _FB),
    # Each item of an agenda, and each decision under it, passes under the consent item of its name: AGENDA_CROSSES.
    "conference.called": dict.fromkeys(("", "conference", "facility", "on_date", "part", "agenda"), _REQ),
    "conference.answered": dict.fromkeys(("", "conference", "answer"), _REQ),
    "conference.decided": dict.fromkeys(
        ("", "conference", "outcome", "decisions.item", "decisions.code", "decisions.responsible", "decisions.due_on"), _REQ
    ),
    "place.announced": dict.fromkeys(("", "facility", "is_open", "staff", "has_female_staff", "waiting"), _NOBODY),
    "supplies.requested": dict.fromkeys(("", *_SUPPLY, "request", "quantity", "reason_code"), _NOBODY),
    "supplies.sent": dict.fromkeys(("", *_SUPPLY, "request", *_BATCH), _NOBODY),
    "supplies.declined": dict.fromkeys(("", *_SUPPLY, "request", "reason_code"), _NOBODY),
    "supplies.received": dict.fromkeys(("", *_SUPPLY, "request", *_BATCH), _NOBODY),
    "supplies.stated": dict.fromkeys(
        (
            "",
            *_SUPPLY,
            "month",
            *_BATCH,
            "opening",
            "received",
            "dispensed",
            "returned",
            "destroyed",
            "counted",
            "variance",
            "stock_out_days",
            "adverse",
            "misuse",
        ),
        _NOBODY,
    ),
    "supplies.safety_reported": dict.fromkeys(("", *_SUPPLY, "report", "code", "batch"), _NOBODY),
    "protocol.published": dict.fromkeys(("", "topic", "protocol_version", "from_on", "adopt_by", "digest"), _NOBODY),
    "protocol.adopted": dict.fromkeys(("", "facility", "topic", "protocol_version", "digest", "post", "adopted_on"), _NOBODY),
    "figures.released": dict.fromkeys(
        (
            "",
            "period",
            "release",
            "programme",
            "formulas",
            "cubes.cube",
            "cubes.chain.dimension",
            "cubes.chain.categories",
            "cubes.numbers",
        ),
        _NOBODY,
    ),
    "station.registered": dict.fromkeys(("", "number", "what"), _NOBODY),
    "consent.taken_back": dict.fromkeys(("", "consent", "circle"), _NOBODY),
    "consent.ended": dict.fromkeys(("", "consent", "circle"), _NOBODY),
    "consent.erased": dict.fromkeys(("", "consent", "outcome"), _NOBODY),
    "circle.place_closed": {"": _REQ, "facility": _REQ},
    "circle.announced": {"": _REQ, "circle_version": _REQ, "shares_with": _PROG},  # who else: REFERRAL_PROGRESS_CROSSES
    "circle.referral_progress": dict.fromkeys(("", "referral", "to_agency", "services", "state"), _PROG),
    "case.hearing_off": {"": _PROG, "on_date": _PROG},
    "case.progress": {"": _PROG, "code": _PROG, "on_date": _PROG},  # a clinic's next date under `fb`: PROGRESS_CROSSES
    "exchange.refused": {"": _NOBODY, "event_id": _NOBODY},
}
