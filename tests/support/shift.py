"""A shift at the pages, over HTTP: who sits where, a case from nothing to sent, and a clock that does not stand still."""

from datetime import datetime, timedelta
from typing import Any

from agencies import World
from signing_in import come_in, settled_account
from visitor import Page, Visitor

from shared.casework.accounts.commands import find_account
from shared.contracts.casework.codes import Role
from shared.kit.clock import ManualClock

SENDING: dict[str, Any] = {
    "care": "acute_care", "place": "health/ndola_clinic", "mode": "on_foot", "escort": "alone", "expected": "10:30",
    "carries": "nothing",
}  # fmt: skip


class TickingClock(ManualClock):
    """A microsecond passes whenever somebody looks, so that nothing happens at the same time as anything else."""

    def now(self) -> datetime:
        self.advance(timedelta(microseconds=1))
        return super().now()


def let_time_pass(world: World) -> None:
    """Gives every agency of a world a clock that ticks."""
    world.clock = TickingClock()
    for agency in world.agencies.values():
        agency.database.clock = world.clock


async def at_work(world: World, kind: str, name: str, role: Role, facility: str | None = "") -> Visitor:
    """Somebody signed in at an agency's first place, at the one that is named, or for the whole agency (None)."""
    visitor = Visitor(world[kind].app)
    await settled_account(world[kind], name, role)
    if facility != "":
        async with world[kind].database.write() as tx:
            (await find_account(tx, name)).facility = facility
    await come_in(visitor, world[kind], name)
    return visitor


async def officer(world: World, name: str = "officer-1", facility: str | None = "") -> Visitor:
    return await at_work(world, "police", name, Role.OFFICER, facility)


async def nurse(world: World, name: str = "nurse-1", facility: str | None = "") -> Visitor:
    return await at_work(world, "health", name, Role.CLINICIAN, facility)


async def asked(visitor: Visitor, **more: Any) -> Page:
    """A case whose woman agreed that the clinic and the social worker may know: page 3 stands open."""
    page = await visitor.open("/cases/new")
    who = {"hurt_now": "no", "age_band": "18-24", "sex": "female", "language": "bem", "came_with": "nobody", **more}
    page = await visitor.send(page.form("/cases/new"), at_least=1, at_most=3, **who)
    assert page.path.endswith("/consent"), page.words
    agreed: dict[str, Any] = {"answer_health": "yes", "answer_social_welfare": "yes", "answer_back": "yes"}
    page = await visitor.send(page.form(page.path), how="spoken", language="bem", **agreed)
    assert page.path.endswith("/refer"), page.words
    return page


async def sent(world: World, visitor: Visitor) -> tuple[str, str]:
    """A referral to the clinic, and whoever is told along with it, delivered: (case's address, referral's address)."""
    page = await asked(visitor)
    case = page.path.removesuffix("/refer")
    page = await visitor.send(page.form(page.path), **SENDING)
    assert page.path.startswith("/referrals/"), page.words
    await world.settle()
    return case, page.path


async def declined(world: World, at_clinic: Visitor, referral: str) -> None:
    """The clinic cannot take it and names no other place."""
    form = (await at_clinic.open(f"{referral}/decline")).form(f"{referral}/decline")
    page = await at_clinic.send(form, reason_code="no_place")
    assert page.status == 200, page.words
    await world.settle()
