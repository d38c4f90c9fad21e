"""The coded words that agencies say to each other, and nothing else: no code here can name or describe a person.

Sources: outcome codes and milestones from the practice guide; incident types from GBVIMS; statuses from FHIR R4 Task.
"""

from enum import StrEnum


class AgencyKind(StrEnum):
    """What an agency is; code goes by kind, never by an agency's name."""

    POLICE = "police"
    HEALTH = "health"
    SOCIAL_WELFARE = "social_welfare"
    PARTNER = "partner"
    JUSTICE = "justice"
    OVERSIGHT = "oversight"


class Role(StrEnum):
    """What an account may do."""

    OFFICER = "officer"
    CLINICIAN = "clinician"
    SOCIAL_WORKER = "social_worker"
    SUPERVISOR = "supervisor"
    ADMINISTRATOR = "administrator"


ROLES_OF: dict[AgencyKind, frozenset[Role]] = {
    AgencyKind.POLICE: frozenset({Role.OFFICER, Role.SUPERVISOR, Role.ADMINISTRATOR}),
    AgencyKind.HEALTH: frozenset({Role.CLINICIAN, Role.SUPERVISOR, Role.ADMINISTRATOR}),
    AgencyKind.SOCIAL_WELFARE: frozenset({Role.SOCIAL_WORKER, Role.SUPERVISOR, Role.ADMINISTRATOR}),
    AgencyKind.PARTNER: frozenset({Role.SOCIAL_WORKER, Role.CLINICIAN, Role.SUPERVISOR, Role.ADMINISTRATOR}),
    AgencyKind.JUSTICE: frozenset({Role.OFFICER, Role.SUPERVISOR, Role.ADMINISTRATOR}),
    AgencyKind.OVERSIGHT: frozenset({Role.SUPERVISOR, Role.ADMINISTRATOR}),
}


class ReferralState(StrEnum):
    """Where a referral stands. The recipient's database decides after issue."""

    DRAFTED = "drafted"
    ISSUED = "issued"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    ARRIVED = "arrived"
    IN_SERVICE = "in_service"
    ON_HOLD = "on_hold"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    CLOSED = "closed"


ENDED = frozenset({ReferralState.DECLINED, ReferralState.CANCELLED, ReferralState.CLOSED})
OPEN = frozenset(ReferralState) - ENDED - {ReferralState.DRAFTED}


class Urgency(StrEnum):
    """How soon care is needed."""

    ACUTE = "acute"
    URGENT = "urgent"
    ROUTINE = "routine"


class OutcomeCode(StrEnum):
    """How a referral ended in service, without what was given."""

    SERVED = "served"
    SERVED_PARTLY = "served_partly"
    SHE_DECLINED = "she_declined"
    NOT_AVAILABLE = "not_available"
    ALREADY_RECEIVED = "already_received"
    NOT_REACHED_SAFELY = "not_reached_safely"
    MOVED_AWAY = "moved_away"
    REFERRED_ON = "referred_on"
    ADMITTED = "admitted"
    DIED = "died"
    NOT_ELIGIBLE = "not_eligible"
    DUPLICATE = "duplicate"


NEEDS_ARRIVAL = frozenset({OutcomeCode.SERVED, OutcomeCode.SERVED_PARTLY, OutcomeCode.ADMITTED})


class DeclineReason(StrEnum):
    """Why a place cannot take her."""

    NO_STAFF = "no_staff"
    NO_PLACE = "no_place"
    NO_SUPPLIES = "no_supplies"
    SERVICE_NOT_OFFERED = "service_not_offered"
    CLOSED_NOW = "closed_now"
    NOT_ELIGIBLE = "not_eligible"
    DUPLICATE = "duplicate"
    CONFLICT_OF_INTEREST = "conflict_of_interest"


class CancelReason(StrEnum):
    """Why the issuer asks to cancel."""

    SHE_CHANGED_HER_MIND = "she_changed_her_mind"
    ENTERED_IN_ERROR = "entered_in_error"
    DUPLICATE = "duplicate"
    SENT_ELSEWHERE = "sent_elsewhere"
    NO_LONGER_NEEDED = "no_longer_needed"
    CONSENT_TAKEN_BACK = "consent_taken_back"


class HoldReason(StrEnum):
    """Why a referral waits."""

    SHE_ASKED = "she_asked"
    WAITING_FOR_STAFF = "waiting_for_staff"
    WAITING_FOR_SUPPLIES = "waiting_for_supplies"
    WAITING_FOR_DOCUMENT = "waiting_for_document"
    IN_HOSPITAL = "in_hospital"


