"""The minimal data set: which field of a referral may cross from which kind of agency to which, and under which consent item.

The practice guide's table, as data. What is not listed here never leaves; a direction that is not listed gets the `req` rows only.
"""

from typing import Literal

from shared.contracts.casework.codes import AgencyKind, ConsentItem, DeclineReason, OutcomeCode, ProgressCode

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
}  # fmt: skip

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
