"""A child is asked too: no yes is kept without the child's own, none over the child's no, and an adult is a code that stays."""

from typing import Any

import pytest
from agencies import Refused, World, consent
from desk_pages import A_CHILD, NO_TO_ALL, PAGE_2, PAGE_3, at_the_desk, fill_page, to_consent, to_place, to_sent
from sqlalchemy import select
from visitor import Page, Visitor

from shared.casework.cases.tables import Case, Incident
from shared.casework.consents.her_own import Caregiver, StandIn
from shared.casework.consents.tables import Consent
from shared.casework.pages.words import CAREGIVERS, STAND_INS
from shared.casework.referrals.tables import Referral

on_sqlite = pytest.mark.parametrize("world", ["sqlite"], indirect=True)
BOY: dict[str, Any] = {"age_band": "10-14", "sex": "male", "safe_adult": "here"}


async def answered(desk: Visitor, page: Page, **more: Any) -> Page:
    return await desk.send(page.form(page.path), **{**PAGE_2, **more})


async def consents(world: World) -> list[Consent]:
    async with world["police"].database.read() as tx:
        return list((await tx.session.execute(select(Consent).order_by(Consent.id))).scalars())  # type: ignore[arg-type]


def test_every_code_has_its_words() -> None:
    assert set(CAREGIVERS) == set(Caregiver)
    assert set(STAND_INS) == set(StandIn)


@on_sqlite
async def test_no_yes_is_kept_without_the_childs_own(world: World) -> None:
    desk = await at_the_desk(world)
    page = await to_consent(desk, **BOY)
    assert "Ask the child alone, away from whoever came along." in page.words
    assert {"assent", "caregiver"} & page.form(page.path).fields.keys() == set()  # no answer is chosen beforehand
    page = await answered(desk, page)
    assert (page.status, "Ask the child too" in page.words, "is safe." in page.words) == (422, True, True)
    page = await answered(desk, page, assent="no", caregiver="safe")
    assert (page.status, "The child says no: mark no above." in page.words) == (422, True)
    page = await answered(desk, page, assent="yes", caregiver="not_this_one")
    assert (page.status, "Say which kind of adult stands in" in page.words) == (422, True)
    assert await consents(world) == []
    page = await to_consent(desk)  # of an adult none of this is asked
    assert "assent" not in page.form(page.path).choices


@on_sqlite
async def test_over_a_childs_no_no_yes_is_kept_by_any_way(world: World) -> None:
    desk = await world["police"].sign_in("desk")
    person = {"age_band": "10-14", "sex": "female", "language": "bem"}
    said = {"needs": person, "child": {"assent": "no", "safe_adult_present": "yes"}}
    case = (await desk.post("/cases", said))["id"]
    with pytest.raises(Refused, match="nobody says yes in a child"):
        await consent(desk, case, "health")
    assert await consents(world) == []
    grown = (await desk.post("/cases", {**said, "needs": {**person, "age_band": "18-24"}}))["id"]
    assert (await consent(desk, grown, "health"))["basis"] == "consent"


@on_sqlite
async def test_a_childs_no_leaves_what_the_law_asks_for_and_is_kept(world: World) -> None:
    desk = await at_the_desk(world)
    page = await fill_page(desk, await to_consent(desk, **BOY), **{**PAGE_2, **NO_TO_ALL, "assent": "no"})
    assert page.path.endswith("/refer"), page.words
    assert [(c.recipient, c.basis, c.items) for c in await consents(world)] == [("social_welfare", "legal_basis", ["req"])]
    page = await desk.open(page.path.removesuffix("/refer"))
    assert "The child’s own word Says no" in page.words


@on_sqlite
async def test_what_is_done_to_a_child_again_is_done_to_a_child(world: World) -> None:
    desk = await at_the_desk(world)
    case = (await to_consent(desk, **BOY)).path.removesuffix("/consent")
    page = await desk.open(f"{case}/again")
    assert "It happened again" in page.words
    for kind in ("physical_assault", "rape"):
        await desk.send(page.form(f"{case}/again"), hurt_now="no", hours_unknown="yes", incident_type=kind)
        page = await desk.open(f"{case}/again")
    async with world["police"].database.read() as tx:
        found = (await tx.session.execute(select(Incident).order_by(Incident.recorded_at))).scalars().all()  # type: ignore[arg-type]
    assert [(one.incident_type, one.contexts) for one in found[1:]] == [
        ("physical_assault", []),
        ("rape", ["child_sexual_abuse"]),
    ]


@on_sqlite
async def test_another_adult_stands_in_and_only_that_one_is_there_leaves(world: World) -> None:
    desk = await at_the_desk(world)
    instead = {"caregiver": "not_this_one", "stands_in": "teacher"}
    page = await to_place(desk, await to_consent(desk, **{**BOY, "safe_adult": "no"}), **instead)
    case = page.path.removesuffix("/refer")
    await to_sent(desk, page)
    await world.settle()
    assert "Stands in: A teacher" in (await desk.open(case)).words
    async with world["health"].database.read() as tx:
        (referral,) = (await tx.session.execute(select(Referral))).scalars().all()
        (there,) = (await tx.session.execute(select(Case))).scalars().all()
    assert referral.said is not None
    assert referral.said["child"] == {"assent": "yes", "safe_adult_present": "yes"}
    assert (there.adult, "teacher" in str(referral.said), "not_this_one" in str(referral.said)) == (None, False, False)


@on_sqlite
async def test_where_nobody_was_found_yet_no_safe_adult_is_there(world: World) -> None:
    desk = await at_the_desk(world)
    instead = {**A_CHILD, "caregiver": "not_this_one", "stands_in": "not_found"}
    await to_sent(desk, await to_place(desk, await to_consent(desk, **BOY), **instead))
    await world.settle()
    async with world["health"].database.read() as tx:
        (referral,) = (await tx.session.execute(select(Referral))).scalars().all()
    assert (referral.said or {})["child"]["safe_adult_present"] == "no"


@on_sqlite
async def test_a_safe_adult_goes_along_only_where_one_is_there_or_that_is_said_once_more(world: World) -> None:
    desk = await at_the_desk(world)
    nobody = {**A_CHILD, "caregiver": "nobody", "stands_in": "not_found"}
    doubted = {**A_CHILD, "caregiver": "not_this_one", "stands_in": "teacher"}
    for said, asked in ((nobody, "no safe adult is there"), (doubted, "is not the safe one")):
        page = await to_place(desk, await to_consent(desk, **{**BOY, "safe_adult": "no", "came_with": "relative"}), **said)
        page = await desk.send(page.form(page.path), **{**PAGE_3, "escort": "safe_adult"})
        assert (page.status, asked in page.words) == (422, True), page.words
        page = await desk.send(page.form(page.path), adult_there="yes")
        assert page.path.endswith("/card"), page.words
    page = await to_place(desk, await to_consent(desk, **{**BOY, "safe_adult": "no"}), **nobody)
    page = await desk.send(page.form(page.path), **{**PAGE_3, "escort": "safe_adult"})
    await to_sent(desk, page, escort="officer")  # or another answer
    await world.settle()
    async with world["health"].database.read() as tx:
        found = (await tx.session.execute(select(Referral).order_by(Referral.id))).scalars().all()  # type: ignore[arg-type]
    told = [(one.said or {}) for one in found]
    assert [(one["travel"]["escort"], one["child"]["safe_adult_present"]) for one in told] == [
        ("safe_adult", "yes"), ("safe_adult", "yes"), ("officer", "no"),
    ]  # fmt: skip
