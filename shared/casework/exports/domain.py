"""What a file may be handed out for, and how it is written: cells that no spreadsheet runs, and who took it in every line."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

RUNS = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "＝",
    "＋",
    "－",
    "＠",
)  # what a spreadsheet takes for a formula (OWASP, CSV injection)
SENTENCE_CHARACTERS_MIN = 10  # "for court" is not a reason that somebody can look at later
SENTENCE_CHARACTERS_MAX = 300
WRITTEN_AS_TEXT = "'"  # before such a cell: it is text then


@dataclass(frozen=True, slots=True)
class Reader:
    """How a file speaks to whoever reads it: texts and codes in words of one language, places and agencies by their names, times on
    the clock here with their zone."""

    say: Callable[..., str]  # a marked text, with what is put into it
    word: Callable[[object, str], str]  # the word for a code of a group
    place: Callable[[str | None], str]
    agency: Callable[[str], str]
    when: Callable[[datetime], str]
    staff: Callable[[UUID], str]  # an account's number, as the sheet of who looked has it


class What(StrEnum):
    """What a file holds."""

    FIGURES = "figures"  # released tables
    PROGRAMME = "programme"  # a programme's indicators, as far as they may leave
    COLLECTED = "collected"  # at the oversight body: released tables of every agency
    LOOKS = "looks"  # who was told of a case and who looked at it: hers to ask for
    BUNDLE = "bundle"  # a case's custody bundle
    EVIDENCE = "evidence"  # what other agencies signed and cannot stand by
    HELD = "held"  # what is held of a case, opened by two holders of the escrow


class Purpose(StrEnum):
    """What a file is handed out for."""

    MONTHLY_REPORT = "monthly_report"
    OVERSIGHT = "oversight"
    PLANNING = "planning"
    SHE_ASKED = "she_asked"
    COURT_ORDER = "court_order"
    COMPLAINT = "complaint"


PURPOSES = {
    What.FIGURES: (Purpose.MONTHLY_REPORT, Purpose.OVERSIGHT, Purpose.PLANNING),
    What.PROGRAMME: (Purpose.MONTHLY_REPORT, Purpose.OVERSIGHT, Purpose.PLANNING),
    What.COLLECTED: (Purpose.MONTHLY_REPORT, Purpose.PLANNING),
    What.BUNDLE: (Purpose.COURT_ORDER, Purpose.COMPLAINT, Purpose.SHE_ASKED),
    What.EVIDENCE: (Purpose.COURT_ORDER, Purpose.COMPLAINT),
    What.HELD: (Purpose.COURT_ORDER, Purpose.COMPLAINT, Purpose.SHE_ASKED),
    What.LOOKS: (Purpose.SHE_ASKED, Purpose.COURT_ORDER, Purpose.COMPLAINT),
}


def safe_cell(value: object) -> str:
    """A value as a cell that stays what it is, whatever opens the file."""
    text = str(value)
    return WRITTEN_AS_TEXT + text if text.lstrip(" ").startswith(RUNS) else text


def csv_file(
    read: Sequence[Sequence[object]], mark: Sequence[tuple[str, object]], lines: Iterable[Sequence[object]], export_id: object
) -> bytes:
    """A CSV file: what people read first, then its mark and its lines for programs, each with the export's id at its end, so that a
    part that is cut out or printed still says where it is from."""
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    for line in (*read, *mark, *lines):
        writer.writerow([*(safe_cell(cell) for cell in line), str(export_id)])
    return written.getvalue().encode("utf-8-sig")  # spreadsheets take a file without the mark for Latin letters
