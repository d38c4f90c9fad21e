"""The issuing process of our own pipe: the desk's real command, with consent, projection and diary, as the web process runs it."""

import asyncio
import sys

from sqlalchemy import select
from sqlmodel import col

from bench import clients
from services.runtime import build
from services.settings import load_settings
from shared.casework.cases.tables import Incident
from shared.casework.here import Actor
from shared.casework.referrals.commands import IssueReferral, issue_referral
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role, ServicePackage, Urgency
from shared.exchange import bell
from shared.kit.collector import calm_collector
from shared.kit.ids import new_id

FACILITY = "ndola_central_vsu"
TO_FACILITY = "ndola_clinic"
SERVICES = (ServicePackage.ACUTE_CARE, ServicePackage.EXAMINATION_AND_REPORT)
URGENCY = Urgency.URGENT  # what most referrals are; acute ones take the express lane, where nothing waits behind them


async def desk(agency_id: str, clinic_id: str) -> None:
    """Each order issues referrals on prepared cases, one a case."""
    agency = build(load_settings(), agency_id)
    officer = Actor(new_id(), "bench", Role.OFFICER, FACILITY)
    async with agency.database.read() as tx:
        unused = select(col(Incident.case_id), col(Incident.id)).where(col(Incident.case_id).not_in(select(col(Referral.case_id))))
        prepared = iter((await tx.session.execute(unused)).tuples().all())

    async def issue() -> None:
        case_id, incident_id = next(prepared)
        command = IssueReferral(
            case_id=case_id, incident_id=incident_id, to_agency=clinic_id, to_facility=TO_FACILITY, services=SERVICES,
            urgency=URGENCY,
        )  # fmt: skip
        async with agency.database.write() as tx:
            await issue_referral(command, tx, agency.here, officer)

    calm_collector()  # this, and the ringing, as the web process does
    stop = asyncio.Event()
    ringing = asyncio.create_task(bell.ring(agency.database, stop))
    await clients.take_orders(issue)
    stop.set()
    await ringing
    await agency.database.close()


if __name__ == "__main__":
    clients.main(desk, *sys.argv[1:])
