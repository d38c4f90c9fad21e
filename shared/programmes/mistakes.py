"""What the checks found, in the words of whoever writes a profile: the file, the line, the field, and what to write instead."""

from collections.abc import Iterator, Mapping
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.programmes.reading import Mistake, Text, Way
from shared.programmes.terms import SAID, Part, near, shown
from shared.programmes.vocabulary import RULES

KEY = "[key]"  # how the library marks a mapping's key that is wrong


def mistakes_of(error: ValidationError, text: Text, model: type[Part]) -> list[Mistake]:
    """Every mistake that the models found, in the order of the text."""
    found = dict.fromkeys(_mistakes(error, text, model))
    return sorted(found, key=lambda one: (one.file, one.line))


def _mistakes(error: ValidationError, text: Text, model: type[Part]) -> Iterator[Mistake]:
    for detail in error.errors(include_url=False):
        stands, told, around = _way(detail["loc"], model)
        mark = text.mark(stands)
        yield Mistake(mark.file, mark.line, told, _words(detail, stands[-1] if stands else "", around))


def _way(loc: tuple[int | str, ...], model: type[Part]) -> tuple[Way, Way, Any]:
    """The keys as they stand in the file, without the library's own marks; as people count them; and the type around the last."""
    stands: list[str] = []
    told: list[str] = []
    here: Any = model
    around: Any = model
    for part in loc:
        if part == KEY:
            continue
        if part in RULES and _is_rules(here):
            here = RULES[str(part)]  # the library names the branch that it took
            continue
        is_entry = isinstance(part, int) and get_origin(_bare(here)) is tuple
        stands.append(str(part))
        told.append(f"entry {int(part) + 1}" if is_entry else str(part))
        around, here = here, _inside(here, part)
    return tuple(stands), tuple(told), around


def _is_rules(here: Any) -> bool:
    return any(kind in RULES.values() for kind in get_args(_bare(here)))


def _bare(kind: Any) -> Any:
    """A type without its annotations and without None."""
    while hasattr(kind, "__metadata__"):
        kind = get_args(kind)[0]
    others = [one for one in get_args(kind) if one is not type(None)]
    is_union = get_origin(kind) in (Union, type(int | None))
    return _bare(others[0]) if is_union and len(others) == 1 else kind


def _inside(kind: Any, part: int | str) -> Any:
    """The type of what stands under a key; None where nothing is known of it."""
    kind = _bare(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        by_alias = {field.alias or name: field for name, field in kind.model_fields.items()}
        field = by_alias.get(str(part))
        return field.annotation if field is not None else None
    arguments = get_args(kind)
    if get_origin(kind) is tuple:
        return arguments[0]
    is_mapping = isinstance(get_origin(kind), type) and issubclass(get_origin(kind), Mapping)
    return arguments[1] if is_mapping else None


def _words(detail: ErrorDetails, name: str, around: Any) -> str:
    kind, value = detail["type"], detail["input"]
    if kind == SAID:
        return str(detail["ctx"]["words"])
    if kind == "missing":
        return f"'{name}' is missing; add it" + _hint(name)
    if kind == "extra_forbidden":
        return f"there is no field '{name}' here; {near(name, _fields(around))}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        rule = value.get("rule") if isinstance(value, Mapping) else None
        if rule is None:
            return "it does not say which rule it is; add `rule:` and its name"
        return f"{shown(rule)} is no rule of the vocabulary; {near(rule, list(RULES))}"
    if kind in ("model_type", "model_attributes_type", "dict_type", "mapping_type"):
        return f"{shown(value)} stands where fields are expected; write them beneath, each on a line of its own"
    if kind in ("tuple_type", "list_type"):
        return f"{shown(value)} stands where a list is expected; write it in brackets, as [a, b]"
    if kind == "invalid_key":
        return "a number or an answer stands where a field's name is expected; write the name first"
    if kind == "too_short":
        return "it is empty; it needs one entry at least"
    return f"{shown(value)} cannot be used here; see docs/programmes"


HINTS = {
    "source": ", as `source: S` (the report), `O19` (another published source), `K` (an assumption) or `D` (our design)",
    "posts": ", as `posts: [duty_officer, inspector]`, the lowest first",
}


def _hint(name: str) -> str:
    return HINTS.get(name, "")


def _fields(around: Any) -> list[str]:
    kind = _bare(around)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [field.alias or name for name, field in kind.model_fields.items()]
    return []
