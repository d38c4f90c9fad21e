"""Writing in a ledger and reading it. Entries of one place are written one after the other, numbered without gaps; no batch ever
falls below nought. Each agency's table is made from `Entry`; a trigger of its migration refuses that a row is changed or deleted.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, Self, TypeVar
from uuid import UUID

from pydantic import Field as Limited
from pydantic import model_validator
from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func, select
from sqlmodel import Field, SQLModel, col

from shared.casework.cases.commands import Form
from shared.casework.directory.news import place_subject
from shared.casework.here import Here
from shared.casework.stock.domain import CorrectionReason, EntryKind, Lot, Moved, signed
from shared.contracts.casework import codes, events
from shared.exchange import outbox
from shared.kit.columns import UtcDateTime
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict
from shared.kit.ids import new_id

EXPIRY_YEARS_MAX = 15  # of any medicine; a later day of expiry is mistyped


class Entry(SQLModel):
    """One line of a ledger: what changed, by how many doses (signed), and what lay there of that batch afterwards. `about` is the
    request that brought it, or the entry that was wrong."""

    id: UUID = Field(primary_key=True)
    facility: str
    number: int
    product: str
    batch: str
    expires_on: date
    kind: str
    quantity: int
    balance: int
    reason: str | None = None
    about: UUID | None = None
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID

    @property
    def moved(self) -> Moved:
        """As sums need it."""
        return Moved(EntryKind(self.kind), self.quantity, self.batch, self.expires_on, self.recorded_at)


def constraints(table: str) -> tuple[Any, ...]:
    """What holds for every row of a ledger's table."""
    return (
        UniqueConstraint("facility", "number", name=f"uq_{table}_number"),
        CheckConstraint("balance >= 0", name=f"ck_{table}_balance"),
        CheckConstraint("quantity <> 0", name=f"ck_{table}_quantity"),
        Index(f"ix_{table}_product", "facility", "product", "number"),
    )


class ByHand(Form):
    """A line of a ledger that is written by hand. `quantity` is more than 0; of a correction it has a sign."""

    product: codes.CareProduct
    batch: events.BatchCode
    expires_on: date
    kind: Literal[EntryKind.RECEIVED, EntryKind.RETURNED, EntryKind.DESTROYED, EntryKind.CORRECTED]
    quantity: int = Limited(ge=-events.DOSES_MAX, le=events.DOSES_MAX)
    reason: CorrectionReason | None = None
    occurred_at: events.Moment | None = None
    facility: events.FacilityId | None = None

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if (self.kind is EntryKind.CORRECTED) != (self.reason is not None):
            raise ValueError("a correction has a reason, nothing else has")
        if self.quantity == 0 or (self.quantity < 0 and self.kind is not EntryKind.CORRECTED):
            raise ValueError("'quantity' is more than 0; only a correction may take away")
        return self


Row = TypeVar("Row", bound=Entry)


@dataclass(frozen=True, slots=True)
class Change:
    """What shall be written: of `quantity` doses, of a correction with its sign."""

    product: codes.CareProduct
    batch: str
    expires_on: date
    kind: EntryKind
    quantity: int
    occurred_at: datetime
    reason: str | None = None
    about: UUID | None = None


async def alone(tx: Transaction, table: type[Entry], facility: str) -> None:
    """From here to the end of the transaction nobody else writes in this place's ledger."""
    await tx.in_turn(f"{table.__tablename__}:{facility}")