class ServicePackage(StrEnum):
    """What is asked for: a package, never a drug or a test."""

    ACUTE_CARE = "acute_care"
    INJURY_CARE = "injury_care"
    EXAMINATION_AND_REPORT = "examination_and_report"
    FOLLOW_UP_CARE = "follow_up_care"
    MENTAL_HEALTH_CARE = "mental_health_care"
    PSYCHOSOCIAL = "psychosocial"
    SHELTER = "shelter"
    CHILD_PROTECTION = "child_protection"
    COURT_SUPPORT = "court_support"
    FAMILY_VISIT = "family_visit"
    REPORT_TO_POLICE = "report_to_police"
    STATEMENT_AT_CLINIC = "statement_at_clinic"
    PROTECTION = "protection"
    LEGAL_AID = "legal_aid"
    REINTEGRATION = "reintegration"
    PROSECUTION = "prosecution"


_S = ServicePackage
AT_ONCE = frozenset({_S.ACUTE_CARE, _S.INJURY_CARE})  # cannot wait: no pathway makes it less urgent, and no rule refuses it
PROVIDED_BY: dict[AgencyKind, frozenset[ServicePackage]] = {
    AgencyKind.POLICE: frozenset({_S.REPORT_TO_POLICE, _S.STATEMENT_AT_CLINIC, _S.PROTECTION}),
    AgencyKind.HEALTH: frozenset(
        {_S.ACUTE_CARE, _S.INJURY_CARE, _S.EXAMINATION_AND_REPORT, _S.FOLLOW_UP_CARE, _S.MENTAL_HEALTH_CARE}
    ),
    AgencyKind.SOCIAL_WELFARE: frozenset(
        {_S.PSYCHOSOCIAL, _S.SHELTER, _S.CHILD_PROTECTION, _S.COURT_SUPPORT, _S.FAMILY_VISIT, _S.LEGAL_AID}
    ),
    AgencyKind.PARTNER: frozenset({_S.PSYCHOSOCIAL, _S.SHELTER, _S.LEGAL_AID, _S.REINTEGRATION, _S.MENTAL_HEALTH_CARE}),
    AgencyKind.JUSTICE: frozenset({_S.PROSECUTION, _S.EXAMINATION_AND_REPORT}),
    AgencyKind.OVERSIGHT: frozenset(),
}


class ConsentItem(StrEnum):
    """What the survivor says yes to, one by one."""

    REQ = "req"  # the request itself
    NEEDS = "needs"  # age band, language, access
    TYPE = "type"  # coded incident class
    GIVEN = "given"  # care already given
    SAFETY = "safety"
    RELAY = "relay"  # coded messages passed on by the issuer
    FB = "fb"  # feedback: came, finished
    PROG = "prog"  # police milestones, progress of referrals in the circle
    MLR = "mlr"  # one medical report to one holder
    STAT = "stat"  # counted, unnamed


class Basis(StrEnum):
    """What a sharing rests on."""

    CONSENT = "consent"
    LEGAL_BASIS = "legal_basis"
    VITAL_INTEREST = "vital_interest"


UNDETERMINED = "und"  # BCP 47: the language is not known, or nobody was spoken to


class ConsentHow(StrEnum):
    """How consent was given."""

    SPOKEN = "spoken"
    THUMB = "thumb"
    SIGNATURE = "signature"
    NONE_UNCONSCIOUS = "none_unconscious"  # only with vital interest
    BY_LAW = "by_law"  # nobody was asked: only with a legal duty
    NOT_KNOWN = "not_known"  # known only from what was said under it, after a restore


HER_OWN_WAYS = frozenset({ConsentHow.SPOKEN, ConsentHow.THUMB, ConsentHow.SIGNATURE})  # in which she herself says yes or no


class ErasureOutcome(StrEnum):
    """What became of what was received under a consent that was taken back."""

    DESTROYED = "destroyed"
    HELD = "held"  # by order of a court: kept, and read by nobody


class Purpose(StrEnum):
    """What the recipient may use the data for."""

    CARE = "care"
    PROTECTION = "protection"
    JUSTICE = "justice"
    SUPPORT = "support"
    STATISTICS = "statistics"


