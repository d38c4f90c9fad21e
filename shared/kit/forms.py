"""HTML forms into models: what was typed is kept to be shown again, what is wrong is named by field."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData

FIELDS_MAX = 200  # of one form; the longest page has some sixty
Model = TypeVar("Model", bound=BaseModel)

Values = dict[str, list[str]]


@dataclass(slots=True)
class Filled(Generic[Model]):
    """A form as it was sent: `model` where it is right, `errors` by field where it is not."""

    values: Values = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    model: Model | None = None

    def value(self, name: str, otherwise: str = "") -> str:
        """The last value of a field."""
        found = self.values.get(name)
        return found[-1] if found else otherwise

    def has(self, name: str, value: str) -> bool:
        """Whether a choice is made."""
        return value in self.values.get(name, [])

    def error(self, name: str, sentence: str) -> "Filled[Model]":
        """Names a fault that only the command found."""
        self.errors.setdefault(name, sentence)
        return self


async def read_values(request: Request) -> Values:
    """The fields of a posted form, each with its values in order; what is empty is left out, files are not taken."""
    sent: FormData = await request.form(max_files=0, max_fields=FIELDS_MAX)
    values: Values = {}
    for name, value in sent.multi_items():
        if isinstance(value, str) and value.strip():
            values.setdefault(name, []).append(value.strip())
    return values


def fill(model: type[Model], values: Values, words: Mapping[str, str], given: Mapping[str, Any] | None = None) -> Filled[Model]:
    """Reads a model out of values. `words` says, by field, what is missing or wrong; `given` are fields that no form sets."""
    data: dict[str, Any] = dict(given or {})
    for name, info in model.model_fields.items():
        if name in values and name not in data:
            data[name] = values[name] if _is_many(info.annotation) else values[name][-1]
    try:
        return Filled(values, {}, model.model_validate(data))
    except ValidationError as error:
        errors: dict[str, str] = {}
        for fault in error.errors():
            name = str(fault["loc"][0]) if fault["loc"] else ""
            errors.setdefault(name, words.get(name) or str(fault["msg"]))
        return Filled(values, errors)


def _is_many(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) in (list, tuple, set, frozenset)
