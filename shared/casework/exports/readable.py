"""The part of a file that people read: a court, a ministry, the survivor herself. What programs read comes after it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.casework.cases.looks import ReadView
from shared.casework.exports.domain import Reader
from shared.casework.exports.tables import Export
from shared.casework.figures.commands import Table
from shared.casework.figures.domain import HIDDEN, PLACE, TOTAL, group_of
from shared.casework.figures.programme import Programme, written
from shared.kit.i18n import mark as _

Lines = list[Sequence[object]]

FIRST = _("To be read. What programs read comes after it, line by line, with times of UTC.")
HANDED_OUT = _("Handed out by %(name)s, %(agency)s, on %(when)s.")
WHAT_FOR = _("For: %(purpose)s. %(because)s")
AGREED = _("Agreed that %(who)s may know: %(items)s.")
TAKEN_BACK = _("Took back what %(who)s may know.")
REFUSED = _("Said no: %(who)s is told nothing.")
LOOKED = _("%(who)s, staff number %(staff)s: %(what)s")
BEYOND = _("Beyond the own place, in an emergency.")
NOT_NAMED = _("Whoever looked is named by role, place and staff number; ask the agency about each of them.")
NOT_NOUGHT = _("%(sign)s is a number that is hidden because it is small, or would give a small one away. It is not nought.")
REPORTS = _("Reports, not prevalence: how many came and were told of, not how much happens.")
STAYS = _("%(sign)s is a number that stays at the agency: %(count)s here. What is of people leaves only as it was released.")
TOGETHER = _("Together")
WITHHELD = _("Nothing of this is published for this period: there were too few to hide among.")


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened, for people and for programs: what, who, more."""

    at: datetime
    words: str
    codes: tuple[str, str, str]


def heading(reader: Reader, export: Export, name: str, agency: str, about: str) -> Lines:
    """What the file is, for whom and by whom."""
    purpose = reader.word(export.purpose, "purpose")
    return [
        [reader.say(FIRST)],
        [f"{reader.word(export.what, 'export')}: {about}"],
        [reader.say(HANDED_OUT, name=name, agency=agency, when=reader.when(export.made_at))],
        [reader.say(WHAT_FOR, purpose=purpose, because=export.because)],
    ]


def consent_words(reader: Reader, what: str, recipient: str, items: Iterable[str]) -> str:
    """What she said about one agency."""
    sentence = {"agreed": AGREED, "taken back": TAKEN_BACK, "refused": REFUSED}[what]
    listed = "; ".join(reader.word(item, "item") for item in items)
    return reader.say(sentence, who=reader.agency(recipient), items=listed)


def look_words(reader: Reader, row: ReadView) -> str:
    """Who looked and how, by role, place and staff number."""
    what = reader.word(row.what, "look")
    if row.why:
        what += f" ({reader.word(row.why, 'why')})"
    who = f"{reader.word(row.role, 'role')}, {reader.place(row.facility)}"
    said = reader.say(LOOKED, who=who, staff=reader.staff(row.staff), what=what)
    return f"{said} {reader.say(BEYOND)}" if row.beyond else said


def looks(reader: Reader, lines: Iterable[Line]) -> Lines:
    """What she said and who looked, oldest first."""
    return [[reader.say(NOT_NAMED)], *([reader.when(line.at), line.words] for line in lines)]


def figures(reader: Reader, tables: Iterable[Table]) -> Lines:
    """Totals, and one dimension at a time; what two of them share is for programs."""
    found: Lines = [[reader.say(REPORTS)], [reader.say(NOT_NOUGHT, sign=HIDDEN)]]
    for table in tables:
        if table.values is None:
            found.append([reader.word(table.id, "cube"), reader.say(WITHHELD)])
            continue
        found.append([reader.word(table.id, "cube"), reader.say(TOGETHER), number(table.values[TOTAL])])
        for dimension, categories in table.categories.items():
            named = [(called(reader, dimension, one), table.values[f"{dimension}={one}"]) for one in categories]
            ordered = sorted(named) if dimension == PLACE else named  # by their names: nothing here ranks them
            found += [[reader.word(dimension, "dimension"), name, number(value)] for name, value in ordered]
    return found


def programme(reader: Reader, found: Programme) -> Lines:
    """A programme's indicators that may leave, and how many stay."""
    there = [one for one in found.lines if one.leaving is not None]
    lines: Lines = [[reader.say(REPORTS)], [reader.say(STAYS, sign=HIDDEN, count=len(found.lines) - len(there))]]
    return lines + [[str(one.indicator.name), written(one.leaving, one.indicator.formula)] for one in there]


def called(reader: Reader, dimension: str, category: str) -> str:
    """A category in words."""
    return reader.place(category) if dimension == PLACE else reader.word(category, group_of(dimension, category))


def number(value: int | None) -> str:
    """A number, or the sign of one that is hidden."""
    return HIDDEN if value is None else str(value)
