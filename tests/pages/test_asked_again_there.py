"""Who has come is asked once more before anything beyond the request is used: item by item, kept with how, and a no hides it."""

from typing import Any
from uuid import UUID

import pytest
from agencies import Refused, World, consent, open_case, refer
from desk_pages import at_the_desk
from sqlalchemy import select
from visitor import Visitor

from shared.casework.cases.tables import Case
from shared.casework.messages.tables import Message
from shared.casework.referrals.tables import SaidAgain
from shared.contracts.casework.codes import Role
from shared.exchange.tables import OutboxRow

on_sqlite = pytest.mark.parametrize("world", ["sqlite"], indirect=True)


async def she_came(world: World) -> tuple[Visitor, str]:
    """A nurse, and the referral of somebody who has come, of whom more was told than the request."""
    desk, nurse = await world["police"].sign_in("desk"), await at_the_desk(world, "health", Role.CLINICIAN)
    case, incident = await open_case(desk)
    await consent(desk, case, "health", "needs", "relay", "type")
    person = {"age_band": "18-24", "sex": "female", "language": "bem"}
    sent = await refer(desk, case, incident, "health", needs=person)
    await world.settle()
    referral = f"/referrals/{sent['id']}"
    page = await nurse.open(referral)
    assert f"{referral}/asked/again" not in page.links  # nobody can ask her yet
    assert "Nobody is asked before she or he is here." in (await nurse.open(f"{referral}/asked/again")).words
    await nurse.send(page.form(f"{referral}/arrive"))
    return nurse, referral


async def kept(world: World) -> list[tuple[str, bool, str]]:
    async with world["health"].database.read() as tx:
        rows = (await tx.session.execute(select(SaidAgain).order_by(SaidAgain.id))).scalars()  # type: ignore[arg-type]
        return [(row.item, row.agreed, row.how) for row in rows]


async def said(world: World) -> int:
    async with world["health"].database.read() as tx:
        return len((await tx.session.execute(select(OutboxRow))).scalars().all())


async def test_one_question_an_item_kept_with_how_and_told_to_nobody(world: World) -> None:
    nurse, referral = await she_came(world)
    page = await nurse.open(referral)
    assert "not asked again here yet" in page.words
    page = await nurse.open(f"{referral}/asked/again")
    form = page.form(f"{referral}/asked/again")
    assert {name for name in form.choices if name.startswith("again_")} == {"again_needs", "again_type"}
    before = await said(world)
    page = await nurse.send(form, again_needs="yes", again_type="yes", how="thumb")
    assert page.path == referral
    assert await kept(world) == [("needs", True, "thumb"), ("type", True, "thumb")]
    assert await said(world) == before
    assert ("not asked again here yet" in page.words, "Kind of violence" in page.words) == (False, True)
    assert "Asked again here what may be used" in page.words


@on_sqlite
async def test_a_no_hides_it_and_a_yes_later_shows_it_again(world: World) -> None:
    nurse, referral = await she_came(world)
    page = await nurse.open(f"{referral}/asked/again")
    page = await nurse.send(page.form(f"{referral}/asked/again"), again_needs="no", again_type="no", how="spoken")
    assert "Not used here, the answer was no: kind of violence" in page.words
    assert "18 to 24" not in page.words
    case = await nurse.open(next(link for link in page.links if link.startswith("/cases/")))
    assert "18 to 24" not in case.words
    async with world["health"].database.read() as tx:
        assert [row.needs for row in (await tx.session.execute(select(Case))).scalars()] == [None]
    page = await nurse.open(f"{referral}/asked/again")
    assert "The last answer here" in page.words
    page = await nurse.send(page.form(f"{referral}/asked/again"), again_needs="yes", how="spoken")
    assert "18 to 24" in page.words


