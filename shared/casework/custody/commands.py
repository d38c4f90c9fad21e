"""Collecting a sample and writing in its book. Each hand-over has two posts and two names; nothing of it leaves but the code."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope
from shared.casework.alarms.commands import clear, raise_alarm
from shared.casework.cases.commands import Form, happened, load_case
from shared.casework.custody.domain import ENDS, Act, Chain, Kind, Link, Why, chain
from shared.casework.custody.tables import CustodyRow, SpecimenRow, kept_by
from shared.casework.here import Actor, Here
from shared.casework.reports.commands import Name, new_code
from shared.contracts.casework import events
from shared.contracts.casework.codes import Urgency
from shared.contracts.casework.lifecycle import MissingDetail
from shared.exchange import outbox
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import new_id

PLACE_CHARACTERS_MAX = 60  # of a shelf or a refrigerator
ALARM = "custody_gap"
Seal = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9/-]{0,19}$")]


class Collect(Form):
    """A sample that was collected, and by which post."""

    kind: Kind
    post: events.Code
    name: Name | None = None
    occurred_at: events.Moment | None = None


class AddEntry(Form):
    """A line of the book. `other_post`, `other_name`: who took it over, or stood by when it was destroyed."""

    act: Act
    post: events.Code
    name: Name | None = None
    seal: Seal | None = None
    place: Annotated[str, Field(min_length=1, max_length=PLACE_CHARACTERS_MAX)] | None = None
    other_post: events.Code | None = None
    other_name: Name | None = None
    why: Why | None = None
    occurred_at: events.Moment | None = None

    @model_validator(mode="after")
    def _goes_together(self) -> "AddEntry":
        if self.act is Act.COLLECTED:
            raise ValueError("'act': a sample is collected once, on its case")
        if (missing := missing_of(self)) is not None:
            raise ValueError(f"'{missing}' goes with the act {self.act}")
        if (self.act in ENDS) != (self.why is not None):
            raise ValueError("'why' names the rule by which a sample is returned or destroyed, and goes with nothing else")
        return self


NEEDED = {
    Act.SEALED: ("seal",), Act.STORED: ("place",), Act.HANDED_OVER: ("seal", "name", "other_post", "other_name"),
    Act.RETURNED: ("why",), Act.DESTROYED: ("why", "other_post"),
}  # fmt: skip


def missing_of(asked: Any) -> str | None:
    """The first field that an act needs and that is not there."""
    return next((name for name in NEEDED.get(asked.act, ()) if getattr(asked, name) is None), None)


async def collect(case_id: UUID, command: Collect, tx: Transaction, here: Here, by: Actor) -> SpecimenRow:
    """Opens the book of a sample, with a code of its own to be written on it."""
    by.may_work()
    case = await load_case(tx, case_id, by, lock=True)
    facility = by.facility or case.facility
    _post(here, facility, command.post)
    now = tx.clock.now()
    specimen: SpecimenRow = kept_by(here).specimens(
        id=new_id(), case_id=case.id, facility=facility, code=new_code("S"), kind=command.kind, state=Act.COLLECTED,
        recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(specimen)
    await tx.session.flush()
    said = command.model_dump(mode="json", include={"post", "name"}, exclude_none=True)
    await _write(tx, here, by, specimen, Act.COLLECTED, said, happened("occurred_at", command.occurred_at, now))
    return specimen


async def add_entry(specimen_id: UUID, command: AddEntry, tx: Transaction, here: Here, by: Actor) -> SpecimenRow:
    """Writes a line, now or late; raises Conflict where it stands here already with the same time."""
    specimen = await load_specimen(tx, specimen_id, here, by)
    await outbox.lock_subjects(tx, [specimen.id])
    await tx.session.refresh(specimen)
    scope.not_as_guest(by, specimen.facility, specimen.case_id)
    if command.act in {Act.SEALED, Act.STORED}:  # later it may be in the hands of others
        _post(here, specimen.facility, command.post)
    now = tx.clock.now()
    at = happened("occurred_at", command.occurred_at, now)
    if any(one.act == command.act and one.occurred_at == at for one in await entries_of(tx, specimen.id, here)):
        raise Conflict("This stands here already, with the same time.")
    said = command.model_dump(mode="json", exclude={"act", "occurred_at"}, exclude_none=True)
    await _write(tx, here, by, specimen, command.act, said, at)
    return specimen


def _post(here: Here, facility: str, post: str) -> None:
    if post not in here.posts(facility):
        raise MissingDetail("post", "This place has no such post; choose one of its own.")


async def _write(
    tx: Transaction, here: Here, by: Actor, specimen: SpecimenRow, act: Act, said: dict[str, Any], at: datetime
) -> None:
    known = await entries_of(tx, specimen.id, here)
    tx.session.add(
        kept_by(here).entries(
            id=new_id(), specimen_id=specimen.id, case_id=specimen.case_id, number=len(known) + 1, act=act, said=said,
            occurred_at=at, recorded_at=tx.clock.now(), recorded_by=by.account_id,
        )
    )  # fmt: skip
    await tx.session.flush()
    found = chain_of(await entries_of(tx, specimen.id, here))
    specimen.state, specimen.has_gap = found.state or act, bool(found.gaps)
    await tx.session.flush()
    if found.gaps:
        await raise_alarm(tx, here, ALARM, specimen.id, specimen.facility, Urgency.URGENT, specimen.case_id, to_supervisor=True)
    else:
        await clear(tx, here, specimen.id, {ALARM})


async def load_specimen(tx: Transaction, specimen_id: UUID, here: Here, by: Actor) -> SpecimenRow:
    """A sample of a case that the account may see; raises OutOfSight."""
    by.may_work()
    table = kept_by(here).specimens
    query = select(table).where(col(table.id) == specimen_id, scope.sees_case(by, col(table.case_id)))
    specimen: SpecimenRow | None = (await tx.session.execute(query)).scalar_one_or_none()
    if specimen is None:
        raise scope.OutOfSight("There is no such sample.", specimen_id)
    return specimen


async def entries_of(tx: Transaction, specimen_id: UUID, here: Here) -> list[CustodyRow]:
    """The lines of a sample's book, as they were written."""
    table = kept_by(here).entries
    query = select(table).where(col(table.specimen_id) == specimen_id).order_by(col(table.number))
    return list((await tx.session.execute(query)).scalars())


def chain_of(entries: list[CustodyRow]) -> Chain:
    """The chain that lines make."""
    return chain(
        Link(Act(one.act), one.occurred_at, one.said.get("post", ""), one.said.get("other_post"), one.said.get("seal"))
        for one in entries if one.said
    )  # fmt: skip
