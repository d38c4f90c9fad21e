"""What a replay came to: each indicator by the programme's formula, over what every agency counts from its own records, beside what
the report says. Nothing here knows the caseload: a dose that no record has is in no figure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.simulate.client import Desk
from shared.programmes.indicators import Expected, Indicator, Measure, SeriesKind, WhyExpected
from shared.programmes.profile import Programme
from shared.programmes.tallies import Counted

WHY = {
    WhyExpected.FACT: "fact of the report", WhyExpected.ZERO_TARGET: "zero target", WhyExpected.DESIGN: "our design",
}  # fmt: skip
OF_PLACES = frozenset({Measure.FACILITIES, Measure.DISTRICTS, Measure.STATIONS})  # what the network has; nobody draws it


@dataclass(frozen=True, slots=True)
class Line:
    """One indicator. `met` None: nothing is expected of it. `went_in` says whether what it was counted of were facts."""

    id: str
    name: str
    value: float | None
    expected: float | None
    met: bool | None
    why: str
    source: str
    went_in: str


async def asked(supervisors: Mapping[str, Desk], years: Sequence[int]) -> Counted:
    """What every agency's supervisor is told of these years."""
    answers = [await desk.get(f"/counts?year={year}") for desk in supervisors.values() for year in years]
    return Counted(answers)


def lines_of(programme: Programme, counted: Counted, expect: Mapping[str, Expected] | None = None) -> list[Line]:
    """Each indicator of the programme, those first of which something is expected: of a replay, unless `expect` says what."""
    wanted = programme.expect if expect is None else expect
    ids = [*wanted, *(id_ for id_ in programme.indicators if id_ not in wanted)]
    return [_line(programme, id_, wanted.get(id_), counted) for id_ in ids]


def _line(programme: Programme, id_: str, expected: Expected | None, counted: Counted) -> Line:
    indicator = programme.indicators[id_]
    value = indicator.value(counted)
    return Line(
        id_, indicator.name.in_("en"), value if value is None else round(value, ROUNDED), expected.value if expected else None,
        expected.is_met(value) if expected else None, WHY[expected.why] if expected else "", _source(expected),
        went_in(programme, indicator),
    )  # fmt: skip


ROUNDED = 4  # decimals of a value as it is told; whether it is met is asked of the whole of it


def _source(expected: Expected | None) -> str:
    return "" if expected is None else ", ".join(one.tag for one in expected.because("value"))


def went_in(programme: Programme, indicator: Indicator) -> str:
    """Whether what an indicator is counted of was a fact or made up."""
    of = {one for one in (indicator.of, indicator.over, *indicator.plus, *indicator.minus) if one is not None}
    if of and of <= OF_PLACES:
        kind = programme.facilities.get(indicator.kind or "")
        return "facts" if kind is not None and not kind.is_assumption("count") else "synthetic"
    series = [one for one in programme.replay.values() if one.measure in of]
    return "facts" if of and len(series) == len(of) and all(one.is_ is SeriesKind.FACT for one in series) else "synthetic"


def is_all_met(lines: Sequence[Line]) -> bool:
    """Whether everything that is expected was met."""
    return all(line.met is not False for line in lines)


def as_data(programme: Programme, lines: Sequence[Line]) -> dict[str, Any]:
    """As `--json` prints it."""
    return {
        "id": programme.id,
        "indicators": [
            {"name": line.id, "value": line.value, "expected": line.expected, "met": line.met, "source": line.source}
            for line in lines
        ],
    }


LEGEND = (
    "records: what the agencies' own records come to (shares from 0 to 1); –: nothing to compute it from. report: what is expected,"
    " and by whom: S the programme's report, O another source, D our design; lines without one are told for comparison only."
)


def in_words(lines: Sequence[Line]) -> str:
    """A table: what came out, what the report says, and what each is worth."""
    rows = [("", "records", "report", "", "numbers that went in", "")]
    for line in lines:
        said = f"{line.why}, {line.source}" if line.why else ""
        met = {True: "met", False: "NOT MET", None: ""}[line.met]
        rows.append((line.name, _number(line.value), _number(line.expected) if line.why else "", said, line.went_in, met))
    width = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    right = (1, 2)
    table = "\n".join(
        "  ".join(f"{cell:>{width[at]}}" if at in right else f"{cell:<{width[at]}}" for at, cell in enumerate(row)).rstrip()
        for row in rows
    )
    return f"{table}\n\n{LEGEND}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4g}" if value < 1_000 else f"{value:,.0f}"