@on_sqlite
async def test_what_she_said_no_to_stands_on_no_list_no_page_of_care_and_in_no_answer(world: World) -> None:
    nurse, referral = await she_came(world)
    api = await world["health"].sign_in("nurse-9")
    places = ("/work", "/here-now", f"/care/{referral.rsplit('/', 1)[1]}")
    for path in places:
        assert "18 to 24" in (await nurse.open(path)).words, path
    assert {"needs", "incident_class"} <= (await api.get(referral))["content"].keys()
    page = await nurse.open(f"{referral}/asked/again")
    await nurse.send(page.form(f"{referral}/asked/again"), again_needs="no", again_type="no", how="spoken")
    for path in places:
        assert "18 to 24" not in (await nurse.open(path)).words, path
    for content in ((await api.get(referral))["content"], (await api.get("/referrals"))["items"][0]["content"]):
        assert {"needs", "incident_class"}.isdisjoint(content)
    page = await nurse.open(f"{referral}/asked/again")
    await nurse.send(page.form(f"{referral}/asked/again"), again_needs="yes", how="spoken")
    assert "18 to 24" in (await nurse.open("/here-now")).words


@on_sqlite
async def test_without_an_answer_nothing_is_kept_and_it_is_said_where(world: World) -> None:
    nurse, referral = await she_came(world)
    page = await nurse.open(f"{referral}/asked/again")
    page = await nurse.send(page.form(f"{referral}/asked/again"), how="spoken")
    assert (page.status, "mark at least one answer" in page.words) == (422, True)
    assert await kept(world) == []


@on_sqlite
async def test_a_no_to_messages_there_stops_them(world: World) -> None:
    desk, nurse = await world["police"].sign_in("desk"), await world["health"].sign_in("nurse")
    visitor = await at_the_desk(world, "health", Role.CLINICIAN)
    case = (await desk.post("/cases", {"relay": {"safe_hours": "morning"}}))["id"]
    await consent(desk, case, "health", "relay")
    sent: dict[str, Any] = await refer(desk, case, None, "health")
    await world.settle()
    await nurse.post(f"/referrals/{sent['id']}/messages", {"code": "bring_card"})  # she cannot be asked while she is away
    await nurse.post(f"/referrals/{sent['id']}/arrive")
    page = await visitor.open(f"/referrals/{sent['id']}/asked/again")
    page = await visitor.send(page.form(page.path), again_relay="no", how="spoken")
    assert f"/referrals/{sent['id']}/messages/new" not in page.links
    with pytest.raises(Refused, match="said no here"):
        await nurse.post(f"/referrals/{sent['id']}/messages", {"code": "bring_card"})


async def waits_to_be_passed_on(world: World) -> tuple[Any, Visitor, str, dict[str, Any]]:
    """A desk, its visitor, and its case, of which the clinic has asked that a message be passed on."""
    desk, nurse = await world["police"].sign_in("desk"), await world["health"].sign_in("nurse")
    visitor = await at_the_desk(world, "police", Role.OFFICER)
    case = (await desk.post("/cases", {"relay": {"safe_hours": "morning"}}))["id"]
    agreed = await consent(desk, case, "health", "relay")
    sent = await refer(desk, case, None, "health")
    await world.settle()
    await nurse.post(f"/referrals/{sent['id']}/messages", {"code": "bring_card"})
    await world.settle()
    return desk, visitor, case, agreed


async def test_a_message_is_asked_of_nobody_once_her_consent_is_taken_back(world: World) -> None:
    desk, visitor, case, agreed = await waits_to_be_passed_on(world)
    assert "Messages to pass on" in (await visitor.open("/work")).words
    async with world["police"].database.read() as tx:
        (message,) = (await tx.session.execute(select(Message))).scalars()
    await desk.take_back(case, agreed)
    assert "Messages to pass on" not in (await visitor.open("/work")).words
    with pytest.raises(Refused, match="answered already"):
        await desk.post(f"/messages/{message.id}/answer", {"answer": "passed_on"})
    await world.settle()
    async with world["police"].database.read() as tx:
        assert "message.answered" not in {row.type for row in (await tx.session.execute(select(OutboxRow))).scalars()}


