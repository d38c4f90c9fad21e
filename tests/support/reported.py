"""Cases in bulk, as desks report them, for what counts them: many in one transaction, each with one incident."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from agencies import TestAgency

from shared.casework.cases.commands import AddIncident, OpenCase, add_incident, open_case
from shared.casework.here import SYSTEM
from shared.contracts.casework.codes import AgeBand, IncidentType, Sex
from shared.contracts.casework.events import PersonNeeds

Report = tuple[IncidentType, AgeBand, Sex, str]  # what, age, sex, at which place


async def report(agency: TestAgency, reports: Iterable[Report], written_at: datetime | None = None) -> None:
    """Each is told of now, two days after it happened; or is entered now from a sheet that was written then."""
    async with agency.database.write() as tx:
        since = (written_at or tx.clock.now()) - timedelta(hours=48)
        for what, age, sex, place in reports:
            needs = PersonNeeds(age_band=age, sex=sex, language="bem")
            case = await open_case(OpenCase(facility=place, needs=needs), tx, agency.here, SYSTEM, written_at)
            told = AddIncident(incident_type=what, earliest_at=since, latest_at=since)
            await add_incident(case.id, told, tx, agency.here, SYSTEM, written_at)