async def write(tx: Transaction, table: type[Row], facility: str, change: Change, by: UUID) -> Row:
    """Writes one line. Raises Conflict where a batch would fall below nought, or was known by another day of expiry."""
    await alone(tx, table, facility)
    now = tx.clock.now()
    if change.expires_on.year > now.year + EXPIRY_YEARS_MAX:
        raise Conflict("No product keeps so long; look at the day of expiry again.")
    mine = (col(table.facility) == facility,)
    last = (await tx.session.execute(select(func.max(col(table.number))).where(*mine))).scalar_one() or 0
    of_batch = (*mine, col(table.product) == change.product, col(table.batch) == change.batch)
    query = select(col(table.expires_on), func.sum(col(table.quantity))).where(*of_batch).group_by(col(table.expires_on))
    known = (await tx.session.execute(query)).tuples().all()
    if known and known[0][0] != change.expires_on:
        raise Conflict(
            "Batch %(batch)s was entered here with another day of expiry: %(day)s. Look at the pack.",
            batch=change.batch, day=known[0][0].isoformat(),
        )  # fmt: skip
    held, moves = int(known[0][1]) if known else 0, signed(change.kind, change.quantity)
    if held + moves < 0:
        raise Conflict(
            "Of batch %(batch)s only %(count)s lie there by the book; count, and correct the book first.",
            batch=change.batch, count=held,
        )  # fmt: skip
    row = table(
        id=new_id(), facility=facility, number=last + 1, product=change.product, batch=change.batch, expires_on=change.expires_on,
        kind=change.kind, quantity=moves, balance=held + moves, reason=change.reason, about=change.about,
        occurred_at=change.occurred_at, recorded_at=now, recorded_by=by,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


async def entries(
    tx: Transaction, table: type[Row], facility: str, product: str | None = None, until: datetime | None = None
) -> list[Row]:
    """A place's lines, oldest first; of one product, and of what was written down before `until`."""
    query = select(table).where(col(table.facility) == facility)
    if product is not None:
        query = query.where(col(table.product) == product)
    if until is not None:
        query = query.where(col(table.recorded_at) < until)
    return list((await tx.session.execute(query.order_by(col(table.number)))).scalars())


async def newest(tx: Transaction, table: type[Row], facility: str, before: int | None, limit: int) -> tuple[list[Row], str | None]:
    """A page of a place's lines, newest first; the cursor is a line's number."""
    query = select(table).where(col(table.facility) == facility)
    if before is not None:
        query = query.where(col(table.number) < before)
    rows = list((await tx.session.execute(query.order_by(col(table.number).desc()).limit(limit + 1))).scalars())
    return rows[:limit], str(rows[limit - 1].number) if len(rows) > limit else None


async def last_number(tx: Transaction, table: type[Entry], facility: str) -> int:
    """The number of a place's last line; 0 before the first."""
    query = select(func.max(col(table.number))).where(col(table.facility) == facility)
    return int((await tx.session.execute(query)).scalar_one() or 0)


async def lots(tx: Transaction, table: type[Entry], facility: str) -> dict[str, list[Lot]]:
    """What lies at a place by the book, by product; batches that are used up are left out."""
    sums = func.sum(col(table.quantity))
    query = (
        select(col(table.product), col(table.batch), col(table.expires_on), sums)
        .where(col(table.facility) == facility)
        .group_by(col(table.product), col(table.batch), col(table.expires_on))
    )
    found: defaultdict[str, list[Lot]] = defaultdict(list)
    for product, batch, expires_on, quantity in (await tx.session.execute(query)).tuples():
        found[product] += [Lot(expires_on, batch, int(quantity))] if quantity else []
    return {product: sorted(of) for product, of in sorted(found.items())}


def batches_of(of: Sequence[Lot]) -> tuple[events.Batch, ...]:
    """The same as it is told."""
    return tuple(events.Batch(batch=lot.batch, expires_on=lot.expires_on, quantity=lot.quantity) for lot in of)


def refuse_the_unknown(product: str, batch: str, known: dict[str, list[Lot]]) -> Lot:
    """The lot of a batch; raises Conflict where the book has none."""
    found = next((lot for lot in known.get(product, ()) if lot.batch == batch), None)
    if found is None:
        raise Conflict("There is no batch %(batch)s of %(product)s by the book.", batch=batch, product=Coded(product, "product"))
    return found


async def tell(tx: Transaction, here: Here, agency: str, word: events.Event, at: datetime | None = None) -> None:
    """Says something about one of our places' products to the agency at the other end. It is about a place, so no consent is asked
    for; `at` is when it happened, now unless it is given."""
    subject = place_subject(here.agency, word.facility)  # type: ignore[attr-defined]  # every word of supplies names its place
    await outbox.lock_subjects(tx, [subject])
    await outbox.add(
        tx, outbox.Outgoing(recipient=agency, type=word.type, dataversion=word.version, subject=subject, lane_key=subject,
                            data=events.data_of(word), occurred_at=at or tx.clock.now()),
    )  # fmt: skip
