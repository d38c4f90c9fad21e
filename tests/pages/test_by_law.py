"""What the law has told about a child is no consent: nobody takes it back, and it opens nothing but what the law asks for."""

import pytest
from agencies import Refused, World, open_case, refer
from desk_pages import NO_TO_ALL, at_the_desk, to_consent, to_place, to_sent
from sqlalchemy import select
from sqlmodel import col
from visitor import OWN_PAGE, Page, Visitor

from shared.casework.alarms.tables import Alarm
from shared.casework.consents.tables import Consent, ConsentEvent
from shared.casework.referrals.tables import Referral

BY_LAW = {"care": "child_protection", "place": "social_welfare/ndola_district_office", "carries": "nothing"}


async def a_childs_noes(desk: Visitor) -> Page:
    """A child who said no to everybody: page 3."""
    page = await to_consent(desk, age_band="10-14", safe_adult="here")
    return await to_place(desk, page, **NO_TO_ALL)


async def requests(world: World) -> list[Referral]:
    async with world["police"].database.read() as tx:
        return list((await tx.session.execute(select(Referral).order_by(Referral.id))).scalars())  # type: ignore[arg-type]


async def test_what_the_law_has_told_is_not_taken_back(world: World) -> None:
    desk = await at_the_desk(world)
    page = await a_childs_noes(desk)
    case = page.path.removesuffix("/refer")
    referral = await to_sent(desk, page, **BY_LAW)
    async with world["police"].database.read() as tx:
        (consent,) = (await tx.session.execute(select(Consent))).scalars()
    back = f"{case}/consents/{consent.id}/take-back"
    for address in (case, f"/referrals/{referral}", back):
        page = await desk.open(address)
        assert ("told all the same" in page.words, back in page.links) == (True, False), address
        assert back not in [form.action for form in page.forms], address
    csrf = (await desk.open(f"{case}/consent")).form(f"{case}/consent").fields["csrf"][0]
    answer = await desk.client.post(back, data={"csrf": csrf, "version": "1"}, headers=OWN_PAGE)
    assert (answer.status_code, "told all the same" in answer.text) == (409, True)
    program = await world["police"].sign_in("program")
    path = f"/cases/{case.rpartition('/')[2]}/consents/{consent.id}"
    assert (await program.ask("DELETE", path, **{"If-Match": '"1"'})).status_code == 409
    assert [r.is_open for r in await requests(world)] == [True]


async def test_what_nobody_can_take_back_is_said_before_anybody_is_asked(world: World) -> None:
    page = await Visitor(world["police"].app).open("/info")
    assert "That alone cannot be taken back" in page.words


async def test_the_law_opens_child_protection_only_and_any_other_care_without_a_message(world: World) -> None:
    desk = await at_the_desk(world)
    page = await a_childs_noes(desk)
    assert page.form(page.path).choices["care"] == ["child_protection"]
    assert "She may go along without a message" in page.words
    assert "Ndola one-stop clinic" in page.words
    case_id = page.path.split("/")[2]
    program = await world["police"].sign_in("program")
    body = {"case_id": case_id, "to_agency": "social_welfare", "to_facility": "ndola_district_office", "urgency": "urgent"}
    for services in (["psychosocial"], ["child_protection", "psychosocial"]):
        with pytest.raises(Refused, match="what the law asks for") as refused:
            await program.post("/referrals", {**body, "services": services})
        assert refused.value.status == 409
    assert await requests(world) == []
    await program.post("/referrals", {**body, "services": ["child_protection"]})


@pytest.mark.parametrize(("duty", "to"), [("court_order", "social_welfare"), ("report_of_death", "health")])
async def test_a_duty_of_which_no_rule_says_what_it_asks_for_asks_for_nothing(world: World, duty: str, to: str) -> None:
    desk = await world["police"].sign_in("desk")
    case_id, incident_id = await open_case(desk)
    by_law = {"recipient": to, "purpose": "care", "items": ["req"], "how": "spoken", "language": "bem", "basis": "legal_basis"}
    await desk.post(f"/cases/{case_id}/consents", {**by_law, "legal_duty": duty})
    with pytest.raises(Refused, match="what the law asks for") as refused:
        await refer(desk, case_id, incident_id, to)
    assert refused.value.status == 409
    assert await requests(world) == []


