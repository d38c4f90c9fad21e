"""Every event that agencies say to each other: its data, its integer version, who may say it, and how it travels.

Codes and dates only. A published version never changes: readers forbid what they do not know, so another shape is another version.
"""

from datetime import date
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.contracts.casework import authority as authorities
from shared.contracts.casework import codes
from shared.contracts.casework.authority import Authority
from shared.contracts.casework.codes import ReferralState

FACILITY_ID_PATTERN = r"^[a-z][a-z0-9_-]{1,39}$"
FacilityId = Annotated[str, StringConstraints(pattern=FACILITY_ID_PATTERN)]
AgencyId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
LanguageTag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]  # BCP 47, the part that programmes use
_When = TypeVar("_When", bound=date)
YEARS = range(1900, 2200)  # outside them a time is a mistake, and some cannot be written in UTC


def _within_reason(when: _When) -> _When:
    if when.year not in YEARS:
        raise ValueError(f"a time lies between the years {YEARS.start} and {YEARS.stop - 1}")
    return when


Moment = Annotated[AwareDatetime, AfterValidator(_within_reason)]
Day = Annotated[date, AfterValidator(_within_reason)]
BatchCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{0,19}$")]  # as it is printed on the pack
Month = Annotated[str, StringConstraints(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
# On an envelope or a sample: what kind of thing, and six characters that are not misread. Random, so that it says nothing.
CustodyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]-[2-9A-HJ-NP-Z]{6}$")]
CodeHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Digest = CodeHash  # SHA-256 of a public document
Span = Annotated[str, StringConstraints(pattern=r"^20\d\d-(0[1-9]|1[0-2]|Q[1-4])$")]  # a month or a quarter
Category = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_+-]{0,39}$")]

DEPENDANTS_MAX = 20  # people who come with her
GIVEN_MAX = 10  # products given before care
STAFF_MAX = 500  # people on duty or waiting at one facility; more is a mistyped figure
DOSES_MAX = 10_000  # of one product in one box; more is a mistyped figure
BATCHES_MAX = 20  # of one product in one box, or in one parcel
STATION_NUMBER_MAX = 999_999  # registrations of one station: a busy one has some thousands in a year
MEMBERS_MAX = 50  # agencies in one care circle
VERSIONS_MAX = 10_000  # of one protocol, or releases of one period; more is a mistyped figure
CUBES_MAX = 20  # in one release
DIMENSIONS_MAX = 12  # of one cube
CATEGORIES_MAX = 600  # of one dimension: the places of the largest agency that a programme has
COUNT_MAX = 100_000_000  # more than a country has people
SMALL = range(1, 10)  # counts that no agency lets out (practice guide; docs/decisions/0027)
DECISIONS_MAX = 30  # of one case conference; more is two conferences


