"""Makes a file for somebody outside: marked, encrypted to the key of whoever shall read it, and one row in the log of who did what.

Nothing here gives a file in the clear.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.accounts.tables import Account
from shared.casework.cases.commands import load_case
from shared.casework.cases.looks import ReadView, access_log
from shared.casework.cases.views import note_read
from shared.casework.consents.tables import Consent, Refusal
from shared.casework.exports import readable
from shared.casework.exports.domain import PURPOSES, Purpose, Reader, What, csv_file
from shared.casework.exports.tables import Export, ExportFile
from shared.casework.figures.commands import Table, release_calls, release_of, tables_of
from shared.casework.figures.counting import Count
from shared.casework.figures.domain import HIDDEN, Period, keys_of
from shared.casework.figures.leaving import of_places
from shared.casework.figures.programme import programme_of, written
from shared.casework.here import Actor, Here
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.ids import new_id
from shared.programmes.indicators import Measure

FILE_KEPT = timedelta(minutes=15)  # to fetch it, and to fetch it again; only its recipient can read it
EXPORTS_MAX = 50  # of one list; a month has a few
LOOKS_PAGE = 1_000  # looks read at once
LOOK = "export"  # what the log of who looked says of it


class NoKey(ValueError):
    """What was typed is no public key of age."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants a file for, in a code and a sentence, and the public key of whoever shall read it."""

    purpose: Purpose
    because: str
    recipient_key: str


def encrypted(content: bytes, recipient_key: str) -> bytes:
    """A file that only the holder of the key's private half can read (age, X25519); raises NoKey."""
    import pyrage  # kept out of processes that never export

    try:
        recipient = pyrage.x25519.Recipient.from_str(recipient_key.strip())
    except pyrage.RecipientError as error:
        raise NoKey from error
    found: bytes = pyrage.encrypt(content, [recipient])
    return found


async def export_figures(tx: Transaction, here: Here, by: Actor, of: Period, wish: Wish, reader: Reader) -> Export:
    """A file of the newest released tables of a period; raises Forbidden, NotFound, NoKey."""
    by.may_let_out()
    release = await release_of(tx, of)
    if release is None:
        raise NotFound("The figures of this period have not been released; release them first.")
    lines: list[Sequence[object]] = [("cube", "dimension", "is", "and", "is", "number")]
    tables = list(tables_of(release.shown).values())
    lines += [line for table in tables for line in lines_of(table)]
    export = export_row(tx, by, What.FIGURES, wish, period=of.name)
    about = [("period", of.name), ("release", release.number), ("hidden", f"{HIDDEN} is a hidden number; it is not nought")]
    read = [*readable.heading(reader, export, by.name, here.entry.name, of.name), *readable.figures(reader, tables)]
    return await make_export(tx, here, by, export, about, lines, read)


async def export_programme(
    tx: Transaction, here: Here, by: Actor, counts: Sequence[Count], of: Period, wish: Wish, reader: Reader
) -> Export:
    """A file of a programme's indicators, as far as they may leave, of the whole agency; raises Forbidden, NoKey."""
    by.may_let_out()
    await tx.in_turn("figures")
    found = await programme_of(tx, here, counts, of)
    if found.calls is not None:
        await release_calls(tx, by, of, found.calls)
    lines: list[Sequence[object]] = [("what", "id", "place", "number", "expected")]
    for one in found.lines:
        number = written(one.leaving, one.indicator.formula)
        expected = f"{one.expected.value:g}" if one.expected is not None else ""
        lines.append(("indicator", one.id, "", HIDDEN if number is None else number, expected))
    lines += [("measure", measure, at.place or at.kind or "", number, "") for measure, at, number in of_places(here, found.counts)]
    lines += [("measure", one, "", HIDDEN if number is None else number, "") for one, number in found.known.items()]
    lines += [("measure", Measure.CALLS, "", found.calls.calls, "")] if found.calls is not None else []
    export = export_row(tx, by, What.PROGRAMME, wish, period=of.name)
    about = [("period", of.name), ("programme", here.programme.id), ("stays", f"{HIDDEN} is a number that stays at the agency")]
    read = [*readable.heading(reader, export, by.name, here.entry.name, of.name), *readable.programme(reader, found)]
    return await make_export(tx, here, by, export, about, lines, read)


def lines_of(table: Table) -> list[Sequence[object]]:
    """A line a number, in the order in which the tables stand on the page."""
    if table.values is None:
        return [(table.id, "withheld", "", "", "", HIDDEN)]
    found: list[Sequence[object]] = []
    for key in keys_of(table.chain, table.categories):
        parts = [part for pair in key.split("|") for part in pair.split("=", 1)] if key else ["total"]
        number = table.values[key]
        found.append((table.id, *parts, *[""] * (4 - len(parts)), HIDDEN if number is None else number))
    return found