class IncidentType(StrEnum):
    """The six GBVIMS core types, and the coarse word that may cross instead of them."""

    RAPE = "rape"
    SEXUAL_ASSAULT = "sexual_assault"
    PHYSICAL_ASSAULT = "physical_assault"
    FORCED_MARRIAGE = "forced_marriage"
    DENIAL_OF_RESOURCES = "denial_of_resources"
    PSYCHOLOGICAL_ABUSE = "psychological_abuse"
    GBV = "gbv"


SEXUAL_VIOLENCE = frozenset({IncidentType.RAPE, IncidentType.SEXUAL_ASSAULT})


class IncidentContext(StrEnum):
    """Case contexts, which are not types (GBVIMS)."""

    DOMESTIC_VIOLENCE = "domestic_violence"
    CHILD_SEXUAL_ABUSE = "child_sexual_abuse"
    EARLY_MARRIAGE = "early_marriage"
    TRAFFICKING = "trafficking"
    HARMFUL_PRACTICE = "harmful_practice"
    PRESSURE_TO_SETTLE = "pressure_to_settle"
    FAMILY_DISPUTE = "family_dispute"  # called so by whoever reports it; with violence it is what its type says, and nothing less


class AgeBand(StrEnum):
    """Age in the ministry's monthly groups; a birth date never crosses."""

    A0_9 = "0-9"
    A10_14 = "10-14"
    A15_17 = "15-17"
    A18_24 = "18-24"
    A25_49 = "25-49"
    A50 = "50+"
    UNKNOWN = "unknown"


CHILD_BANDS = frozenset({AgeBand.A0_9, AgeBand.A10_14, AgeBand.A15_17})


class Sex(StrEnum):
    """As she or he says it."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


class AccessNeed(StrEnum):
    """What access needs a place must meet."""

    NONE = "none"
    WHEELCHAIR = "wheelchair"
    SIGN_LANGUAGE = "sign_language"
    LOW_VISION = "low_vision"
    COGNITIVE = "cognitive"


class StaffPreference(StrEnum):
    """Who should receive her."""

    FEMALE = "female"
    MALE = "male"
    NO_PREFERENCE = "no_preference"


class Ternary(StrEnum):
    """An answer to a question that may not have been asked."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class LegalDuty(StrEnum):
    """The duty under which something is shared without consent."""

    CHILD_PROTECTION_LAW = "child_protection_law"
    COURT_ORDER = "court_order"
    REPORT_OF_DEATH = "report_of_death"


class CareProduct(StrEnum):
    """What police may have given before care."""

    EMERGENCY_CONTRACEPTION = "emergency_contraception"
    PEP_STARTER = "pep_starter"


class SupplyReason(StrEnum):
    """Why a station asks for supplies."""

    FIRST_STOCK = "first_stock"
    LOW = "low"
    NONE_LEFT = "none_left"
    EXPIRES_SOON = "expires_soon"


class SupplyDecline(StrEnum):
    """Why a place of care sends none."""

    NONE_HERE = "none_here"
    NOT_OUR_STATION = "not_our_station"
    BOX_NOT_COUNTED = "box_not_counted"


class SafetyCode(StrEnum):
    """What was noticed of a product that was given, or of its box. About the product and the place, never about whom it befell."""

    VOMITING = "vomiting"
    HEAVY_BLEEDING = "heavy_bleeding"
    STRONG_PAIN = "strong_pain"
    ALLERGIC_REACTION = "allergic_reaction"
    OTHER_ADVERSE = "other_adverse"
    GIVEN_WITHOUT_HER_YES = "given_without_her_yes"
    GIVEN_WITHOUT_CERTIFICATE = "given_without_certificate"
    SOLD = "sold"
    TAKEN_FROM_THE_BOX = "taken_from_the_box"
    FALSE_ENTRY = "false_entry"


MISUSE = frozenset(
    {
        SafetyCode.GIVEN_WITHOUT_HER_YES, SafetyCode.GIVEN_WITHOUT_CERTIFICATE, SafetyCode.SOLD, SafetyCode.TAKEN_FROM_THE_BOX,
        SafetyCode.FALSE_ENTRY,
    }
)  # fmt: skip
ADVERSE = frozenset(SafetyCode) - MISUSE


class CareClock(StrEnum):
    """What a window of care is for; the recipient gets the deadline, never the time of the incident."""

    PEP = "pep"
    EMERGENCY_CONTRACEPTION = "emergency_contraception"
    FORENSIC_SAMPLE = "forensic_sample"
    HEPATITIS_B_VACCINE = "hepatitis_b_vaccine"


