"""Writes the vocabulary of docs/programmes/README.md from the models themselves, so that the page cannot say what they do not.

`python -m shared.programmes.handbook` writes it again; a test compares. What a field is for stands as a comment beside it in the
model, and is taken from there.
"""

import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from shared.programmes import asked, care, indicators, places, records, staff, vocabulary
from shared.programmes.profile import Programme
from shared.programmes.references import REFERS
from shared.programmes.terms import Act, Fact, Number, OneOf, Part, Sourced, Words

PAGE = Path(__file__).parents[2] / "docs" / "programmes" / "README.md"
BEGIN, END = "<!-- written by shared.programmes.handbook -->", "<!-- as far as here -->"
PARTS: tuple[type[Part], ...] = (
    Programme, places.Agency, places.Mandate, places.Agreement,
    places.FacilityKind, places.Place, places.Journey, places.Asset, staff.StaffRole,
    staff.Certificate, places.Readiness, places.Hotline, care.PackageHere, care.Pathway, care.When, care.Limits, care.ByUrgency,
    care.TimeBefore, care.TimeAfter, care.Window, care.VisitsAfterCare, care.ReportForm, records.RecordType,
    records.RecordField, records.Readers, indicators.Indicator, indicators.Alarm, indicators.Expected, indicators.Series,
)  # fmt: skip
LISTS: tuple[type[StrEnum], ...] = (
    Act, Fact, records.FieldType, records.CodeList, records.About, places.FallBack, places.RoutingKey, indicators.Formula,
    indicators.Measure, indicators.Duration, indicators.Comparison,
)  # fmt: skip


def written() -> str:
    """The whole vocabulary, as Markdown."""
    return "\n".join([*_parts(), *_rules(), *_lists()])


def page(text: str) -> str:
    """A page with its vocabulary written anew; what stands around it stays."""
    before, _begin, rest = text.partition(BEGIN)
    _old, _end, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{written()}\n{END}{after}"


def _parts() -> Iterator[str]:
    yield "## The pieces, and their fields\n"
    yield "Fields in **bold** must be there. A piece with `source` must say where its figures come from.\n"
    for part in PARTS:
        yield f"### {part.__name__}\n\n{_told(part)}\n"
        yield from _table(part)
        if part is care.When:
            yield from _lines()


def _lines() -> Iterator[str]:
    """Which lines of a condition are known where it is asked."""
    general = _codes(asked.IN_GENERAL)
    yield f"Beside facts, a pathway and a rule without `act` know {general}. A rule with an `act` knows:\n"
    by_lines: dict[frozenset[str], list[Act]] = {}
    for act in Act:
        by_lines.setdefault(asked.LINES_AT.get(act, frozenset()), []).append(act)
    for lines, acts in by_lines.items():
        yield f"- at {_codes(acts)}: {_codes(lines) if lines else 'none of them'}"
    yield ""


def _codes(codes: Iterable[str]) -> str:
    return ", ".join(f"`{code}`" for code in sorted(codes))


def _rules() -> Iterator[str]:
    yield "## The rules\n"
    yield "Each stands under `rules:` with a name of its own: `rule:`, its parameters, `source`, and `explained` if that helps."
    yield "With `safeguard: true` no profile that extends this one changes it.\n"
    for name, rule in vocabulary.RULES.items():
        yield f"### `{name}`\n\n{_told(rule)}\n"
        yield from _table(rule, leave_out=("rule", "source", "explained", "safeguard"))
        if rule in asked.ACTS:
            yield f"`act` is one of {_codes(asked.ACTS[rule])}.\n"


def _lists() -> Iterator[str]:
    yield "## The closed lists\n"
    yield "Kinds of agency, packages, incidents, ages and the like are the codes of `shared/contracts/casework/codes.py`.\n"
    for codes in LISTS:
        comments = _comments(codes)
        yield f"### {codes.__name__}\n\n{_told(codes)}\n"
        for code in codes:
            said = [comments[code.name]] if code.name in comments else []
            said += [_told_at(code)] if isinstance(code, Fact) else []
            yield f"- `{code}`{': ' if said else ''}{'; '.join(said)}"
        yield ""


