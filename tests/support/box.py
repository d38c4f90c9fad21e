"""A station's locked box and who works with it, for tests: certified officers, a first stock, a woman who has just come."""

from datetime import timedelta
from typing import Any

from agencies import Desk, World
from sqlalchemy import select
from sqlmodel import col

from shared.casework.accounts.commands import find_account
from shared.casework.accounts.tables import Account
from shared.contracts.casework.codes import Role

EC = "emergency_contraception"
STATION, CLINIC = "ndola_central_vsu", "ndola_clinic"
BATCH, EXPIRES = "EC-24-117", "2027-06-30"


async def inspector(world: World, name: str = "inspector", station: str = STATION) -> Desk:
    """A supervisor of the station."""
    return await world["police"].sign_in(name, Role.SUPERVISOR, station)


async def certify(world: World, by: Desk, name: str, **more: Any) -> Any:
    """Enters an account's certificate: valid unless `more` says otherwise."""
    async with world["police"].database.read() as tx:
        account = await find_account(tx, name)
    dated = {"trained_on": "2025-06-06", "certified_on": "2025-06-10", "certified_by": "health", "valid_until": "2027-06-09"}
    body = {"account_id": str(account.id), "certificate": "ec_provider", **dated, **more}
    return await by.post("/certificates", {key: value for key, value in body.items() if value is not None})


async def certified(world: World, name: str = "officer-1", **more: Any) -> Desk:
    """An officer of the station with a valid certificate."""
    desk = await world["police"].sign_in(name, Role.OFFICER, STATION)
    async with world["police"].database.read() as tx:
        there = (await tx.session.execute(select(Account).where(col(Account.name) == "inspector"))).first()
    supervisor = await inspector(world, f"inspector-{name}" if there else "inspector")
    await certify(world, supervisor, name, **more)
    return desk


async def stock(desk: Desk, quantity: int = 10, batch: str = BATCH, expires_on: str = EXPIRES, **more: Any) -> Any:
    """Doses that came."""
    line = {"product": EC, "batch": batch, "expires_on": expires_on, "kind": "received", "quantity": quantity, **more}
    return await desk.post("/dispensing/entries", line)


async def came(world: World, desk: Desk, hours: float = 20, *, upto: float | None = None, **who: Any) -> tuple[str, str]:
    """Somebody to whom it happened so many hours ago, at most `upto` hours: (case, incident)."""
    needs = {"age_band": "18-24", "sex": "female", "language": "bem", **who}
    case_id = (await desk.post("/cases", {"needs": needs}))["id"]
    now = world.clock.now()
    times = {"earliest_at": now - timedelta(hours=upto if upto is not None else hours), "latest_at": now - timedelta(hours=hours)}
    body = {"incident_type": "rape", **{name: at.isoformat() for name, at in times.items()}}
    return case_id, (await desk.post(f"/cases/{case_id}/incidents", body))["id"]


async def give(desk: Desk, case_id: str, incident_id: str, **more: Any) -> Any:
    """Gives a dose, or keeps what became of the offer."""
    return await desk.post(f"/cases/{case_id}/doses", {"product": EC, "incident_id": incident_id, **more})


async def left(desk: Desk) -> int:
    """Doses that lie in the box by the book."""
    return sum(lot["quantity"] for lot in (await desk.get("/dispensing/box"))["lots"])


async def count(first: Desk, second: Desk, figures: dict[str, int], other: dict[str, int] | None = None) -> Any:
    """Both count: the same, or `other`."""

    def said(found: dict[str, int]) -> dict[str, Any]:
        return {"counted": [{"product": EC, "batch": batch, "quantity": n} for batch, n in found.items()]}

    opened = await first.post("/dispensing/counts", said(figures))
    return await second.post(f"/dispensing/counts/{opened['id']}/second", said(other if other is not None else figures))