class TravelMode(StrEnum):
    """How she travels."""

    ON_FOOT = "on_foot"
    BICYCLE = "bicycle"
    MOTORCYCLE = "motorcycle"
    CAR = "car"
    BUS = "bus"
    POLICE_VEHICLE = "police_vehicle"
    AMBULANCE = "ambulance"
    NONE_AVAILABLE = "none_available"


class Escort(StrEnum):
    """Who comes with her."""

    ALONE = "alone"
    SAFE_ADULT = "safe_adult"
    OFFICER = "officer"
    SOCIAL_WORKER = "social_worker"
    HEALTH_WORKER = "health_worker"
    OTHER = "other"


class SafeHours(StrEnum):
    """When a message may be passed on."""

    MORNING = "morning"
    AFTERNOON = "afternoon"
    EVENING = "evening"
    NEVER = "never"


class Registered(StrEnum):
    """What a station has given a number of its own to."""

    COMPLAINT = "complaint"
    REFERRAL = "referral"


class ProgressCode(StrEnum):
    """A coded fact on a case: police milestones, the next clinic date, and what every agency may note."""

    COMPLAINT_REGISTERED = "complaint_registered"
    STATEMENT_TAKEN = "statement_taken"
    MEDICAL_REPORT_REQUESTED = "medical_report_requested"
    MEDICAL_REPORT_RECEIVED = "medical_report_received"
    SUSPECT_KNOWN = "suspect_known"
    CHARGED = "charged"
    HEARING_DATE = "hearing_date"
    PROTECTION_ORDER = "protection_order"
    VERDICT = "verdict"
    COMPLAINT_WITHDRAWN = "complaint_withdrawn"
    COMPLAINT_REOPENED = "complaint_reopened"
    NEXT_CLINIC_DATE = "next_clinic_date"
    VISIT_KEPT = "visit_kept"
    VISIT_MISSED = "visit_missed"
    SAFETY_PLAN_MADE = "safety_plan_made"
    PRESSURE_TO_SETTLE = "pressure_to_settle"


_P = ProgressCode
PROGRESS_OF: dict[AgencyKind, frozenset[ProgressCode]] = {
    AgencyKind.POLICE: frozenset(
        {
            _P.COMPLAINT_REGISTERED, _P.STATEMENT_TAKEN, _P.MEDICAL_REPORT_REQUESTED, _P.MEDICAL_REPORT_RECEIVED,
            _P.SUSPECT_KNOWN, _P.CHARGED, _P.HEARING_DATE, _P.PROTECTION_ORDER, _P.VERDICT, _P.COMPLAINT_WITHDRAWN,
            _P.COMPLAINT_REOPENED, _P.PRESSURE_TO_SETTLE,
        }
    ),
    AgencyKind.HEALTH: frozenset({_P.NEXT_CLINIC_DATE, _P.VISIT_KEPT, _P.VISIT_MISSED, _P.PRESSURE_TO_SETTLE}),
    AgencyKind.SOCIAL_WELFARE: frozenset({_P.SAFETY_PLAN_MADE, _P.VISIT_KEPT, _P.VISIT_MISSED, _P.PRESSURE_TO_SETTLE}),
    AgencyKind.PARTNER: frozenset({_P.SAFETY_PLAN_MADE, _P.VISIT_KEPT, _P.VISIT_MISSED, _P.PRESSURE_TO_SETTLE}),
    AgencyKind.JUSTICE: frozenset({_P.HEARING_DATE, _P.CHARGED, _P.VERDICT, _P.PRESSURE_TO_SETTLE}),
    AgencyKind.OVERSIGHT: frozenset(),
}  # fmt: skip
DATED = frozenset({_P.HEARING_DATE, _P.NEXT_CLINIC_DATE})  # the codes that carry a date


class Flag(StrEnum):
    """What the watcher says beside a state; local, never sent."""

    UNDELIVERED = "undelivered"  # the recipient's machine has not signed for it
    UNACKNOWLEDGED = "unacknowledged"  # nobody has seen it within its time
    STALLED = "stalled"  # accepted, and nothing since
    WINDOW_CLOSING = "window_closing"  # a care window ends soon and she has not arrived
    LAPSED = "lapsed"  # time has passed, still open