def _told_at(fact: Fact) -> str:
    """Where a condition may name it."""
    acts = [act for act, facts in asked.TOLD_AT.items() if fact in facts]
    breaches = [act for act, facts in asked.TOLD_OF_A_BREACH.items() if fact in facts]
    said = [f"at {_codes(acts)}"] if acts else []
    said += [f"in a `breach_when` at {_codes(breaches)}"] if breaches else []
    return " and ".join(said) or "no condition names it"


def _table(part: type[Part], leave_out: tuple[str, ...] = ()) -> Iterator[str]:
    comments = _comments(part)
    fields = [(name, field) for name, field in part.model_fields.items() if name not in leave_out]
    if issubclass(part, Sourced) and "source" not in leave_out:
        fields = [one for one in fields if one[0] != "source"] + [one for one in fields if one[0] == "source"]
    if not fields:
        yield "No parameters.\n"
        return
    yield "| field | holds | |\n|---|---|---|"
    for name, field in fields:
        shown = f"`{field.alias or name}`"
        yield f"| {f'**{shown}**' if field.is_required() else shown} | {_holds(part, name, field)} | {comments.get(name, '')} |"
    yield ""


def _told(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())


def _comments(kind: type) -> dict[str, str]:
    """What stands beside each field or code in the source."""
    lines = inspect.getsource(kind).splitlines()
    found: dict[str, str] = {}
    for number, line in enumerate(lines):
        match = re.match(r"\s+(\w+)(?::| =) ?[^#]*?(?:  # (.+))?$", line)
        if match is None:
            continue
        above = lines[number - 1].strip() if number else ""
        said = match[2] or (above[2:] if above.startswith("# ") else None)
        if said and not said.startswith(("noqa", "fmt", "type:")):
            found[match[1]] = said.replace("|", "\\|").replace("None:", "left out:")
    return found


def _holds(part: type[Part], name: str, field: FieldInfo) -> str:
    if name == "source":
        return "where it comes from"
    told = _words([*field.metadata], field.annotation)
    noun, _where = REFERS.get(part, {}).get(field.alias or name, ("", ""))
    return told.replace(A_NAME, f"the name of {_a(noun)}") if noun else told


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _words(metadata: list[Any], kind: Any) -> str:
    for reader in (getattr(one, "func", None) for one in metadata):
        if isinstance(reader, Number):
            return _a(reader.noun)
        if isinstance(reader, OneOf):
            return _a(reader.noun) if len(reader.codes) > _FEW else " or ".join(f"`{code}`" for code in reader.codes)
        if getattr(reader, "__qualname__", "") in _SHAPES:
            return _SHAPES[reader.__qualname__]  # type: ignore[union-attr]
        if inspect.isfunction(reader) and "sentence" in (held := inspect.getclosurevars(reader).nonlocals):
            asked = str(held["sentence"]).split("; write ")[-1].replace("|", "\\|")
            return A_NAME if asked.endswith(" as vsu_station") else asked
    return _of_kind(kind)


A_NAME = "a short name"
_FEW = 4  # codes that a table lists
_SHAPES = {
    "_words": "a text, or one for each language", "_text": "a text", "_yes_no": "`true` or `false`",
    "_zone": "the IANA name of a time zone", "_day": "a day, as 2010-03-31",
    "_asked_for": "30, 91, 182, 365 or null", "_period": "its first and last year",
}  # fmt: skip


def _of_kind(kind: Any) -> str:
    metadata = list(getattr(kind, "__metadata__", ()))
    if metadata:
        return _words(metadata, get_args(kind)[0])
    origin, arguments = get_origin(kind), [one for one in get_args(kind) if one is not type(None)]
    if origin is tuple:
        return f"a list: each {_of_kind(arguments[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"by {_of_kind(arguments[0]).removeprefix('a ')}: {_of_kind(arguments[1])}"
    if origin is Literal:
        return f"`{arguments[0]}`"
    if isinstance(kind, type) and issubclass(kind, Part):
        return "a text, or one for each language" if kind is Words else f"[{kind.__name__}](#{kind.__name__.lower()})"
    if len(arguments) == 1:
        return _of_kind(arguments[0])
    return "one of [the rules](#the-rules)" if arguments else str(kind)


def main() -> None:
    """Writes the page again."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is written again.\n")


if __name__ == "__main__":
    main()
