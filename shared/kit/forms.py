"""HTML forms into models: what was typed is kept to be shown again, what is wrong is named by field."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData

from shared.kit.errors import Said
from shared.kit.i18n import mark as _

FIELDS_MAX = 200  # of one form; the longest page has some sixty
MISSING = _("An answer is missing here.")
WRONG = _("This answer cannot be used; look at it again.")
Model = TypeVar("Model", bound=BaseModel)

Values = dict[str, list[str]]


class Sent(Values):
    """Fields as a page sent them, without those that were empty. `blank` names these: they were cleared, and no default of the page
    stands in for them when it is shown again."""

    def __init__(self, fields: Values, blank: AbstractSet[str]) -> None:
        super().__init__(fields)
        self.blank = blank


@dataclass(slots=True)
class Filled(Generic[Model]):
    """A form as it was sent: `model` where it is right, `errors` by field where it is not."""

    values: Values = field(default_factory=dict)
    errors: dict[str, str | Said] = field(default_factory=dict)
    model: Model | None = None

    def value(self, name: str, otherwise: str = "") -> str:
        """The last value of a field."""
        found = self.values.get(name)
        if found:
            return found[-1]
        return "" if isinstance(self.values, Sent) and name in self.values.blank else otherwise

    def has(self, name: str, value: str) -> bool:
        """Whether a choice is made."""
        return value in self.values.get(name, [])

    def error(self, name: str, sentence: str | Said) -> "Filled[Model]":
        """Names a fault that only the command found: a marked text, or the refusal itself."""
        self.errors.setdefault(name, sentence)
        return self


async def read_values(request: Request) -> Values:
    """The fields of a posted form, each with its values in order; what is empty is left out, files are not taken."""
    sent: FormData = await request.form(max_files=0, max_fields=FIELDS_MAX)
    values: Values = {}
    fields = [(name, value.strip()) for name, value in sent.multi_items() if isinstance(value, str)]
    for name, value in fields:
        if value:
            values.setdefault(name, []).append(value)
    return Sent(values, {name for name, _value in fields} - values.keys())


def fill(model: type[Model], values: Values, words: Mapping[str, str], given: Mapping[str, Any] | None = None) -> Filled[Model]:
    """Reads a model out of values. `words` says, by field, what is missing or wrong; `given` are fields that no form sets."""
    data: dict[str, Any] = dict(given or {})
    for name, info in model.model_fields.items():
        if name in values and name not in data:
            data[name] = values[name] if _is_many(info.annotation) else values[name][-1]
    try:
        return Filled(values, {}, model.model_validate(data))
    except ValidationError as error:
        errors: dict[str, str | Said] = {}
        for fault in error.errors():
            name = str(fault["loc"][0]) if fault["loc"] else ""
            errors.setdefault(name, words.get(name) or _words(fault))
        return Filled(values, errors)


def _words(fault: Any) -> str:
    # The library's own sentences are English and for programs. A rule between fields names itself, for the page to say.
    if not fault["loc"]:
        return str(fault.get("ctx", {}).get("error", ""))
    return MISSING if fault["type"] == "missing" else WRONG


def _is_many(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) in (list, tuple, set, frozenset)