class ReportStatus(StrEnum):
    """How a medical report stands, as the place that writes it tells the desk that asked (practice guide, rule 6).

    What it says never crosses.
    """

    HANDED_BACK = "handed_back"  # the form was: another, or an old version
    EXAMINED = "examined"
    SIGNED = "signed"
    READY = "ready"  # lies in an envelope, to be fetched
    COLLECTED = "collected"


class FormRefusal(StrEnum):
    """Why a form is handed back."""

    OLD_VERSION = "old_version"
    OTHER_FORM = "other_form"


class MessageCode(StrEnum):
    """A coded message to her, passed on by the agency that sent her."""

    COME_ON = "come_on"  # at the time that is given
    BRING_CARD = "bring_card"
    NEW_TIME = "new_time"
    CANCELLED = "cancelled"


TIMED_MESSAGES = frozenset({MessageCode.COME_ON, MessageCode.NEW_TIME})


class MessageAnswer(StrEnum):
    """What became of a message."""

    PASSED_ON = "passed_on"
    NOT_SAFE = "not_safe"


class ProtocolTopic(StrEnum):
    """What a protocol of the oversight body is about: its title is this word, so that none has room for a name."""

    REFERRAL = "referral"
    CARE_FIRST = "care_first"
    CONSENT = "consent"
    CHILDREN = "children"
    MEDICAL_REPORT = "medical_report"
    PRODUCTS_AT_A_DESK = "products_at_a_desk"
    SHELTER = "shelter"
    NO_SETTLEMENT = "no_settlement"
    NO_FEES = "no_fees"
    RECORDS = "records"
    HAND_OVER = "hand_over"


class FacilityMode(StrEnum):
    """How a facility is reached."""

    ONLINE = "online"
    PHONE = "phone"
    PAPER = "paper"


class AgendaItem(StrEnum):
    """What a case conference may speak of; each is the consent item of the same name, and each recipient hears only hers."""

    NEEDS = "needs"
    TYPE = "type"
    GIVEN = "given"
    SAFETY = "safety"
    PROG = "prog"


class DayPart(StrEnum):
    """The part of a day on which people meet; an hour is agreed by voice."""

    MORNING = "morning"
    AFTERNOON = "afternoon"


class ConferenceAnswer(StrEnum):
    """Whether an agency comes to a case conference."""

    WILL_COME = "will_come"
    CANNOT_COME = "cannot_come"


class ConferenceOutcome(StrEnum):
    """What became of a case conference."""

    HELD = "held"
    CALLED_OFF = "called_off"


class ConferenceDecision(StrEnum):
    """What a case conference agrees to do. Nothing that settles it between the two is among them: there is no such outcome."""

    FIND_A_SAFE_PLACE = "find_a_safe_place"
    SUPPORT_FOR_HER = "support_for_her"
    SUPPORT_FOR_CHILDREN = "support_for_children"
    LEGAL_AID = "legal_aid"
    FOLLOW_UP_OF_CARE = "follow_up_of_care"
    SAFETY_MEASURES = "safety_measures"
    ASK_FOR_PROTECTION_ORDER = "ask_for_protection_order"
    SUPPORT_IN_COURT = "support_in_court"
    TELL_HER_HOW_IT_STANDS = "tell_her_how_it_stands"
    MEET_AGAIN = "meet_again"
    NOTHING_FURTHER = "nothing_further"


_D, _EVERY_ITEM = ConferenceDecision, frozenset({ConferenceDecision.MEET_AGAIN, ConferenceDecision.NOTHING_FURTHER})
# Which decision belongs to which item: a decision is told under its item, and what care is agreed belongs to care alone.
DECISIONS_OF: dict[AgendaItem, frozenset[ConferenceDecision]] = {
    AgendaItem.NEEDS: _EVERY_ITEM | {_D.FIND_A_SAFE_PLACE, _D.SUPPORT_FOR_HER, _D.SUPPORT_FOR_CHILDREN, _D.LEGAL_AID},
    AgendaItem.TYPE: _EVERY_ITEM | {_D.SUPPORT_FOR_HER, _D.LEGAL_AID},
    AgendaItem.GIVEN: _EVERY_ITEM | {_D.FOLLOW_UP_OF_CARE},
    AgendaItem.SAFETY: _EVERY_ITEM | {_D.FIND_A_SAFE_PLACE, _D.SAFETY_MEASURES, _D.ASK_FOR_PROTECTION_ORDER},
    AgendaItem.PROG: _EVERY_ITEM | {_D.SUPPORT_IN_COURT, _D.TELL_HER_HOW_IT_STANDS, _D.LEGAL_AID},
}
