"""What a rule is asked about, and what it answers: reasons, never a change of anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from shared.contracts.casework.codes import CHILD_BANDS, AgeBand, CareProduct, IncidentContext, IncidentType, ServicePackage, Sex
from shared.programmes.terms import Act, Because, Fact


@dataclass(frozen=True, slots=True)
class Held:
    """A certificate as somebody holds it. Trained is not certified: a course that was attended allows nothing by itself."""

    trained_on: date | None = None
    certified_on: date | None = None
    revoked_on: date | None = None
    valid_until: date | None = None  # the last day that stands on the paper itself


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay at a centre. Nights in hospital do not count (an assumption, shown as one)."""

    since: datetime
    nights_in_hospital: int = 0
    extended_until: datetime | None = None  # by a supervisor


@dataclass(frozen=True, slots=True)
class DeskNow:
    """A facility as it stands now; None is not known."""

    id: str
    kind: str
    district: str | None = None
    is_open: bool | None = None
    is_staffed: bool | None = None
    assets: frozenset[str] | None = None
    certificates: frozenset[str] | None = None  # held, and valid, by somebody who is on duty
    has_female_staff: bool | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything a rule may look at. What is left out is not known, and nothing is refused for that alone but where a rule
    says that something must be shown first (a certificate, a product in the box)."""

    act: Act
    now: datetime
    earliest_at: datetime | None = None  # of the incident's range
    latest_at: datetime | None = None
    incident_type: IncidentType | None = None
    contexts: frozenset[IncidentContext] = frozenset()
    age_band: AgeBand | None = None
    sex: Sex | None = None
    facts: frozenset[Fact] = frozenset()  # known to be so
    not_so: frozenset[Fact] = frozenset()  # known not to be so
    agency: str | None = None  # of the profile: who acts
    facility_kind: str | None = None  # where
    district: str | None = None
    to_kind: str | None = None  # the kind of facility that is asked
    packages: frozenset[ServicePackage] = frozenset()  # that are asked for
    open_packages: frozenset[ServicePackage] = frozenset()  # asked for already, for this incident
    held: Mapping[str, Held] | None = field(default_factory=dict)  # certificates of who acts; None: nobody keeps them there
    stock: Mapping[CareProduct, int] = field(default_factory=dict)  # unexpired, in the box; a product left out is not counted yet
    given: frozenset[CareProduct] = frozenset()  # before, for this incident
    fee: float | None = None  # asked of her
    form: str | None = None
    form_version: int | None = None
    stay: Stay | None = None
    desks: tuple[DeskNow, ...] = ()  # candidates of a route, nearest first
    absent: frozenset[str] = frozenset()  # ids of staff whose seat is empty

    @property
    def is_child(self) -> bool | None:
        """Whether the person is a child; None where the age is not known."""
        if self.age_band is None or self.age_band is AgeBand.UNKNOWN:
            return None
        return self.age_band in CHILD_BANDS

    def knows(self, fact: Fact) -> bool | None:
        """Whether a fact is so; None where nobody said."""
        if fact in self.facts:
            return True
        return False if fact in self.not_so else None


class Verdict(StrEnum):
    """What an answer amounts to, the gravest first. None of them closes, downgrades or re-addresses anything."""

    REFUSED = "refused"  # this act may not be done now; whatever was referred stays
    WARNS = "warns"
    PROPOSES = "proposes"
    ALLOWED = "allowed"


class Message(StrEnum):
    """Why, as a code: pages have a sentence for each, in the reader's language."""

    CERTIFICATE_MISSING = "certificate_missing"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_REVOKED = "certificate_revoked"
    TRAINED_NOT_CERTIFIED = "trained_not_certified"
    CERTIFICATE_HELD = "certificate_held"
    WINDOW_OPEN = "window_open"
    WINDOW_PASSED = "window_passed"
    WINDOW_NOT_KNOWN = "window_not_known"
    NEVER_TOO_LATE_FOR_CARE = "never_too_late_for_care"
    STOCK_THERE = "stock_there"
    STOCK_NONE = "stock_none"
    STOCK_NOT_COUNTED = "stock_not_counted"
    REFERRAL_STILL_NEEDED = "referral_still_needed"
    REFERRAL_THERE = "referral_there"
    GIVEN_BEFORE = "given_before"
    SUGGESTED = "suggested"
    NO_QUEUE = "no_queue"
    CHILD_ADDS = "child_adds"
    AGE_ROUTES = "age_routes"
    ROUTED = "routed"
    ROUTED_FALL_BACK = "routed_fall_back"
    NO_DESK_READY = "no_desk_ready"
    FEE_IS_A_BREACH = "fee_is_a_breach"
    FORM_VERSION_OLD = "form_version_old"
    FORM_NOT_OURS = "form_not_ours"
    STAY_WITHIN_LIMIT = "stay_within_limit"
    STAY_NEEDS_A_PLAN = "stay_needs_a_plan"
    STAY_OVER_LIMIT = "stay_over_limit"
    STAY_OVER_LIMIT_WITHOUT_PLAN = "stay_over_limit_without_plan"
    ANOTHER_MANDATE = "another_mandate"
    MUST_ACCEPT = "must_accept"
    TURNED_AWAY_WITHOUT_RECORD = "turned_away_without_record"
    ACT_IS_BLOCKED = "act_is_blocked"
    SEAT_ABSENT = "seat_absent"
    NEEDED_FIRST = "needed_first"
    MAY_FOLLOW = "may_follow"
    BREACH = "breach"
    FILES_STAY_APART = "files_stay_apart"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rule says, and why. `raises_alarm`: a breach that a post is to see, whatever the verdict."""

    verdict: Verdict
    message: Message
    rule: str  # its id in the profile
    because: tuple[Because, ...] = ()
    is_assumption: bool = False  # rests on something that no published source says: the page says so
    raises_alarm: bool = False
    packages: tuple[ServicePackage, ...] = ()  # proposed
    to_kinds: tuple[str, ...] = ()  # kinds of facility that are proposed
    to_desks: tuple[str, ...] = ()  # facilities that are proposed, the first first
    missing: tuple[str, ...] = ()  # what must be there first: ids of certificates, assets, staff, facts
    until: datetime | None = None  # a deadline that goes with it
    days: int | None = None
