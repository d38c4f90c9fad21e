"""The routing list on paper, for an outage: for each district the desks in the order of the chain, with their telephones."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.police.hotline.domain import Caller, Desk, in_order
from shared.casework.here import Here

MARGIN_MM = 16.0
LAST_MM = 272.0  # from the top: where a page ends
BLOCK_MM = 9.0  # a district's name
LINE_MM = 6.0
NEXT_DESKS = 3  # beyond the district's own: who telephones down a list longer than that calls the supervisor


@dataclass(frozen=True, slots=True)
class District:
    """A district, with its desks as they are called: name and telephone."""

    name: str
    desks: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ListText:
    """What stands on the list, in one language."""

    title: str
    rules: tuple[str, ...]
    districts: tuple[District, ...]
    no_number: str
    end: str
    is_rtl: bool = False


def chain(here: Here, desks: Sequence[Desk], district: str) -> list[str]:
    """The desks of a district, then the next ones, whoever is on duty: a list on paper is for days."""
    ordered = in_order(here.programme, desks, Caller(district))
    own = [desk.id for desk in ordered if desk.now.district == district]
    return [*own, *[desk.id for desk in ordered if desk.now.district != district][:NEXT_DESKS]]


def list_pdf(text: ListText) -> bytes:
    """An A4 list. The same network gives the same bytes; nobody is named in it."""
    from shared.kit.pdf import Document  # the library takes a third of a process's start, and most print nothing

    document = Document("A4", margin_mm=MARGIN_MM, is_rtl=text.is_rtl)
    document.add_page()
    document.words(text.title, 18, bold=True, gap_mm=3)
    for rule in text.rules:
        document.words(rule, 11, gap_mm=1)
    for district in text.districts:
        if document.get_y() + BLOCK_MM + LINE_MM * (len(district.desks) + 1) > LAST_MM:
            document.add_page()
        document.ln(3)
        document.words(district.name, 12, bold=True)
        for number, (name, phone) in enumerate(district.desks, 1):
            document.words(f"{number}. {name}: {phone or text.no_number}", 11)
    document.ln(4)
    document.words(text.end, 10)
    return document.bytes()
