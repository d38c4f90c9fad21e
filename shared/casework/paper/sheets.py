"""Pre-numbered sheets as PDF: boxes to tick and times to write, for a desk without power or line. No name is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.kit.pdf import Document

MARGIN_MM = 14.0
LABEL_MM = 58.0  # width of a row's label
BOX_MM = 5.0
DIGIT_MM = 8.0  # a box for one digit, written by hand
LINE_MM = 5.0  # height of one line of text
GAP_MM = 3.2
BODY_PT = 10.0


@dataclass(frozen=True, slots=True)
class Row:
    """One question of a sheet. `options` are ticked, `digits` are written one in each box, neither is a line to write on."""

    label: str
    options: tuple[str, ...] = ()
    digits: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SheetText:
    """What stands on every sheet of a kind, in one language."""

    title: str
    number: str  # the word before the number
    rules: tuple[str, ...]
    rows: tuple[Row, ...]
    is_rtl: bool = False


def sheets_pdf(text: SheetText, sheets: Sequence[tuple[str, str]]) -> bytes:
    """An A4 leaf for each sheet, given by its number and the name of the place that it was printed for: what does not fit on its
    front stands on its back, under the same number."""
    from shared.kit.pdf import Document  # the library takes a third of a process's start, and most print nothing

    document = Document("A4", margin_mm=MARGIN_MM, is_rtl=text.is_rtl)
    sides = sides_of(Document("A4", margin_mm=MARGIN_MM, is_rtl=text.is_rtl), text, *sheets[0]) if sheets else []
    for number, place in sheets:
        for rows in sides:
            y = _head(document, text, number, place)
            for row in rows:
                y = _row(document, text, row, y)
    return document.bytes()


def sides_of(draft: "Document", text: SheetText, number: str, place: str) -> list[list[Row]]:
    """Which rows stand on which side of the leaf; `draft` is drawn on and thrown away."""
    top = y = _head(draft, text, number, place)
    sides: list[list[Row]] = [[]]
    for row in text.rows:
        end = _row(draft, text, row, y)
        if end > draft.h - MARGIN_MM and sides[-1]:
            sides.append([])
            end = top + end - y
        sides[-1].append(row)
        y = end
    return sides


def _head(document: "Document", text: SheetText, number: str, place: str) -> float:
    """Begins a side; returns where its rows begin."""
    document.add_page()
    width = document.epw
    _write(document, text, MARGIN_MM, MARGIN_MM, width * 0.6, text.title, 18, bold=True)
    _write(document, text, MARGIN_MM, MARGIN_MM + 9, width * 0.6, place, 11)
    box = _from(document, text, MARGIN_MM + width * 0.62, width * 0.38)
    document.set_line_width(0.8)
    document.rect(box, MARGIN_MM, width * 0.38, 16)
    document.digits(number, 19, box, MARGIN_MM, width * 0.38, 16)
    y = MARGIN_MM + 20
    for rule in text.rules:
        y = _write(document, text, MARGIN_MM, y, width, rule, BODY_PT, bold=True)
    return y + GAP_MM


def _row(document: "Document", text: SheetText, row: Row, y: float) -> float:
    document.set_line_width(0.2)
    document.line(MARGIN_MM, y, MARGIN_MM + document.epw, y)
    y += GAP_MM / 2
    label_end = _write(document, text, MARGIN_MM, y, LABEL_MM - 3, row.label, BODY_PT, bold=True)
    x, top, right = MARGIN_MM + LABEL_MM, y, MARGIN_MM + document.epw
    document.set_line_width(0.35)
    for count in row.digits:
        for _ in range(count):
            document.rect(_from(document, text, x, DIGIT_MM), y, DIGIT_MM, DIGIT_MM)
            x += DIGIT_MM
        x += BOX_MM
    y += DIGIT_MM - LINE_MM if row.digits else 0
    document.set_font(document.font_family or "DejaVu", "", BODY_PT)
    for option in row.options:
        wide = document.get_string_width(option) + BOX_MM + 7
        if x + wide > right and x > MARGIN_MM + LABEL_MM:
            x, y = MARGIN_MM + LABEL_MM, y + LINE_MM + GAP_MM
        document.rect(_from(document, text, x, BOX_MM), y, BOX_MM, BOX_MM)
        _write(document, text, x + BOX_MM + 1.5, y, wide, option, BODY_PT)
        x += wide
    if not (row.digits or row.options):
        y += LINE_MM
        document.line(_from(document, text, x, right - x), y, _from(document, text, x, right - x) + right - x, y)
        y -= LINE_MM
    return max(label_end, y + LINE_MM, top + LINE_MM) + GAP_MM


def _from(document: "Document", text: SheetText, x: float, wide: float) -> float:
    """Where something that begins at `x` from the reading side stands on the page."""
    return document.w - x - wide if text.is_rtl else x


def _write(
    document: "Document", text: SheetText, x: float, y: float, wide: float, words: str, points: float, *, bold: bool = False
) -> float:
    document.set_xy(_from(document, text, x, wide), y)
    document.set_font("DejaVu", "B" if bold else "", points)
    document.multi_cell(wide, LINE_MM * points / BODY_PT, words, align="R" if text.is_rtl else "L", new_x="LMARGIN", new_y="NEXT")
    return document.get_y()
