"""Issuing a medical certificate and giving it into her hand. It goes to nobody else, and nobody is told of it."""

from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlmodel import col

from services.health.certificates.tables import MedicalCertificate
from shared.casework import scope
from shared.casework.cases.commands import Form, happened, load_case
from shared.casework.directory.news import place_subject
from shared.casework.here import Actor, Here
from shared.casework.reports.commands import Name
from shared.contracts.casework import events
from shared.contracts.casework.lifecycle import MissingDetail
from shared.exchange import outbox
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import new_id

NUMBER_LABEL = "health_medical_certificates.number"
Number = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9/-]{0,29}$")]


class IssueCertificate(Form):
    """A certificate, by its number in the clinic's own book, and who signed it."""

    number: Number
    post: events.Code
    name: Name | None = None
    copy_kept: bool
    occurred_at: events.Moment | None = None


class GiveCertificate(Form):
    """Into her hand."""

    occurred_at: events.Moment | None = None


async def issue(case_id: UUID, command: IssueCertificate, tx: Transaction, here: Here, by: Actor) -> MedicalCertificate:
    """Keeps that one was issued; raises Conflict where the number is taken."""
    by.may_work()
    case = await load_case(tx, case_id, by, lock=True)
    scope.not_as_guest(by, case.facility, case.id)
    facility = by.facility or case.facility
    if command.post not in here.posts(facility):
        raise MissingDetail("post", "This place has no such post; choose one of its own.")
    index = tx.keys.index(NUMBER_LABEL, f"{facility}:{command.number}")
    await outbox.lock_subjects(tx, [place_subject(here.agency, facility)])  # two do not take one number at once
    async with scope.whole_agency(tx):
        taken = await tx.session.execute(select(col(MedicalCertificate.id)).where(col(MedicalCertificate.number_index) == index))
    if taken.first() is not None:
        raise Conflict("Another certificate has this number; look it up in the book.")
    now = tx.clock.now()
    row = MedicalCertificate(
        id=new_id(), case_id=case.id, facility=facility, number=command.number, number_index=index, post=command.post,
        name=command.name, copy_kept=command.copy_kept, issued_at=happened("occurred_at", command.occurred_at, now),
        recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


async def give(certificate_id: UUID, command: GiveCertificate, tx: Transaction, by: Actor) -> MedicalCertificate:
    """Keeps that it was given into her hand; raises Conflict where it was given before."""
    by.may_work()
    query = select(MedicalCertificate).where(
        col(MedicalCertificate.id) == certificate_id, scope.sees_case(by, col(MedicalCertificate.case_id))
    )
    row = (await tx.session.execute(query.with_for_update())).scalar_one_or_none()
    if row is None:
        raise scope.OutOfSight("There is no such certificate.", certificate_id)
    scope.not_as_guest(by, row.facility, row.case_id)
    if row.given_at is not None:
        raise Conflict("This certificate was given already.")
    row.given_at, row.given_by = happened("occurred_at", command.occurred_at, tx.clock.now()), by.account_id
    await tx.session.flush()
    return row


async def certificates_of(tx: Transaction, case_id: UUID) -> list[MedicalCertificate]:
    """The certificates of a case, as they were issued."""
    query = select(MedicalCertificate).where(col(MedicalCertificate.case_id) == case_id)
    return list((await tx.session.execute(query.order_by(col(MedicalCertificate.issued_at), col(MedicalCertificate.id)))).scalars())
