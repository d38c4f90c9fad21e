"""Giving a product before care, keeping that she declined or that there was none, and reporting what went wrong.

None of it stands in the way of the request for care, and none replaces it.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import model_validator
from sqlalchemy import select
from sqlmodel import col

from services.police.dispensing import rules
from services.police.dispensing.certificates import box_at, require
from services.police.dispensing.domain import AgainReason, Kind, Outcome, dose_kind, since_band
from services.police.dispensing.resupply import supplier_of
from services.police.dispensing.tables import BoxEntry, Dose, SafetyReport
from shared.casework import sharing
from shared.casework.alarms.commands import raise_alarm
from shared.casework.cases.commands import Form, happened, load_case
from shared.casework.cases.tables import Case, Incident
from shared.casework.here import Actor, Here
from shared.casework.scope import OutOfSight, whole_agency
from shared.casework.stock import commands as stock
from shared.casework.stock.domain import EntryKind, Lot, usable
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import CareProduct, Urgency
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict
from shared.kit.ids import new_id


class SecondDose(Conflict):
    """It was given for this incident before: a reason is asked for, or nothing is given."""


class NoneHere(Conflict):
    """No usable dose lies in the box."""


class Dispense(Form):
    """What became of the offer of a product. `batch` None takes what expires first; `again_reason` answers the alert that there was
    a dose before."""

    product: CareProduct
    incident_id: UUID
    outcome: Outcome = Outcome.GIVEN
    batch: events.BatchCode | None = None
    vomited: bool = False
    again_reason: AgainReason | None = None
    occurred_at: events.Moment | None = None
    facility: events.FacilityId | None = None

    @model_validator(mode="after")
    def _of_a_dose(self) -> "Dispense":
        if self.outcome is not Outcome.GIVEN and (self.batch is not None or self.vomited or self.again_reason is not None):
            raise ValueError("a batch and a reason go with a dose that was given")
        return self


class ReportSafety(Form):
    """An adverse event or a misuse, as a code. Whoever noticed it reports it, certified or not."""

    product: CareProduct
    code: codes.SafetyCode
    batch: events.BatchCode | None = None
    case_id: UUID | None = None
    facility: events.FacilityId | None = None


async def dispense(case_id: UUID, command: Dispense, tx: Transaction, here: Here, by: Actor) -> Dose:
    """Keeps what became of the offer; a dose that was given leaves the box in the same transaction, and the case knows of it: under
    consent item `given` it is told with a request for care. Raises Forbidden, OutOfSight, Conflict, SecondDose, NoneHere."""
    by.may_work()
    case = await load_case(tx, case_id, by, lock=True)
    if command.product not in rules.products(here.programme):
        raise Conflict("Police of this programme do not give %(product)s.", product=Coded(command.product, "product"))
    held = (await require(tx, here, by, case.id, command.product)).held
    incident = await _incident(tx, case, command.incident_id)
    facility = box_at(here, by, command.facility)
    now = tx.clock.now()
    at = happened("occurred_at", command.occurred_at, now)
    said: dict[str, Any] = {
        "product": command.product, "outcome": command.outcome, "since": since_band(incident.earliest_at, incident.latest_at, at)
    }  # fmt: skip
    if command.outcome is Outcome.GIVEN:
        refused = rules.refusal(here.programme, rules.asked(here.programme, command.product, case, incident, at, held))
        if refused is not None:
            raise Conflict(refused[1])
        kind = await _kind(tx, incident, command, at)
        lot = await _lot(tx, here, facility, command, at)
        change = stock.Change(command.product, lot.batch, lot.expires_on, EntryKind.DISPENSED, 1, at)
        entry = await stock.write(tx, BoxEntry, facility, change, by.account_id)
        reason = command.again_reason if kind is Kind.AGAIN else None
        said |= {"kind": kind, "batch": lot.batch, "reason": reason, "entry": str(entry.id)}
        _is_known_to_the_case(incident, command.product, at)
    dose = Dose(
        id=new_id(), case_id=case.id, incident_id=incident.id, facility=facility, said=said, given_at=at,
        recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(dose)
    await tx.session.flush()
    return dose


async def _incident(tx: Transaction, case: Case, incident_id: UUID) -> Incident:
    query = select(Incident).where(col(Incident.id) == incident_id, col(Incident.case_id) == case.id).with_for_update()
    incident = (await tx.session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    if incident is None:
        raise OutOfSight("There is no such incident.", incident_id)
    return incident


def doses_before(incident: Incident, product: CareProduct) -> list[datetime]:
    """When a product was given for an incident before, here or, as she says, elsewhere: the case keeps both as `given`."""
    return [datetime.fromisoformat(one["given_at"]) for one in incident.given or () if one["product"] == product]


async def _kind(tx: Transaction, incident: Incident, command: Dispense, at: datetime) -> Kind:
    kind = dose_kind(doses_before(incident, command.product), at, vomited=command.vomited)
    if kind is Kind.AGAIN and command.again_reason is None:
        raise SecondDose("It was given for this incident before. Say why it is given again, or send her without.")
    if len(incident.given or ()) >= events.GIVEN_MAX:
        raise Conflict("So many products were given for this incident that a nurse must decide; send her.")
    return kind


async def _lot(tx: Transaction, here: Here, facility: str, command: Dispense, at: datetime) -> Lot:
    await stock.alone(tx, BoxEntry, facility)
    known = await stock.lots(tx, BoxEntry, facility)
    on = here.day_of(at)
    fit = usable(known.get(command.product, ()), on)
    if command.batch is None:
        if not fit:
            raise NoneHere("No dose that may be given lies in the box. Care has it: send her, and ask for supplies.")
        return fit[0]
    lot = stock.refuse_the_unknown(command.product, command.batch, known)
    if lot.is_expired(on):
        raise Conflict(
            "Batch %(batch)s expired on %(day)s and is not given; take another, and write this one off.",
            batch=lot.batch, day=lot.expires_on.isoformat(),
        )  # fmt: skip
    return lot


def _is_known_to_the_case(incident: Incident, product: CareProduct, at: datetime) -> None:
    given = events.Given(product=product, given_at=at).model_dump(mode="json")
    incident.given = [*(incident.given or ()), given]


async def doses_of(tx: Transaction, case: Case) -> list[Dose]:
    """What was offered on a case, oldest first."""
    query = select(Dose).where(col(Dose.case_id) == case.id).order_by(col(Dose.recorded_at), col(Dose.id))
    return list((await tx.session.execute(query)).scalars())


async def report_safety(command: ReportSafety, tx: Transaction, here: Here, by: Actor) -> SafetyReport:
    """Keeps a report, alarms the post above the desk's, and tells the place that supplies, without any person. Where it is known of
    whom, that place is told at once only under her item `given`, else with the sums of the month: a single word about a single
    dose may be enough there to know her."""
    by.may_work()
    case = await load_case(tx, command.case_id, by) if command.case_id is not None else None
    facility = box_at(here, by, command.facility)
    row = SafetyReport(
        id=new_id(), case_id=case.id if case is not None else None, facility=facility, product=command.product, code=command.code,
        is_misuse=command.code in codes.MISUSE, batch=command.batch, recorded_at=tx.clock.now(), recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    async with whole_agency(tx):
        about = row.id if case is None else new_id()  # what says product and code in the clear leads to no report of a case
        kind = "dose_misused" if row.is_misuse else "dose_adverse"
        await raise_alarm(
            tx, here, kind, about, facility, Urgency.URGENT, None, {"product": command.product, "code": command.code},
            to_supervisor=True,
        )  # fmt: skip
        supplier = await supplier_of(tx, here, facility)
        if supplier is not None and (case is None or await _given_may_pass(tx, here, case.id, supplier.agency)):
            word = events.SafetyReported(
                facility=facility, to_facility=supplier.facility, report=about, product=command.product, code=command.code,
                batch=command.batch,
            )  # fmt: skip
            await stock.tell(tx, here, supplier.agency, word)
        return row


async def _given_may_pass(tx: Transaction, here: Here, case_id: UUID, agency: str) -> bool:
    release = await sharing.released(tx, here, case_id, agency)
    return release is not None and codes.ConsentItem.GIVEN in release.items
