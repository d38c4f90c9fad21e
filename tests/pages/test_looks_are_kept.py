"""Whoever opens anything about a case has looked at it, on every route, pages and API alike: she may ask who did."""

import re
from typing import Any
from uuid import UUID

from agencies import Desk, TestAgency, World, consent, open_case, refer
from fastapi.routing import APIRoute
from signing_in import settled_account, sign_in
from sqlalchemy import delete, select
from sqlmodel import col
from visitor import Visitor

from shared.casework.accounts.commands import add_account, find_account, make_token
from shared.casework.accounts.tables import CaseRead
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role

# The list of looks is what she asks for: to read it is no look at her case, and the form to hand it over shows nothing of hers.
# That it was handed over is one (test_what_leaves.py).
NO_LOOKS = {"/cases/{case_id}/looked", "/api/v1/cases/{case_id}/access-log", "/cases/{case_id}/export"}
ABOUT_A_CASE = {"case_id", "referral_id", "consent_id", "arrival_id"}
SHOW_CASES = ("/work", "/cases", "/hand-over", "/here-now")
ACTS = {"police": "cancel", "health": "decline"}


def routes_about_a_case(app: Any) -> list[str]:
    routers = [app.router, *(one.original_router for one in app.routes if hasattr(one, "original_router"))]
    paths = {r.path for router in routers for r in router.routes if isinstance(r, APIRoute) and "GET" in (r.methods or ())}
    return sorted(p for p in paths if set(re.findall(r"{(\w+)}", p)) & ABOUT_A_CASE and p not in NO_LOOKS)


async def looked_at(agency: TestAgency) -> list[UUID]:
    """The cases at which the account that reads has looked, one for each look."""
    async with agency.database.read() as tx:
        account = await find_account(tx, "reader")
        return list(
            (await tx.session.execute(select(col(CaseRead.case_id)).where(col(CaseRead.account_id) == account.id))).scalars()
        )


async def looks(agency: TestAgency) -> int:
    """How often it has looked at a case."""
    return len(await looked_at(agency))


async def forget(agency: TestAgency) -> None:
    """Nobody has looked yet: a list that shows a case again within the hour is the same look."""
    async with agency.database.write() as tx:
        await tx.session.execute(delete(CaseRead))


async def reader(world: World, agency: str, role: Role) -> Visitor:
    visitor = Visitor(world[agency].app)
    await sign_in(visitor, await settled_account(world[agency], "reader", role), "reader")
    return visitor


async def test_every_page_about_a_case_keeps_who_looked(world: World) -> None:
    desk = await world["police"].sign_in("desk")
    case_id, incident_id = await open_case(desk)
    agreed = await consent(desk, case_id, "health", "fb", "needs", "relay")
    rid = (await refer(desk, case_id, incident_id, "health"))["id"]
    async with world["police"].database.write() as tx:
        (await tx.session.execute(select(Referral))).scalars().one().carries = "card"
    await world.settle()
    nurse = await world["health"].sign_in("nurse-0", facility="ndola_clinic")
    there = (await nurse.get(f"/referrals/{rid}"))["case_id"]
    walk_in = await nurse.post("/arrivals", {"facility": "ndola_clinic"})
    theirs = await consent(nurse, there, "social_welfare")
    ids = {
        "police": {"case_id": case_id, "referral_id": rid, "consent_id": agreed["id"]},
        "health": {"case_id": there, "referral_id": rid, "consent_id": theirs["id"], "arrival_id": walk_in["arrival_id"]},
    }
    tried, silent = set(), []
    for agency, role in (("police", Role.OFFICER), ("health", Role.CLINICIAN)):
        visitor = await reader(world, agency, role)
        known = {**ids[agency], "act": ACTS[agency]}
        for path in routes_about_a_case(world[agency].app):
            await forget(world[agency])
            answer = await visitor.client.get(re.sub(r"{(\w+)}", lambda m: known.get(m[1], "-"), path))  # noqa: B023
            if answer.status_code != 200:  # the card at the clinic, a supervisor's page: there is nothing to see
                assert answer.status_code in {403, 404, 422}, (path, answer.text[:300])
                continue
            tried.add(path)
            seen = await looked_at(world[agency])
            if not seen or len(seen) != len(set(seen)):  # who came and whom a request is about may be two
                silent.append((agency, path))
    assert not silent
    assert {"/cases/{case_id}/refer", "/cases/{case_id}/consent", "/cases/{case_id}/again", "/referrals/{referral_id}/card",
            "/referrals/{referral_id}/card.pdf", "/referrals/{referral_id}/{act}", "/care/{referral_id}",
            "/cases/{case_id}/consents/{consent_id}/take-back", "/referrals/{referral_id}/messages/new",
            "/referrals/{referral_id}/asked/again"} <= tried  # fmt: skip


async def test_every_list_that_shows_whom_a_case_is_about_is_a_look(world: World) -> None:
    desk = await world["police"].sign_in("desk")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "needs")
    rid = (await refer(desk, case_id, incident_id, "health"))["id"]
    await world.settle()
    nurse = await world["health"].sign_in("nurse-0", facility="ndola_clinic")
    await nurse.post(f"/referrals/{rid}/arrive")
    visitor = await reader(world, "health", Role.CLINICIAN)
    for path in SHOW_CASES:
        await forget(world["health"])
        assert (await visitor.open(path)).status == 200
        assert await looks(world["health"]) == 1, path


async def test_what_tells_of_changes_is_a_look_at_each_case_that_it_tells_of(world: World) -> None:
    desk = await world["police"].sign_in("desk")
    cases = {UUID((await open_case(desk))[0]) for _ in range(2)}
    async with world["police"].database.write() as tx:
        await add_account(tx, world["police"].here, "reader", Role.OFFICER, None)
        reading = Desk(world["police"].client, await make_token(tx, "reader"))
    await reading.post("/subscriptions", {"facility": "ndola_central_vsu"})
    await world.settle()
    assert await looks(world["police"]) == 0
    lines = (await reading.get("/updates"))["items"]
    assert {UUID(line["case_id"]) for line in lines} == cases
    assert sorted(await looked_at(world["police"])) == sorted(cases)
    await reading.get("/updates")
    assert await looks(world["police"]) == len(cases)  # within the hour it is the same look