class _Coded(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Event(_Coded):
    """The data of an event. `authority` is who may say it, and of what; `never_waits` ones need no predecessor."""

    type: ClassVar[str]
    version: ClassVar[int] = 1
    authority: ClassVar[Authority]
    never_waits: ClassVar[bool] = False


class PersonNeeds(_Coded):
    """What a place must know to receive her well (consent item `needs`)."""

    age_band: codes.AgeBand
    sex: codes.Sex
    language: LanguageTag
    interpreter: bool = False
    access: codes.AccessNeed = codes.AccessNeed.NONE
    staff_preference: codes.StaffPreference = codes.StaffPreference.NO_PREFERENCE


class ChildFacts(_Coded):
    """For a child: whether she agrees, whether a safe adult is with her, and which duty applies."""

    assent: codes.Ternary
    safe_adult_present: codes.Ternary
    legal_duty: codes.LegalDuty | None = None


class Window(_Coded):
    """A window of care: what for, and until when."""

    care: codes.CareClock
    until: Moment


class Given(_Coded):
    """A product that was given before care (consent item `given`)."""

    product: codes.CareProduct
    given_at: Moment


class Travel(_Coded):
    """The way there."""

    mode: codes.TravelMode
    escort: codes.Escort
    expected_at: Moment | None = None


class Dependants(_Coded):
    """Who comes with her: bands only."""

    age_bands: Annotated[tuple[codes.AgeBand, ...], Field(max_length=DEPENDANTS_MAX)]


class Safety(_Coded):
    """Whether she can go back, and whether she answers her phone alone (consent item `safety`)."""

    safe_to_return: codes.Ternary
    alone_on_phone: codes.Ternary


class Relay(_Coded):
    """Coded messages may be passed on, in this band of the day (consent item `relay`)."""

    safe_hours: codes.SafeHours


class ReportForm(_Coded):
    """The medical report form that is wanted."""

    form: Code
    form_version: Annotated[int, Field(ge=1)]


class ReferralIssued(Event):
    """A request for a package of services. Its subject is the referral."""

    type: ClassVar[str] = "referral.issued"
    authority: ClassVar[Authority] = authorities.OPENER
    never_waits: ClassVar[bool] = True

    circle: UUID
    pairwise_code: UUID
    from_facility: FacilityId
    to_facility: FacilityId
    services: Annotated[tuple[codes.ServicePackage, ...], Field(min_length=1, max_length=len(codes.ServicePackage))]
    urgency: codes.Urgency
    respond_by: Moment
    basis: codes.Basis
    feedback_agreed: bool
    arrival_code_hash: CodeHash | None = None
    windows: Annotated[tuple[Window, ...], Field(min_length=1, max_length=len(codes.CareClock))] | None = None
    needs: PersonNeeds | None = None
    child: ChildFacts | None = None
    incident_class: codes.IncidentType | None = None
    given: Annotated[tuple[Given, ...], Field(min_length=1, max_length=GIVEN_MAX)] | None = None
    travel: Travel | None = None
    dependants: Dependants | None = None
    safety: Safety | None = None
    relay: Relay | None = None
    report_form: ReportForm | None = None
    urgent_mental_health: bool | None = None

    @model_validator(mode="after")
    def _services_once(self) -> "ReferralIssued":
        if len(set(self.services)) != len(self.services):
            raise ValueError("a service is asked for twice")
        return self


class CancelRequested(Event):
    """The issuer asks; the recipient's database decides."""

    type: ClassVar[str] = "referral.cancel_requested"
    authority: ClassVar[Authority] = authorities.ISSUER
    reason_code: codes.CancelReason


class SetOut(Event):
    """She is on her way."""

    type: ClassVar[str] = "referral.set_out"
    authority: ClassVar[Authority] = authorities.TELLS_THE_WAY
    mode: codes.TravelMode
    escort: codes.Escort
    expected_at: Moment | None = None


class ToldByPhone(Event):
    """The issuer has told a post by phone: it stops the ladder and is never a receipt."""

    type: ClassVar[str] = "referral.told_by_phone"
    authority: ClassVar[Authority] = authorities.ISSUER
    post: Code


class Acknowledged(Event):
    """A person at the recipient has seen it."""

    type: ClassVar[str] = "referral.acknowledged"
    authority: ClassVar[Authority] = authorities.RECIPIENT


class Accepted(Event):
    """The promise to serve."""

    type: ClassVar[str] = "referral.accepted"
    authority: ClassVar[Authority] = authorities.RECIPIENT


class Declined(Event):
    """The place cannot take her; `next_facility` is where it proposes that she goes."""

    type: ClassVar[str] = "referral.declined"
    authority: ClassVar[Authority] = authorities.RECIPIENT
    reason_code: codes.DeclineReason
    next_agency: AgencyId | None = None
    next_facility: FacilityId | None = None


class Redirected(Event):
    """Another facility of the same agency takes it."""

    type: ClassVar[str] = "referral.redirected"
    authority: ClassVar[Authority] = authorities.RECIPIENT
    to_facility: FacilityId


class Suggested(Event):
    """Another agency would serve better: the issuer asks her."""

    type: ClassVar[str] = "referral.suggested"
    authority: ClassVar[Authority] = authorities.RECIPIENT
    to_agency: AgencyId
    to_facility: FacilityId | None = None


class Arrived(Event):
    """She is at the door of `facility`."""

    type: ClassVar[str] = "referral.arrived"
    authority: ClassVar[Authority] = authorities.RECIPIENT
    facility: FacilityId


class ArrivedInError(Event):
    """Who had come was somebody else: she is expected again, at `facility`, and `stands` is where it is again."""

    type: ClassVar[str] = "referral.arrived_in_error"
    authority: ClassVar[Authority] = authorities.RECIPIENT
    facility: FacilityId
    stands: Literal[ReferralState.ACCEPTED, ReferralState.ON_HOLD]


class InService(Event):
    """Service has begun."""

    type: ClassVar[str] = "referral.in_service"
    authority: ClassVar[Authority] = authorities.RECIPIENT


class OnHold(Event):
    """It waits, and resumes where it was."""

    type: ClassVar[str] = "referral.on_hold"
    authority: ClassVar[Authority] = authorities.RECIPIENT
    reason_code: codes.HoldReason | None = None


class Resumed(Event):
    """It goes on where it was."""

    type: ClassVar[str] = "referral.resumed"
    authority: ClassVar[Authority] = authorities.RECIPIENT


class NotAttended(Event):
    """She has not come yet: a fact, not an end."""

    type: ClassVar[str] = "referral.not_attended"
    authority: ClassVar[Authority] = authorities.RECIPIENT


class Closed(Event):
    """The end, with its outcome."""

    type: ClassVar[str] = "referral.closed"
    authority: ClassVar[Authority] = authorities.RECIPIENT
    outcome_code: codes.OutcomeCode


class Cancelled(Event):
    """The recipient's answer to a request to cancel."""

    type: ClassVar[str] = "referral.cancelled"
    authority: ClassVar[Authority] = authorities.RECIPIENT
    reason_code: codes.CancelReason


class CancelRefused(Event):
    """A person at the recipient will not cancel; `stands` is what does."""

    type: ClassVar[str] = "referral.cancel_refused"
    authority: ClassVar[Authority] = authorities.RECIPIENT
    stands: ReferralState


class CameWithoutReferral(Event):
    """She came after the referral had ended."""

    type: ClassVar[str] = "referral.came_without_referral"
    authority: ClassVar[Authority] = authorities.RECIPIENT
    facility: FacilityId


class NoFeedbackByChoice(Event):
    """Sent at a fixed deadline, never at the moment of her answer: the issuer's clocks end."""

    type: ClassVar[str] = "referral.no_feedback_by_choice"
    authority: ClassVar[Authority] = authorities.RECIPIENT


class EndedUndisclosed(Event):
    """It has ended, and how is not the issuer's to know."""

    type: ClassVar[str] = "referral.ended_undisclosed"
    authority: ClassVar[Authority] = authorities.RECIPIENT


class TransitionRefused(Event):
    """What was asked is not possible; this is what stands, and the issuer adopts it."""

    type: ClassVar[str] = "referral.transition_refused"
    authority: ClassVar[Authority] = authorities.RECIPIENT
    refused: Literal["referral.cancel_requested"]
    stands: ReferralState
    outcome_code: codes.OutcomeCode | None = None
    reason_code: codes.DeclineReason | codes.CancelReason | None = None


class ConsentTakenBack(Event):
    """The survivor has taken the consent back that the envelope names: acts at once, on whatever state, and wins over the data."""

    type: ClassVar[str] = "consent.taken_back"
    authority: ClassVar[Authority] = authorities.HOLDER
    never_waits: ClassVar[bool] = True
    consent: UUID
    circle: UUID


class ConsentEnded(Event):
    """The day until which the survivor had agreed has passed. Nothing ends with it: what was asked for goes on, and once nothing of
    it is open any more its recipient destroys what it had received under this consent, and signs that."""

    type: ClassVar[str] = "consent.ended"
    authority: ClassVar[Authority] = authorities.HOLDER
    never_waits: ClassVar[bool] = True
    consent: UUID
    circle: UUID


class ConsentErased(Event):
    """What the sender had received under a consent that was taken back is destroyed there; or it is held, read by nobody, because a
    court has forbidden to destroy it, and is destroyed when the hold ends. Signed as every word is, it is the holder's receipt."""

    type: ClassVar[str] = "consent.erased"
    authority: ClassVar[Authority] = authorities.NAMED
    never_waits: ClassVar[bool] = True
    consent: UUID
    outcome: codes.ErasureOutcome


# What says of a consent that it is over: it stays where all else that was said under it is erased.
OVER = frozenset({ConsentTakenBack.type, ConsentEnded.type})


class CircleAnnounced(Event):
    """The sender's own membership of a care circle and whom it shares with there."""

    type: ClassVar[str] = "circle.announced"
    authority: ClassVar[Authority] = authorities.JOINER
    circle_version: Annotated[int, Field(ge=1)]
    shares_with: Annotated[tuple[AgencyId, ...], Field(max_length=MEMBERS_MAX)]


class CircleReferralProgress(Event):
    """How a referral of the sender's to another member stands: service class and state (consent item `prog`)."""

    type: ClassVar[str] = "circle.referral_progress"
    authority: ClassVar[Authority] = authorities.TELLS_OF_OTHER_PLACES
    referral: UUID
    to_agency: AgencyId
    services: Annotated[tuple[codes.ServicePackage, ...], Field(min_length=1, max_length=len(codes.ServicePackage))]
    state: ReferralState


class CirclePlaceClosed(Event):
    """The sender's place that looked after her is closed: nobody is there any more. To members of her circle and to nobody else; it
    says nothing of her."""

    type: ClassVar[str] = "circle.place_closed"
    authority: ClassVar[Authority] = authorities.MEMBER
    facility: FacilityId


class CaseProgress(Event):
    """A coded fact on a case."""

    type: ClassVar[str] = "case.progress"
    authority: ClassVar[Authority] = authorities.TELLS_STEPS
    code: codes.ProgressCode
    on_date: date | None = None

    @model_validator(mode="after")
    def _date_where_it_belongs(self) -> "CaseProgress":
        if (self.code in codes.DATED) != (self.on_date is not None):
            raise ValueError("a hearing and a clinic visit have a date, nothing else has")
        return self


class HearingOff(Event):
    """A hearing that was told of will not be on that day: it was put off, or cancelled. Another day is told as another hearing."""

    type: ClassVar[str] = "case.hearing_off"
    authority: ClassVar[Authority] = authorities.TELLS_HEARINGS
    on_date: date


class MessageAsked(Event):
    """The recipient asks the issuer to pass a coded message on (consent item `relay`). Contact itself never crosses."""

    type: ClassVar[str] = "message.asked"
    authority: ClassVar[Authority] = authorities.RECIPIENT
    message: UUID
    code: codes.MessageCode
    on_at: Moment | None = None

    @model_validator(mode="after")
    def _time_where_it_belongs(self) -> "MessageAsked":
        if (self.code in codes.TIMED_MESSAGES) != (self.on_at is not None):
            raise ValueError("a message to come has a time, nothing else has")
        return self


class MessageAnswered(Event):
    """The issuer has passed a message on, or it was not safe to."""

    type: ClassVar[str] = "message.answered"
    authority: ClassVar[Authority] = authorities.ISSUER
    message: UUID
    answer: codes.MessageAnswer


class ReportMoved(Event):
    """How the medical report stands that a referral asked for (consent item `fb`). Its content crosses hand to hand only;
    both ends know it by the code on its envelope. `form`, `form_version`: the right one, where another was handed back."""

    type: ClassVar[str] = "report.moved"
    authority: ClassVar[Authority] = authorities.TELLS_OF_A_REPORT
    status: codes.ReportStatus
    reason_code: codes.FormRefusal | None = None
    form: Code | None = None
    form_version: Annotated[int, Field(ge=1)] | None = None
    post: Code | None = None  # where the envelope lies
    custody_code: CustodyCode | None = None

    @model_validator(mode="after")
    def _what_goes_with_each(self) -> "ReportMoved":
        is_back = self.status is codes.ReportStatus.HANDED_BACK
        if any((one is not None) != is_back for one in (self.reason_code, self.form, self.form_version)):
            raise ValueError("a form that is handed back has a reason and the right form, nothing else has")
        in_hand = self.status in {codes.ReportStatus.READY, codes.ReportStatus.COLLECTED}
        if (self.custody_code is not None) != in_hand or (self.post is not None and not in_hand):
            raise ValueError("an envelope has a code and a post, nothing else has")
        return self


class ConferenceCalled(Event):
    """An invitation to a case conference, to one agency: when and where, and of what she agreed that this agency hears. Who else is
    asked, and what else is spoken of, is not in it. Its subject is the circle, as of all words about a conference."""

    type: ClassVar[str] = "conference.called"
    authority: ClassVar[Authority] = authorities.CALLS_A_CONFERENCE
    conference: UUID
    facility: FacilityId
    on_date: date
    part: codes.DayPart
    agenda: Annotated[tuple[codes.AgendaItem, ...], Field(min_length=1, max_length=len(codes.AgendaItem))]

    @model_validator(mode="after")
    def _items_once(self) -> "ConferenceCalled":
        if len(set(self.agenda)) != len(self.agenda):
            raise ValueError("an item stands on the agenda twice")
        return self


class ConferenceAnswered(Event):
    """Whether an agency that was invited comes."""

    type: ClassVar[str] = "conference.answered"
    authority: ClassVar[Authority] = authorities.ANSWERS_A_CONFERENCE
    conference: UUID
    answer: codes.ConferenceAnswer


class Decided(_Coded):
    """One decision: under which item, who sees to it, and until when."""

    item: codes.AgendaItem
    code: codes.ConferenceDecision
    responsible: AgencyId
    due_on: date

    @model_validator(mode="after")
    def _belongs_to_its_item(self) -> "Decided":
        if self.code not in codes.DECISIONS_OF[self.item]:
            raise ValueError("a decision stands under an item that it does not belong to")
        return self


class ConferenceDecided(Event):
    """A conference was held, with what one agency may hear of its decisions; or it was called off."""

    type: ClassVar[str] = "conference.decided"
    authority: ClassVar[Authority] = authorities.CONCLUDES_A_CONFERENCE
    conference: UUID
    outcome: codes.ConferenceOutcome
    decisions: Annotated[tuple[Decided, ...], Field(max_length=DECISIONS_MAX)]

    @model_validator(mode="after")
    def _nothing_where_nobody_met(self) -> "ConferenceDecided":
        if self.outcome is not codes.ConferenceOutcome.HELD and self.decisions:
            raise ValueError("a conference that was called off decided nothing")
        return self


class PlaceAnnounced(Event):
    """A facility of the sender says whether it is open, who is there and how many wait: about a place, never about a person."""

    type: ClassVar[str] = "place.announced"
    authority: ClassVar[Authority] = authorities.KEEPER
    never_waits: ClassVar[bool] = True
    facility: FacilityId
    is_open: bool
    staff: Annotated[int, Field(ge=0, le=STAFF_MAX)]
    has_female_staff: bool
    waiting: Annotated[int, Field(ge=0, le=STAFF_MAX)]


Doses = Annotated[int, Field(ge=0, le=DOSES_MAX)]


class Batch(_Coded):
    """Doses of one batch."""

    batch: BatchCode
    expires_on: date
    quantity: Doses


Batches = Annotated[tuple[Batch, ...], Field(max_length=BATCHES_MAX)]


class SuppliesRequested(Event):
    """A station asks the place that supplies it for doses. Its subject is the station, as of all words about its box."""

    type: ClassVar[str] = "supplies.requested"
    authority: ClassVar[Authority] = authorities.KEEPS_A_BOX
    facility: FacilityId
    to_facility: FacilityId
    request: UUID
    product: codes.CareProduct
    quantity: Annotated[int, Field(ge=1, le=DOSES_MAX)]
    reason_code: codes.SupplyReason


class SuppliesSent(Event):
    """The place that supplies has handed doses over, to be counted where they come. Its subject is that place."""

    type: ClassVar[str] = "supplies.sent"
    authority: ClassVar[Authority] = authorities.SUPPLIES
    facility: FacilityId
    to_facility: FacilityId
    request: UUID
    product: codes.CareProduct
    batches: Annotated[tuple[Batch, ...], Field(min_length=1, max_length=BATCHES_MAX)]


class SuppliesDeclined(Event):
    """It sends none."""

    type: ClassVar[str] = "supplies.declined"
    authority: ClassVar[Authority] = authorities.SUPPLIES
    facility: FacilityId
    to_facility: FacilityId
    request: UUID
    product: codes.CareProduct
    reason_code: codes.SupplyDecline


class SuppliesReceived(Event):
    """What has come of a parcel, as it was counted at the station: both ends agree, or are alarmed. None came: no batches."""

    type: ClassVar[str] = "supplies.received"
    authority: ClassVar[Authority] = authorities.KEEPS_A_BOX
    facility: FacilityId
    to_facility: FacilityId
    request: UUID
    product: codes.CareProduct
    batches: Batches


class SuppliesStated(Event):
    """What a station's box came to in one month that is over: what lies in it by batch, what came and went, on how many days it was
    empty, and what was noticed. Never when or to whom a dose was given."""

    type: ClassVar[str] = "supplies.stated"
    authority: ClassVar[Authority] = authorities.KEEPS_A_BOX
    facility: FacilityId
    to_facility: FacilityId
    product: codes.CareProduct
    month: Month
    batches: Batches
    opening: Doses
    received: Doses
    dispensed: Doses
    returned: Doses
    destroyed: Doses
    counted: Doses | None = None  # at the last count of the month by two; absent where nobody counted
    variance: Annotated[int, Field(ge=-DOSES_MAX, le=DOSES_MAX)] | None = None
    stock_out_days: Annotated[int, Field(ge=0, le=31)]
    adverse: Doses
    misuse: Doses


class SafetyReported(Event):
    """Something was noticed of a product or of a box. Told at once, because a batch may have to be called back."""

    type: ClassVar[str] = "supplies.safety_reported"
    authority: ClassVar[Authority] = authorities.KEEPS_A_BOX
    facility: FacilityId
    to_facility: FacilityId
    report: UUID
    product: codes.CareProduct
    code: codes.SafetyCode
    batch: BatchCode | None = None


class ProtocolPublished(Event):
    """The oversight body has published a version of a protocol: what it is about, from which day it holds, by which day every place
    confirms it, and the SHA-256 of its text (UTF-8, lines ended by one line feed). The text itself is public."""

    type: ClassVar[str] = "protocol.published"
    authority: ClassVar[Authority] = authorities.PUBLISHES
    never_waits: ClassVar[bool] = True
    topic: codes.ProtocolTopic
    protocol_version: Annotated[int, Field(ge=1, le=VERSIONS_MAX)]
    from_on: date
    adopt_by: date
    digest: Digest


class ProtocolAdopted(Event):
    """A place works by a version of a protocol from a day on, as whoever holds a post there has confirmed. Its subject is the
    place."""

    type: ClassVar[str] = "protocol.adopted"
    authority: ClassVar[Authority] = authorities.ADOPTS
    never_waits: ClassVar[bool] = True
    facility: FacilityId
    topic: codes.ProtocolTopic
    protocol_version: Annotated[int, Field(ge=1, le=VERSIONS_MAX)]
    digest: Digest
    post: Code
    adopted_on: date


class CubeDimension(_Coded):
    """One dimension of a cube, with its categories in the order in which its numbers stand."""

    dimension: Code
    categories: Annotated[tuple[Category, ...], Field(min_length=1, max_length=CATEGORIES_MAX)]


class ReleasedCube(_Coded):
    """One cube of released figures. `numbers`: the total, the margins of each dimension, the cells between each two neighbours,
    row by row; null where one is hidden. No numbers at all: the cube is withheld."""

    cube: Code
    chain: Annotated[tuple[CubeDimension, ...], Field(max_length=DIMENSIONS_MAX)] = ()
    numbers: tuple[Annotated[int, Field(ge=0, le=COUNT_MAX)] | None, ...] = ()

    @model_validator(mode="after")
    def _whole_and_nothing_small(self) -> "ReleasedCube":
        sizes = [len(one.categories) for one in self.chain]
        wanted = 1 + sum(sizes) + sum(a * b for a, b in pairwise(sizes)) if sizes else 0
        if len(self.numbers) != wanted:
            raise ValueError("its numbers do not fill its tables")
        if any(number in SMALL for number in self.numbers):
            raise ValueError("a count of 1 to 9 does not leave an agency")
        return self


class FiguresReleased(Event):
    """Figures of a period as an agency lets them out: what is small is hidden already. A correction is a further release."""

    type: ClassVar[str] = "figures.released"
    authority: ClassVar[Authority] = authorities.TELLS_FIGURES
    never_waits: ClassVar[bool] = True
    period: Span
    release: Annotated[int, Field(ge=1, le=VERSIONS_MAX)]
    programme: Code
    formulas: Annotated[int, Field(ge=1, le=VERSIONS_MAX)]  # the version of how cubes are counted
    cubes: Annotated[tuple[ReleasedCube, ...], Field(min_length=1, max_length=CUBES_MAX)]


class StationRegistered(Event):
    """A station that is usually offline has given the next of its own numbers, told to its mother station: numbers are dense, so
    that one that never comes is seen. Never of whom, and never of which case. Its subject is the station."""

    type: ClassVar[str] = "station.registered"
    authority: ClassVar[Authority] = authorities.STATION
    never_waits: ClassVar[bool] = True
    number: Annotated[int, Field(ge=1, le=STATION_NUMBER_MAX)]
    what: codes.Registered


class ExchangeRefused(Event):
    """A person at the recipient has discarded an event that could not be applied."""

    type: ClassVar[str] = "exchange.refused"
    authority: ClassVar[Authority] = authorities.READER
    event_id: UUID


REFERRAL_EVENTS: tuple[type[Event], ...] = (
    ReferralIssued, CancelRequested, SetOut, ToldByPhone, Acknowledged, Accepted, Declined, Redirected, Suggested, Arrived,
    ArrivedInError, InService, OnHold, Resumed, NotAttended, Closed, Cancelled, CancelRefused, CameWithoutReferral,
    NoFeedbackByChoice, EndedUndisclosed, TransitionRefused,
)  # fmt: skip
SUPPLY_EVENTS: tuple[type[Event], ...] = (
    SuppliesRequested, SuppliesSent, SuppliesDeclined, SuppliesReceived, SuppliesStated, SafetyReported,
)  # fmt: skip
OVERSIGHT_EVENTS: tuple[type[Event], ...] = (ProtocolPublished, ProtocolAdopted, FiguresReleased)
CONFERENCE_EVENTS: tuple[type[Event], ...] = (ConferenceCalled, ConferenceAnswered, ConferenceDecided)
EVENTS: tuple[type[Event], ...] = (
    *REFERRAL_EVENTS, MessageAsked, MessageAnswered, ReportMoved, PlaceAnnounced, *SUPPLY_EVENTS, *OVERSIGHT_EVENTS,
    *CONFERENCE_EVENTS, StationRegistered,
    ConsentTakenBack, ConsentEnded, ConsentErased, CircleAnnounced, CircleReferralProgress, CirclePlaceClosed, CaseProgress,
    HearingOff, ExchangeRefused,
)  # fmt: skip
BY_TYPE: dict[str, type[Event]] = {event.type: event for event in EVENTS}


def data_of(event: Event) -> dict[str, Any]:
    """The event's data as it travels: JSON values, absent where it is not told."""
    return event.model_dump(mode="json", exclude_none=True)


def read(type_: str, data: Any) -> Event:
    """The event model of stored or received data; raises pydantic's ValidationError or KeyError."""
    return BY_TYPE[type_].model_validate(data)


def file_name(event: type[Event]) -> str:
    """The name of an event's schema and sample files."""
    return f"{event.type}.v{event.version}.json"


def json_schema(event: type[Event]) -> dict[str, Any]:
    """The published JSON Schema (2020-12) of an event's data."""
    schema = event.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"refnet:{event.type}:v{event.version}", **schema}


def breaks(published: Any, present: Any, path: str = "") -> list[str]:
    """Where a schema differs from its published form in anything but words for people; empty where readers still read it.

    Readers forbid unknown fields and codes, so an added field breaks an old reader as surely as a removed one a new reader.
    """
    words = {"description", "title"}
    if isinstance(published, dict) and isinstance(present, dict):
        is_properties = path.endswith(("/properties", "/$defs"))
        keys = (published.keys() | present.keys()) - (set() if is_properties else words)
        found = []
        for key in sorted(keys):
            here = f"{path}/{key}"
            if key not in published or key not in present:
                found.append(f"{here} was {'added' if key in present else 'removed'}")
            else:
                found += breaks(published[key], present[key], here)
        return found
    if isinstance(published, list) and isinstance(present, list) and path.endswith(("/enum", "/required")):
        return [] if sorted(published) == sorted(present) else [f"{path} changed"]
    return [] if published == present else [f"{path} changed"]