@on_sqlite
async def test_beside_a_message_stand_the_hours_that_she_says_now(world: World) -> None:
    desk, visitor, case, _agreed = await waits_to_be_passed_on(world)
    assert "Safe in the morning." in (await visitor.open("/work")).words
    async with world["police"].database.write() as tx:
        (await tx.session.get_one(Case, UUID(case))).relay = {"safe_hours": "evening"}
    assert "Safe in the evening." in (await visitor.open("/work")).words
    await consent(desk, case, "health")  # asked again: the request yes, messages no
    page = await visitor.open("/work")
    assert ("Safe in" in page.words, "Do not call or visit." in page.words) == (False, True)


@on_sqlite
@pytest.mark.parametrize("basis", ["consent", "legal_basis"])
async def test_what_belongs_to_a_childs_request_goes_on_with_the_request(world: World, basis: str) -> None:
    """That there is no safe adult belongs to what is asked for: nobody is asked about it again, and welfare has to know it."""
    desk, nurse = await world["police"].sign_in("desk"), await at_the_desk(world, "health", Role.CLINICIAN)
    girl = {
        "needs": {"age_band": "10-14", "sex": "female", "language": "bem"},
        "child": {"assent": "yes", "safe_adult_present": "no"},
    }
    case = (await desk.post("/cases", girl))["id"]
    incident = await desk.post(f"/cases/{case}/incidents", {"incident_type": "rape"})
    await consent(desk, case, "health", "needs")
    sent = await refer(desk, case, incident["id"], "health")
    await world.settle()
    page = await nurse.open(f"/referrals/{sent['id']}")
    await nurse.send(page.form(f"/referrals/{sent['id']}/arrive"))
    clinic, welfare = await world["health"].sign_in("nurse"), await world["social_welfare"].sign_in("worker")
    (there,) = (await clinic.get("/cases"))["items"]
    by_law = {"basis": "legal_basis", "legal_duty": "child_protection_law"} if basis == "legal_basis" else {}
    await consent(clinic, there["id"], "social_welfare", *(() if by_law else ("needs",)), **by_law)
    on = await refer(clinic, there["id"], None, "social_welfare", services=["child_protection"])
    await world.settle()
    content = (await welfare.get(f"/referrals/{on['id']}"))["content"]
    assert content["child"] == {"assent": "yes", "safe_adult_present": "no"}
    assert content.get("needs") is None  # nobody has asked her there whether that may go on


async def test_what_was_told_here_goes_on_to_others_only_where_she_said_yes_here_too(world: World) -> None:
    nurse, referral = await she_came(world)
    clinic, welfare = await world["health"].sign_in("nurse"), await world["social_welfare"].sign_in("worker")
    case = (await clinic.get("/cases?limit=1"))["items"][0]["id"]
    await consent(clinic, case, "social_welfare", "needs", "relay")

    async def told_on(service: str) -> Any:
        sent = await refer(clinic, case, None, "social_welfare", services=[service])
        await world.settle()
        return (await welfare.get(f"/referrals/{sent['id']}"))["content"].get("needs")

    assert await told_on("psychosocial") is None
    page = await nurse.open(f"{referral}/asked/again")
    await nurse.send(page.form(page.path), again_needs="yes", how="spoken")
    assert (await told_on("shelter"))["age_band"] == "18-24"
    page = await nurse.open(f"{referral}/asked/again")
    await nurse.send(page.form(page.path), again_needs="no", how="spoken")
    assert await told_on("court_support") is None


async def test_what_somebody_else_answered_in_her_place_is_forgotten_with_the_arrival(world: World) -> None:
    nurse, referral = await she_came(world)
    page = await nurse.open(f"{referral}/asked/again")
    await nurse.send(page.form(f"{referral}/asked/again"), again_needs="no", again_type="yes", how="spoken")
    page = await nurse.open(f"{referral}/not-here")
    await nurse.send(page.form(f"{referral}/not-here"))
    assert await kept(world) == []
    page = await nurse.open(referral)
    assert "18 to 24" in page.words  # as it was told, to be ready for her
    page = await nurse.send(page.form(f"{referral}/arrive"))
    assert "not asked again here yet" in page.words
