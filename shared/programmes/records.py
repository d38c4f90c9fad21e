"""Record types: registers that an agency keeps for itself, field by field. Nothing of a record crosses to another agency."""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts.casework import codes
from shared.programmes.terms import Count, Days, Id, Named, OneOf, Part, RoleCode, YesNo, said


class FieldType(StrEnum):
    """What a field of a record holds."""

    CHOICE = "choice"  # of its own `choices`, or of a list of codes of the published language
    COUNT = "count"
    DATE = "date"
    MOMENT = "moment"  # a date with its time
    HOURS = "hours"
    YES_NO = "yes_no"
    PLACE = "place"  # a facility of the programme
    STAFF = "staff"  # an account of the agency, by its number
    MARK = "mark"  # a short sign of capitals, digits and -, as the number of a batch: of a thing, never of a person
    LOCAL_TEXT = "local_text"  # sealed, and never crosses
    SIGNATURE = "signature"  # who signed, when, and how


SEALED = frozenset({FieldType.LOCAL_TEXT, FieldType.SIGNATURE})


class CodeList(StrEnum):
    """Lists of codes that a choice may take from the published language."""

    INCIDENT_TYPE = "incident_type"
    INCIDENT_CONTEXT = "incident_context"
    AGE_BAND = "age_band"
    SEX = "sex"
    PACKAGE = "package"
    PRODUCT = "product"
    OUTCOME = "outcome"
    TRAVEL = "travel"
    MILESTONE = "milestone"


CODES_OF: dict[CodeList, tuple[str, ...]] = {
    CodeList.INCIDENT_TYPE: tuple(codes.IncidentType),
    CodeList.INCIDENT_CONTEXT: tuple(codes.IncidentContext),
    CodeList.AGE_BAND: tuple(codes.AgeBand),
    CodeList.SEX: tuple(codes.Sex),
    CodeList.PACKAGE: tuple(codes.ServicePackage),
    CodeList.PRODUCT: tuple(codes.CareProduct),
    CodeList.OUTCOME: tuple(codes.OutcomeCode),
    CodeList.TRAVEL: tuple(codes.TravelMode),
    CodeList.MILESTONE: tuple(codes.ProgressCode),
}


class About(StrEnum):
    """What one entry of a register belongs to."""

    CASE = "case"
    INCIDENT = "incident"
    REFERRAL = "referral"
    STAY = "stay"
    FACILITY = "facility"
    STAFF = "staff"
    NOBODY = "nobody"  # outreach, a call for information


class Readers(Part):
    """Who may read: whoever has one of the roles or holds one of the posts, and, where any are named, one of the certificates.

    Empty roles and posts: everybody of the agency who may see the case."""

    roles: tuple[RoleCode, ...] = ()
    posts: tuple[Id, ...] = ()
    certificates: tuple[Id, ...] = ()
    supervisors: YesNo = True  # of the agency, whatever certificates they hold


class RecordField(Part):
    """One field."""

    label: Named
    type: Annotated[FieldType, BeforeValidator(OneOf(FieldType, "type of a field"))]
    required: YesNo = False
    choices: dict[Id, Named] = Field(default_factory=dict)
    codes: Annotated[CodeList, BeforeValidator(OneOf(CodeList, "list of codes"))] | None = None
    least: Count | None = None
    most: Count | None = None
    readers: Readers | None = None  # narrower than the record's

    @model_validator(mode="after")
    def _whole(self) -> "RecordField":
        mistake = self._mistake()
        if mistake is not None:
            raise mistake
        return self

    def _mistake(self) -> PydanticCustomError | None:
        is_choice = self.type is FieldType.CHOICE
        if is_choice and bool(self.choices) == (self.codes is not None):
            return said("a choice takes either its own `choices` or a list of `codes`, one of the two")
        if not is_choice and (self.choices or self.codes):
            return said(f"a field of type {self.type} has no choices; write `type: choice`, or leave them out")
        if (self.least, self.most) != (None, None) and self.type not in {FieldType.COUNT, FieldType.HOURS}:
            return said(f"a field of type {self.type} has no least and most; only a count, or hours, has")
        if self.least is not None and self.most is not None and self.least > self.most:
            return said(f"its least, {self.least}, is more than its most, {self.most}")
        return None

    @property
    def is_sealed(self) -> bool:
        """Whether it is kept under the case's key."""
        return self.type in SEALED

    @property
    def options(self) -> tuple[str, ...]:
        """The codes that may be chosen."""
        return tuple(self.choices) if self.codes is None else CODES_OF[self.codes]


class RecordType(Part):
    """One register of one agency. Some the software keeps itself, as the register of complaints or of what police give: their pages
    ask what they always ask, so that the fields of these are for whoever reads the profile, and change nothing. `refnet programme
    validate` names them."""

    name: Named
    agency: Id
    about: Annotated[About, BeforeValidator(OneOf(About, "thing that a record is about"))]
    kept_at: tuple[Id, ...] = ()  # kinds of facility; empty: all of its agency
    fields: dict[Id, RecordField] = Field(min_length=1)
    readers: Readers = Readers()
    writers: Readers | None = None  # None: whoever reads
    apart_from: tuple[Id, ...] = ()  # registers that no screen shows beside it, and that nothing links to it
    keep_days: Days | None = None
    numbered: YesNo = False  # each entry has a number of its own, so that a gap shows