async def test_a_childs_no_stands_although_the_law_has_told(world: World) -> None:
    page = await a_childs_noes(await at_the_desk(world))
    program = await world["police"].sign_in("program")
    vital = {"purpose": "care", "items": ["req"], "how": "none_unconscious", "language": "bem", "basis": "vital_interest"}
    for recipient in ("health", "social_welfare"):
        with pytest.raises(Refused, match="has said no") as refused:
            await program.post(f"/cases/{page.path.split('/')[2]}/consents", {**vital, "recipient": recipient})
        assert refused.value.status == 409, recipient


async def test_along_with_care_the_law_tells_that_a_child_needs_safety_and_nothing_else(world: World) -> None:
    desk = await at_the_desk(world)
    page = await to_consent(desk, age_band="10-14", safe_adult="here")
    page = await to_place(desk, page, answer_social_welfare="no")
    form = page.form(page.path)
    assert ("acute_care" in form.choices["care"], form.choices["also_social_welfare"]) == (True, ["child_protection"])
    assert "without a message" not in page.words


async def test_who_said_no_is_not_asked_again_and_sees_where_to_go(world: World) -> None:
    desk = await at_the_desk(world)
    page = await to_consent(desk)
    address = page.path.removesuffix("/consent") + "/refer"
    assert "Nobody may know yet" in (await desk.open(address)).words
    page = await to_place(desk, page, **NO_TO_ALL)
    assert ("She said no" in page.words, "She may go along without a message" in page.words) == (True, True)
    assert ("Ask first" in page.words, "Ndola one-stop clinic" in page.words) == (False, True)
    assert ("/work" in page.links, [f for f in page.forms if f.action == address]) == (True, [])


async def a_childs_yes(world: World, desk: Visitor) -> tuple[str, str]:
    """A child's request to the clinic, with which the social worker is told: (the case's address, where her yes is taken back)."""
    page = await to_place(desk, await to_consent(desk, age_band="10-14", safe_adult="here"))
    case = page.path.removesuffix("/refer")
    await to_sent(desk, page)
    await world.settle()
    async with world["police"].database.read() as tx:
        query = select(Consent).where(Consent.recipient == "social_welfare")  # type: ignore[arg-type]
        consent = (await tx.session.execute(query)).scalars().one()
    return case, f"{case}/consents/{consent.id}/take-back"


async def at_the_office(world: World) -> list[tuple[bool, list[str], str | None, bool]]:
    """What the office holds: whether it is open, what is asked, on which basis, and whether anything of her goes along."""
    async with world["social_welfare"].database.read() as tx:
        rows = (await tx.session.execute(select(Referral).order_by(Referral.id))).scalars()  # type: ignore[arg-type]
        return [(r.is_open, r.services, (r.said or {}).get("basis"), "needs" in (r.said or {})) for r in rows]


@pytest.mark.parametrize("way", ["button", "program"])
async def test_a_childs_yes_that_is_taken_back_leaves_what_the_law_asks_for(world: World, way: str) -> None:
    desk = await at_the_desk(world)
    case, back = await a_childs_yes(world, desk)
    page = await desk.open(back)
    assert "By law they are told all the same" in page.words
    if way == "button":
        form = page.form(back)
        for _tap in range(2):
            page = await desk.send(form)
            assert (page.path.partition("?")[0], "It is taken back." in page.words) == (case, True)
    else:
        program = await world["police"].sign_in("program")
        path = f"/cases/{case.rpartition('/')[2]}/consents/{back.split('/')[-2]}"
        for _time in range(2):
            assert (await program.ask("DELETE", path, **{"If-Match": '"1"'})).status_code in {200, 412}
    await world.settle()
    former, anew = await at_the_office(world)
    assert former[0] is False
    assert anew == (True, ["child_protection"], "legal_basis", False)
    async with world["police"].database.read() as tx:  # nobody was asked about the duty, and nothing says that anybody was
        duty = (await tx.session.execute(select(Consent).where(col(Consent.basis) == "legal_basis"))).scalar_one()
        version = (await tx.session.execute(select(ConsentEvent).where(col(ConsentEvent.consent_id) == duty.id))).scalar_one()
    assert (duty.how, duty.language, version.how, version.interpreter) == ("by_law", "und", "by_law", False)
    async with world["police"].database.read() as tx:
        query = select(Consent).where(Consent.recipient == "social_welfare").order_by(Consent.id)  # type: ignore[arg-type]
        kept = [(c.basis, c.taken_back_at is None) for c in (await tx.session.execute(query)).scalars()]
    assert kept == [("consent", False), ("legal_basis", True)]
    assert "nobody can take it back" in (await desk.open(case)).words


