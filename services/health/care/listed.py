"""What stands on the list of a referral, for its own pages: what was kept, and what is out of stock while there is time for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.health.care.commands import Care, CareResult, InCare, care_of
from shared.casework.directory.places import Place, places
from shared.casework.here import Here
from shared.casework.pages.frame import KeptLine, KeptList
from shared.casework.referrals.asked_again import refused_fields, shown
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import CareClock, ServicePackage
from shared.kit.db import Transaction

CLOCKS = {
    Care.PEP: CareClock.PEP, Care.EMERGENCY_CONTRACEPTION: CareClock.EMERGENCY_CONTRACEPTION,
    Care.HEPATITIS_B_VACCINE: CareClock.HEPATITIS_B_VACCINE,
}  # fmt: skip


def services_of(whom: InCare) -> list[str]:
    """What was asked for. Nobody said what somebody without a request needs, so that every line is offered then."""
    return (whom.referral.services if whom.referral else []) or [ServicePackage.ACUTE_CARE]  # none: they went with her consent


async def elsewhere(tx: Transaction, here: Here, whom: InCare, local: datetime) -> list[Place]:
    """The other places of this agency that have what is asked for, nearest first: no new consent is needed there."""
    found = await places(tx, here, [here.agency], whom.facility, local)
    return [one for one in found if one.id != whom.facility and set(one.facility.services) & set(services_of(whom))]


def windows_of(said: dict[str, Any]) -> dict[str, str]:
    """Until when each kind of care works best, as the request says."""
    return {one["care"]: one["until"] for one in said.get("windows") or []}


async def kept_list(tx: Transaction, here: Here, referral: Referral, local: datetime) -> KeptList | None:
    """What was kept on a referral's list, of each line the last word; None where nothing was."""
    whom = InCare(referral.case_id, referral.desk, referral=referral)
    rows = [row for row in await care_of(whom, tx) if row.care and row.result]  # without: what was erased
    if not rows:
        return None
    windows = windows_of(shown(referral, await refused_fields(tx, here, referral)))
    lines = [
        KeptLine(str(row.care), str(row.result), _still(windows, row.care, row.result, tx.clock.now()))
        for row in {row.care: row for row in rows}.values()
    ]
    due = any(one.still_until for one in lines)
    others: Sequence[Place] = await elsewhere(tx, here, whom, local) if due else ()
    return KeptList(max(row.recorded_at for row in rows), lines, others[0] if others else None)


def _still(windows: dict[str, str], care: str, result: str, now: datetime) -> datetime | None:
    """Until when a line that is out of stock works best elsewhere; None where it is not, or nobody knows, or that has passed."""
    until = windows.get(str(CLOCKS.get(Care(care)))) if result == CareResult.NONE_IN_STOCK else None
    at = datetime.fromisoformat(until) if until else None
    return at if at is not None and at > now else None
