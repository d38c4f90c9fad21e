"""The neutral card: a number, and nothing that tells of police, violence, a name or a day. She decides whether she carries it."""

from dataclasses import dataclass

MARGIN_MM = 9.0
BOX_MM = 24.0  # height of the number's box
LINE_MM = 1.2
LAST_MM = 126.0  # from the top: where the small last line stands


@dataclass(frozen=True, slots=True)
class CardText:
    """What stands on a card, in one language. `place` is empty unless she wants the name of the place on it."""

    title: str
    place: tuple[str, ...]
    say: str
    lines: tuple[str, ...]
    last: str
    is_rtl: bool = False


def spoken(code: str) -> str:
    """The number as it is read aloud: in pairs."""
    return " ".join(code[start : start + 2] for start in range(0, len(code), 2))


def card_pdf(sides: tuple[CardText, ...], code: str) -> bytes:
    """An A6 card, a page for each side. The same words give the same bytes."""
    from shared.kit.pdf import Document  # the library takes a third of a process's start, and most print nothing

    document = Document("A6", margin_mm=MARGIN_MM, is_rtl=sides[0].is_rtl)
    for side in sides:
        document.is_rtl = side.is_rtl
        document.set_text_shaping(use_shaping_engine=True, direction="rtl" if side.is_rtl else "ltr")
        document.add_page()
        document.words(side.title, 17, bold=True, gap_mm=3)
        for line in side.place:
            document.words(line, 14)
        document.ln(3)
        document.words(side.say, 14, gap_mm=3)
        top, width = document.get_y(), document.epw
        document.set_line_width(LINE_MM)
        document.rect(MARGIN_MM, top, width, BOX_MM)
        document.digits(spoken(code), 34, MARGIN_MM, top, width, BOX_MM)
        document.set_xy(MARGIN_MM, top + BOX_MM + 5)
        for line in side.lines:
            document.words(line, 14)
        document.set_y(LAST_MM)
        document.words(side.last, 9.5)
    return document.bytes()