async def test_nothing_is_issued_anew_for_a_grown_woman_who_takes_her_yes_back(world: World) -> None:
    desk = await at_the_desk(world)
    page = await to_place(desk, await to_consent(desk))
    case = page.path.removesuffix("/refer")
    await to_sent(desk, page)
    await world.settle()
    async with world["police"].database.read() as tx:
        consents = list((await tx.session.execute(select(Consent))).scalars())
    for consent in consents:
        back = f"{case}/consents/{consent.id}/take-back"
        page = await desk.open(back)
        assert "By law they are told" not in page.words
        await desk.send(page.form(back))
    await world.settle()
    assert [r.is_open for r in await requests(world)] == [False, False]
    async with world["police"].database.read() as tx:
        assert len(list((await tx.session.execute(select(Consent))).scalars())) == len(consents)


async def test_an_older_yes_that_is_taken_back_leaves_the_newer_one_on_which_the_law_alone_is_told(world: World) -> None:
    desk = await at_the_desk(world)
    case, back = await a_childs_yes(world, desk)
    page = await desk.open(f"{case}/consent")
    await to_place(desk, page)  # asked again: yes
    await desk.send((await desk.open(back)).form(back))
    await world.settle()
    former, anew = await at_the_office(world)
    assert (former[0], anew) == (False, (True, ["child_protection"], "consent", False))  # nothing else, as the page says


async def alarms(world: World) -> list[str]:
    async with world["police"].database.read() as tx:
        return list((await tx.session.execute(select(Alarm.kind).where(Alarm.resolved_at.is_(None)))).scalars())  # type: ignore[union-attr, call-overload]


@pytest.mark.parametrize("what", ["pathway", "agency"])
async def test_a_childs_yes_is_taken_back_though_nobody_is_left_to_tell(world: World, what: str) -> None:
    desk = await at_the_desk(world)
    case, back = await a_childs_yes(world, desk)
    here = world["police"].here
    pairs = [pair for pair in here.network.pairs if "social_welfare" not in pair]
    agencies = {name: entry for name, entry in here.network.agencies.items() if what == "pathway" or name != "social_welfare"}
    object.__setattr__(here, "network", here.network.model_copy(update={"pairs": tuple(pairs), "agencies": agencies}))
    page = await desk.open(back)
    page = await desk.send(page.form(back))
    assert (page.path, page.status) == (f"{case}?done=taken_back", 200)
    async with world["police"].database.read() as tx:
        query = select(Consent).where(Consent.recipient == "social_welfare")  # type: ignore[arg-type]
        assert [c.taken_back_at is None for c in (await tx.session.execute(query)).scalars()] == [False]
    assert [r.is_open for r in await requests(world) if r.recipient == "social_welfare"] == [False]
    assert ("nobody_to_tell_by_law" in await alarms(world)) is (what == "pathway")


async def test_a_childs_yes_is_taken_back_though_a_duty_of_another_kind_has_taken_its_place(world: World) -> None:
    desk = await at_the_desk(world)
    case, back = await a_childs_yes(world, desk)
    program = await world["police"].sign_in("program")
    order = {"recipient": "social_welfare", "purpose": "care", "items": ["req"], "how": "spoken", "language": "bem",
             "basis": "legal_basis", "legal_duty": "court_order"}  # fmt: skip
    await program.post(f"/cases/{case.rpartition('/')[2]}/consents", order)
    assert (await desk.send((await desk.open(back)).form(back))).path == f"{case}?done=taken_back"
    assert [r.is_open for r in await requests(world) if r.recipient == "social_welfare"] == [False]
    assert "nobody_to_tell_by_law" in await alarms(world)
