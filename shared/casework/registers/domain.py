"""What a register of a profile takes: each field read by its type, and who reads and writes it. Pure rules over the profile."""

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from shared.contracts.casework.codes import Role
from shared.kit.i18n import mark as _
from shared.programmes.profile import Programme
from shared.programmes.records import About, FieldType, Readers, RecordField, RecordType

TEXT_MAX = 2_000  # characters of one local text, as of a note
NAME_MAX = 80  # of whoever signs
COUNT_MAX = 1_000_000  # where the profile gives no most
MARK = re.compile(r"[A-Z0-9][A-Z0-9-]{0,29}")
OF_A_CASE = frozenset({About.CASE, About.INCIDENT, About.REFERRAL, About.STAY})
# A sentence for whatever does not fit its type.
WRONG: Mapping[FieldType, str] = {
    FieldType.CHOICE: _("Choose one of what the register offers."),
    FieldType.COUNT: _("Type a whole number that the register allows."),
    FieldType.DATE: _("Type the day: year, month, day."),
    FieldType.MOMENT: _("Type both the day and the time, such as 08:15."),
    FieldType.HOURS: _("Type a number of hours that the register allows."),
    FieldType.YES_NO: _("Answer yes or no."),
    FieldType.PLACE: _("Choose a place of this network."),
    FieldType.STAFF: _("Choose a colleague."),
    FieldType.MARK: _("Type the mark as it stands on the thing: capitals, digits and -."),
    FieldType.LOCAL_TEXT: _("Shorten the text, or write it as text."),
    FieldType.SIGNATURE: _("Type who signed."),
}


class DoesNotFit(ValueError):
    """A field's value is none of its type; `field` names it, and `kind` is None where it is missing."""

    def __init__(self, field: str, kind: FieldType | None) -> None:
        super().__init__(field)
        self.field, self.kind = field, kind


@dataclass(frozen=True, slots=True)
class Held:
    """What an account is, for a register: the posts that it holds now and the certificates that are valid."""

    posts: frozenset[str] = frozenset()
    certificates: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """What is there to be named: places as agency/facility, and colleagues by their accounts."""

    places: Collection[str]
    staff: Collection[UUID]


def registers_of(programme: Programme, agency: str, apart: Collection[str]) -> Mapping[str, RecordType]:
    """The registers that an agency keeps here: those of the profile but for what a feature of its own keeps."""
    return {id_: record for id_, record in programme.records_of(agency).items() if id_ not in apart}


def has_registers(programme: Programme, agency: str, apart: Collection[str]) -> bool:
    """Whether there is one that is of no case: those of cases stand with each case."""
    return any(one.about not in OF_A_CASE for one in registers_of(programme, agency, apart).values())


def may(readers: Readers, role: Role, held: Held) -> bool:
    """Whether somebody is among the readers (or writers) of a register or of a field."""
    if role is Role.ADMINISTRATOR:
        return False
    if readers.supervisors and role is Role.SUPERVISOR:
        return True
    is_named = not (readers.roles or readers.posts) or role in readers.roles or bool(held.posts & set(readers.posts))
    return is_named and (not readers.certificates or bool(held.certificates & set(readers.certificates)))


def may_write(record: RecordType, role: Role, held: Held) -> bool:
    """Whoever writes reads; the profile may name fewer."""
    return may(record.readers, role, held) and (record.writers is None or may(record.writers, role, held))


def readable(record: RecordType, role: Role, held: Held) -> Mapping[str, RecordField]:
    """The fields of a register that somebody may see."""
    return {id_: one for id_, one in record.fields.items() if one.readers is None or may(one.readers, role, held)}


def read_fields(fields: Mapping[str, RecordField], said: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """An entry as it is kept; raises DoesNotFit with the first field that is missing, foreign or none of its type."""
    foreign = sorted(set(said) - set(fields))
    if foreign:
        raise DoesNotFit(foreign[0], None)
    kept: dict[str, Any] = {}
    for id_, one in fields.items():
        value = said.get(id_)
        if value is None:
            if one.required:
                raise DoesNotFit(id_, None)
            continue
        try:
            kept[id_] = _READ[one.type](one, value, known)
        except (ValueError, TypeError, OverflowError):
            raise DoesNotFit(id_, one.type) from None
    return kept


def _if(is_right: bool, value: Any) -> Any:
    if not is_right:
        raise ValueError
    return value


def _choice(one: RecordField, value: Any, _known: Known) -> str:
    return str(_if(isinstance(value, str) and value in one.options, value))


def _number(one: RecordField, value: Any) -> Any:
    least, most = one.least or 0, one.most if one.most is not None else COUNT_MAX
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return _if(is_number and least <= value <= most, value)


def _count(one: RecordField, value: Any, _known: Known) -> int:
    return int(_if(_number(one, value) == int(value), value))


def _hours(one: RecordField, value: Any, _known: Known) -> float:
    return float(_number(one, value))


def _date(_one: RecordField, value: Any, _known: Known) -> str:
    return date.fromisoformat(str(value)).isoformat()


def _moment(_one: RecordField, value: Any, _known: Known) -> str:
    at = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return str(_if(at.tzinfo is not None, at).astimezone(UTC).isoformat())


def _yes_no(_one: RecordField, value: Any, _known: Known) -> bool:
    return bool(_if(isinstance(value, bool), value))


def _place(_one: RecordField, value: Any, known: Known) -> str:
    return str(_if(value in known.places, value))


def _staff(_one: RecordField, value: Any, known: Known) -> str:
    return str(_if(UUID(str(value)) in known.staff, value))


def _mark(_one: RecordField, value: Any, _known: Known) -> str:
    return str(_if(isinstance(value, str) and MARK.fullmatch(value) is not None, value))


def _text(_one: RecordField, value: Any, _known: Known) -> str:
    return str(_if(isinstance(value, str) and 0 < len(value.strip()) <= TEXT_MAX, value)).strip()


def _signature(_one: RecordField, value: Any, _known: Known) -> str:
    return str(_if(isinstance(value, str) and 0 < len(value.strip()) <= NAME_MAX, value)).strip()


_READ: Mapping[FieldType, Callable[[RecordField, Any, Known], Any]] = {
    FieldType.CHOICE: _choice, FieldType.COUNT: _count, FieldType.DATE: _date, FieldType.MOMENT: _moment,
    FieldType.HOURS: _hours, FieldType.YES_NO: _yes_no, FieldType.PLACE: _place, FieldType.STAFF: _staff,
    FieldType.MARK: _mark, FieldType.LOCAL_TEXT: _text, FieldType.SIGNATURE: _signature,
}  # fmt: skip