async def export_looks(tx: Transaction, here: Here, by: Actor, case_id: UUID, wish: Wish, reader: Reader) -> Export:
    """A file of who was told of a case and who looked at it or tried to, by role and not by name, oldest first.

    Raises Forbidden, also to whoever has the case open in an emergency alone, NotFound, NoKey.
    """
    case = await load_case(tx, case_id, by)
    scope.not_as_guest(by, case.facility, case.id)
    by.may_let_out()
    found = await _asked(tx, case_id, reader)
    found += [
        readable.Line(
            row.read_at, readable.look_words(reader, row),
            ("looked", row.role, " ".join(filter(None, (row.what, row.why, "beyond" if row.beyond else None)))),
        )
        for row in await _looked(tx, here, case_id)
    ]  # fmt: skip
    found.sort(key=lambda line: line.at)
    lines: list[Sequence[object]] = [("when", "what", "who", "more")]
    lines += [(line.at.isoformat(), *line.codes) for line in found]
    await note_read(tx, case_id, by, LOOK)
    export = export_row(tx, by, What.LOOKS, wish, case_id=case_id)
    read = [*readable.heading(reader, export, by.name, here.entry.name, case.number), *readable.looks(reader, found)]
    return await make_export(tx, here, by, export, [("case", case.number)], lines, read)


async def _looked(tx: Transaction, here: Here, case_id: UUID) -> list[ReadView]:
    """Who looked, and who tried to, oldest first."""
    found, rest = await access_log(tx, here, case_id, None, LOOKS_PAGE)
    while rest is not None:
        more, rest = await access_log(tx, here, case_id, rest, LOOKS_PAGE)
        found += more
    return found[::-1]


async def _asked(tx: Transaction, case_id: UUID, reader: Reader) -> list[readable.Line]:
    """What she agreed to, took back and refused."""
    found: list[tuple[datetime, str, str, Sequence[str]]] = []
    for consent in (await tx.session.execute(select(Consent).where(col(Consent.case_id) == case_id))).scalars():
        found.append((consent.given_at, "agreed", consent.recipient, consent.items))
        if consent.taken_back_at is not None:
            found.append((consent.taken_back_at, "taken back", consent.recipient, ()))
    refusals = (await tx.session.execute(select(Refusal).where(col(Refusal.case_id) == case_id))).scalars()
    found += [(refusal.said_at, "refused", refusal.recipient, ()) for refusal in refusals]
    return [
        readable.Line(at, readable.consent_words(reader, what, recipient, items), (what, recipient, " ".join(items)))
        for at, what, recipient, items in found
    ]


def export_row(tx: Transaction, by: Actor, what: What, wish: Wish, **of: Any) -> Export:
    """The row of a file that is to be made; raises Conflict where it is not handed out for that."""
    if wish.purpose not in PURPOSES[what]:
        raise Conflict("A file of this kind is not handed out for that; choose another purpose.")
    return Export(
        id=new_id(), account_id=by.account_id, what=what, purpose=wish.purpose, because=wish.because,
        recipient_key=wish.recipient_key.strip(), digest="", made_at=tx.clock.now(), **of,
    )  # fmt: skip


async def encrypt_export(tx: Transaction, export: Export, content: bytes) -> bytes:
    """The file of a row, for its recipient alone; the row is kept with the file's digest. Raises NoKey."""
    file = encrypted(content, export.recipient_key)
    export.digest = hashlib.sha256(file).hexdigest()
    tx.session.add(export)
    await tx.session.flush()
    return file


async def make_export(
    tx: Transaction,
    here: Here,
    by: Actor,
    export: Export,
    about: Sequence[tuple[str, object]],
    lines: Sequence[Sequence[object]],
    read: Sequence[Sequence[object]],
) -> Export:
    """Makes the file of a row and keeps it, encrypted; raises NoKey."""
    mark = [
        ("export", export.id), ("agency", here.entry.name), ("handed out by", by.name), ("at", export.made_at.isoformat()),
        ("for", export.purpose), ("because", export.because), *about,
    ]  # fmt: skip
    file = await encrypt_export(tx, export, csv_file(read, mark, lines, export.id))
    now = tx.clock.now()
    await tx.session.execute(delete(ExportFile).where(col(ExportFile.kept_until) <= now))
    tx.session.add(ExportFile(export_id=export.id, file=file, kept_until=now + FILE_KEPT))
    await tx.session.flush()
    return export


async def file_of(tx: Transaction, by: Actor, export_id: UUID) -> bytes:
    """The encrypted file, for whoever made it and may still see what it is about; raises OutOfSight, Forbidden."""
    seen = select(Export).where(col(Export.id) == export_id, _seen_by(by))
    export = (await tx.session.execute(seen)).scalar_one_or_none()
    kept = await tx.session.get(ExportFile, export_id)
    if export is None or export.account_id != by.account_id or kept is None or kept.kept_until <= tx.clock.now():
        raise scope.OutOfSight("This file is kept no more; make a new one.", export_id)
    by.may_let_out()
    return kept.file


def _seen_by(by: Actor) -> ColumnElement[bool]:
    return or_(col(Export.case_id).is_(None), scope.sees_case(by, col(Export.case_id)))


async def exports_of(tx: Transaction, by: Actor, export_id: UUID | None = None) -> list[tuple[Export, str]]:
    """The newest exports with the names of who made them, or the one whose id stands in a file; '' for two holders of the escrow.
    Raises Forbidden."""
    by.may_let_out()
    is_by = col(Account.id) == col(Export.account_id)
    query = select(Export, func.coalesce(col(Account.name), "")).outerjoin(Account, is_by).where(_seen_by(by))
    if by.facility is not None:  # a place's supervisor sees what was handed out there
        query = query.where(col(Account.facility).in_(by.desks))
    if export_id is not None:
        query = query.where(col(Export.id) == export_id)
    rows = (await tx.session.execute(query.order_by(col(Export.made_at).desc(), col(Export.id).desc()).limit(EXPORTS_MAX))).tuples()
    return [(row, name) for row, name in rows]
