"""At the door: no other desk's survivor is picked from a list, and care without a request is kept like any other."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from agencies import World, consent, open_case, refer
from shift import SENDING, asked, declined, nurse, officer, sent
from sqlalchemy import select
from sqlmodel import col
from statements import statements_of
from visitor import Form, Page, Visitor

from services.health.care.tables import CareGiven
from shared.casework.accounts.commands import find_account
from shared.casework.accounts.tables import CaseRead
from shared.casework.arrivals.commands import CODE_LIFE_ENDED
from shared.casework.eyes.barred import bar
from shared.casework.here import Actor
from shared.casework.referrals.domain import CODE_ATTEMPTS_MAX, CODE_ATTEMPTS_WINDOW
from shared.casework.referrals.tables import CodeAttempt, Referral, WalkIn
from shared.contracts.casework.codes import Role
from shared.kit.ids import new_id

ELSEWHERE = "ndola_hospital"
SENT_FROM = "police/ndola_central_vsu"
WITHOUT = ("without", "yes")
TODAY = "2026-01-05"  # where the clock of the tests stands


async def a_request(world: World) -> tuple[str, str]:
    """A referral to the clinic: (id, the code that she may speak)."""
    desk = await world["police"].sign_in("desk")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "fb", "needs")
    issued = await refer(desk, case_id, incident_id, "health")
    await world.settle()
    return issued["id"], (await desk.get(f"/referrals/{issued['id']}"))["arrival_code"]


async def somebody_is_here(visitor: Visitor, code: str = "") -> Page:
    """Keeps an arrival; the page on which it is matched."""
    said: dict[str, Any] = {"code": code} if code else {}
    page = await visitor.send((await visitor.open("/arrivals/new")).form("/arrivals/new"), **said)
    if page.path.partition("?")[0] == "/arrivals/new":  # the number was not found, and was read again
        page = await visitor.send(page.form("/arrivals/new"), button=WITHOUT)
    if not page.path.partition("?")[0].endswith("/match"):
        page = await visitor.open(next(one for one in page.links if one.endswith("/match")))
    return page


async def arrived(world: World, visitor: Visitor) -> tuple[str, str]:
    """Somebody who was sent to the clinic has come: the addresses of her referral and of her care."""
    _case, referral = await sent(world, await officer(world))
    await visitor.send((await visitor.open(referral)).form(f"{referral}/arrive"))
    return referral, f"/care/{referral.rpartition('/')[2]}"


async def test_the_page_asks_when_somebody_arrived_and_at_which_of_our_places(world: World) -> None:
    page = await (await nurse(world, facility=None)).open("/arrivals/new")  # whoever works for several doors, one of them on paper
    assert "When did she or he arrive?" in page.words
    assert "At which of our places?" in page.words
    assert "When did it happen" not in page.words  # at a desk that is asked of the assault


async def test_a_request_of_another_desk_is_not_in_the_list_and_cannot_be_named(world: World) -> None:
    referral_id, _code = await a_request(world)
    visitor = await nurse(world, "nurse-9", ELSEWHERE)
    page = await somebody_is_here(visitor)
    assert "From" not in page.words
    assert all("referral_id" not in form.choices for form in page.forms)
    csrf = page.form(page.path).fields["csrf"]
    answer = await visitor.client.post(page.path, data={"csrf": csrf, "way": "list", "referral_id": referral_id})
    assert answer.status_code == 404
    program = await world["health"].sign_in("program", facility=ELSEWHERE)
    walk_in = (await program.post("/arrivals"))["arrival_id"]
    refused = await program.ask("POST", f"/arrivals/{walk_in}/match", {"referral_id": referral_id})
    assert refused.status_code == 404
    async with world["health"].database.read() as tx:
        referral = (await tx.session.execute(select(Referral))).scalars().one()
        assert (referral.desk, referral.state) == ("ndola_clinic", "issued")


def said_form(page: Page) -> Form:
    return next(f for f in page.forms if f.fields.get("way") == ["said"])


async def attempts(world: World) -> int:
    async with world["health"].database.read() as tx:
        return len(list((await tx.session.execute(select(CodeAttempt))).scalars()))


async def looks(world: World, referral_id: str) -> list[str]:
    """What was looked at of a request's case at the clinic's side, in order."""
    async with world["health"].database.read() as tx:
        referral = await tx.session.get(Referral, UUID(referral_id))
        assert referral is not None
        query = select(CaseRead).where(col(CaseRead.case_id) == referral.case_id).order_by(col(CaseRead.id))
        return [row.what for row in (await tx.session.execute(query)).scalars()]


async def test_a_request_of_another_desk_is_found_by_three_things_together_and_the_look_is_kept(world: World) -> None:
    referral_id, code = await a_request(world)
    visitor = await nurse(world, "nurse-9", ELSEWHERE)
    page = await somebody_is_here(visitor)
    half = await visitor.send(said_form(page), code=code)
    assert (half.status, "who sent" in half.words, "the day on which" in half.words) == (422, True, True)
    for sent_from, sent_on in (("police/masaiti_vsu", TODAY), (SENT_FROM, "2026-01-03")):
        refused = await visitor.send(said_form(page), code=code, sent_from=sent_from, sent_on=sent_on)
        assert "No request of this agency has that number" in refused.words
        assert "Bemba" not in refused.words
    assert (await attempts(world), await looks(world, referral_id)) == (2, ["number", "number"])
    page = await visitor.send(said_form(page), code=code, sent_from=SENT_FROM, sent_on="2026-01-04")  # she is off by a night
    assert page.path == f"/referrals/{referral_id}", page.words
    assert await looks(world, referral_id) == ["number", "number", "referral"]  # found, and opened with the same tap


async def test_a_number_that_fits_a_stranger_elsewhere_is_asked_about_like_one_that_fits_nobody(world: World) -> None:
    referral_id, code = await a_request(world)
    visitor = await nurse(world, "nurse-9", ELSEWHERE)
    nobodys = await somebody_is_here(visitor, "000000" if code != "000000" else "000001")
    strangers = await somebody_is_here(visitor, code)
    assert "No open request of this desk has that number. Ask who sent her or him, and when." in strangers.words
    assert strangers.words == nobodys.words
    assert (await attempts(world), await looks(world, referral_id)) == (2, ["number"])
    async with world["health"].database.read() as tx:
        referral = (await tx.session.execute(select(Referral))).scalars().one()
        assert (referral.desk, referral.state) == ("ndola_clinic", "issued")
    there = await nurse(world, "nurse-1")  # whoever keeps her case can tell her
    case = next(link for link in (await there.open(f"/referrals/{referral_id}")).links if link.startswith("/cases/"))
    assert "Typed a number at a door" in (await there.open(f"{case}/looked")).words


async def test_a_number_of_what_has_ended_is_asked_about_too_and_found_for_thirty_days(world: World) -> None:
    referral_id, code = await a_request(world)
    clinic = await world["health"].sign_in("clinic", facility="ndola_clinic")
    await clinic.post(f"/referrals/{referral_id}/decline", {"reason_code": "no_place"})
    visitor = await nurse(world)
    page = await somebody_is_here(visitor, code)
    assert "No open request of this desk has that number" in page.words
    page = await visitor.send(said_form(page), code=code, sent_from=SENT_FROM, sent_on=TODAY)
    assert page.path == f"/referrals/{referral_id}", page.words
    assert "came_after_the_end" in {alarm["kind"] for alarm in (await clinic.get("/alarms"))["items"]}

    said = {"code": code, "sent_from": SENT_FROM, "sent_on": TODAY}
    world.clock.advance(CODE_LIFE_ENDED - timedelta(seconds=1))
    walk_in = (await clinic.post("/arrivals"))["arrival_id"]
    assert (await clinic.post(f"/arrivals/{walk_in}/match", said))["matched"]
    world.clock.advance(timedelta(seconds=1))
    walk_in = (await clinic.post("/arrivals"))["arrival_id"]
    assert not (await clinic.post(f"/arrivals/{walk_in}/match", said))["matched"]


async def test_a_number_of_what_is_open_lives_longer_than_one_of_what_has_ended(world: World) -> None:
    referral_id, code = await a_request(world)
    clinic = await world["health"].sign_in("clinic", facility="ndola_clinic")
    world.clock.advance(2 * CODE_LIFE_ENDED)
    assert (await clinic.post("/arrivals", {"code": code}))["referral"]["id"] == referral_id
    assert "referral" in await looks(world, referral_id)  # what is answered is a look


async def test_whoever_a_case_is_kept_from_learns_nothing_of_it_by_her_number_either(world: World) -> None:
    """A relative of hers on the staff, who has found her slip at home."""
    referral_id, code = await a_request(world)
    relative = await world["health"].sign_in("relative", facility="ndola_clinic")
    async with world["health"].database.write() as tx:
        referral = await tx.session.get_one(Referral, UUID(referral_id))
        await bar(tx, await find_account(tx, "relative"), referral.case_id, Actor(new_id(), "another", Role.SUPERVISOR, None))
    answer = await relative.post("/arrivals", {"code": code})
    assert (answer["referral"], answer["matched"], answer["case_id"] == str(referral.case_id)) == (None, False, False)
    said = {"code": code, "sent_from": SENT_FROM, "sent_on": TODAY}
    assert not (await relative.post(f"/arrivals/{answer['arrival_id']}/match", said))["matched"]
    async with world["health"].database.read() as tx:
        assert (await tx.session.get_one(Referral, UUID(referral_id))).arrived_at is None
    assert "number" in await looks(world, referral_id)  # that it was tried stands in her log
    colleague = await world["health"].sign_in("colleague", facility="ndola_clinic")
    assert (await colleague.post("/arrivals", {"code": code}))["matched"]


@pytest.mark.parametrize("code", ["12345", "1234567", "12e456"])
async def test_a_number_that_cannot_be_one_is_told_at_its_field_and_costs_no_attempt(world: World, code: str) -> None:
    visitor = await nurse(world)
    page = await visitor.send((await visitor.open("/arrivals/new")).form("/arrivals/new"), code=code)
    assert (page.status, "The number has six digits." in page.words) == (422, True)
    assert page.form("/arrivals/new").fields["code"] == [code]
    match = await somebody_is_here(visitor)
    page = await visitor.send(said_form(match), code=code, sent_from=SENT_FROM, sent_on=TODAY)
    assert (page.status, "The number has six digits." in page.words) == (422, True)
    assert await attempts(world) == 0


async def test_guessing_by_three_things_is_stopped_like_any_guessing(world: World) -> None:
    referral_id, code = await a_request(world)
    program = await world["health"].sign_in("program", facility=ELSEWHERE)
    walk_in = (await program.post("/arrivals"))["arrival_id"]
    wrong = "000000" if code != "000000" else "000001"
    for _ in range(CODE_ATTEMPTS_MAX):
        assert not (await program.post(f"/arrivals/{walk_in}/match", {"code": wrong, "sent_from": SENT_FROM, "sent_on": TODAY}))[
            "matched"
        ]
    right = {"code": code, "sent_from": SENT_FROM, "sent_on": TODAY}
    assert not (await program.post(f"/arrivals/{walk_in}/match", right))["matched"]
    world.clock.advance(CODE_ATTEMPTS_WINDOW + timedelta(seconds=1))
    found = await program.post(f"/arrivals/{walk_in}/match", right)
    assert found["referral"]["id"] == referral_id


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": "123456"},
        {"sent_from": SENT_FROM},
        {"code": "123456", "sent_from": SENT_FROM},
        {"referral_id": "x", "code": "1"},
    ],
)
async def test_a_match_names_one_way(world: World, body: dict[str, str]) -> None:
    program = await world["health"].sign_in("program", facility=ELSEWHERE)
    walk_in = (await program.post("/arrivals"))["arrival_id"]
    assert (await program.ask("POST", f"/arrivals/{walk_in}/match", body)).status_code == 422


async def test_care_without_a_request_is_kept_on_the_same_page_and_nothing_is_sent(world: World) -> None:
    visitor = await nurse(world)
    page = await visitor.send((await visitor.open("/arrivals/new")).form("/arrivals/new"))
    care = next(one for one in page.links if one.startswith("/care/arrivals/"))
    case = next(one for one in page.links if one.startswith("/cases/"))
    assert care in (await visitor.open(case)).links
    form = (await visitor.open(care)).form(care)
    assert "feedback" not in form.choices
    page = await visitor.send(form, care_pep="given", care_tetanus="refused", next_visit="2026-02-01")
    assert page.path == "/here-now", page.words
    page = await visitor.open(care)
    assert page.form(care).fields["care_pep"] == ["given"]
    assert care in (await visitor.open("/here-now")).links
    page = await visitor.send(page.form(care), button=("then", "close"), outcome_code="served")
    assert "something was not given; choose how it ended" in page.words  # she said no to one of them
    page = await visitor.send(page.form(care), button=("then", "close"), outcome_code="")
    assert care not in page.links  # it is finished, and stands in nobody's way
    assert visitor_can_add(await visitor.open(care), care)
    await world["health"].flush()
    assert not world["health"].line
    async with world["health"].database.read() as tx:
        walk_in = (await tx.session.execute(select(WalkIn))).scalars().one()
        assert (walk_in.outcome, walk_in.ended_at is not None) == ("served_partly", True)


def visitor_can_add(page: Page, address: str) -> bool:
    return any(action != "/hide" for _name, _value, action in page.form(address).buttons)


async def test_care_that_was_given_before_the_request_was_known_stays_with_it(world: World) -> None:
    desk = await officer(world)
    _case, referral = await sent(world, desk)
    visitor = await nurse(world)
    page = await somebody_is_here(visitor)
    match = page.path
    care = next(one for one in page.links if one.startswith("/care/arrivals/"))
    await visitor.send((await visitor.open(care)).form(care), care_pep="given")
    form = next(f for f in (await visitor.open(match)).forms if "referral_id" in f.choices)
    page = await visitor.send(form, referral_id=referral.rpartition("/")[2])
    assert page.path == referral
    page = await visitor.open(care)
    assert page.path == f"/care/{referral.rpartition('/')[2]}"
    assert page.form(page.path).fields["care_pep"] == ["given"]
    again = await visitor.send(page.form(page.path), care_tetanus="given")
    assert again.status == 200
    async with world["health"].database.read() as tx:
        kept = [(row.care, row.referral_id is None) for row in (await tx.session.execute(select(CareGiven))).scalars()]
    assert sorted(kept) == [("pep", True), ("tetanus", False)]


async def test_a_line_that_was_corrected_counts_as_it_stands_now(world: World) -> None:
    visitor = await nurse(world)
    referral, care = await arrived(world, visitor)
    await visitor.send((await visitor.open(care)).form(care), care_pep="none_in_stock")
    await visitor.send((await visitor.open(care)).form(care), button=("then", "close"), care_pep="given")
    page = await visitor.open(referral)
    assert "Everything was given" in page.words
    # What is finished still leads to her file and to what was given.
    assert {care, next(one for one in page.links if one.startswith("/cases/"))} <= set(page.links)


async def test_what_was_given_can_be_kept_after_the_end(world: World) -> None:
    visitor = await nurse(world)
    referral, care = await arrived(world, visitor)
    await visitor.send((await visitor.open(care)).form(care), button=("then", "close"), care_pep="given")
    page = await visitor.open(care)
    assert visitor_can_add(page, care)
    page = await visitor.send(page.form(care), care_tetanus="given")
    assert page.path == referral, page.words
    assert (await visitor.open(care)).form(care).fields["care_tetanus"] == ["given"]


async def test_a_police_post_ends_an_arrival_without_a_request(world: World) -> None:
    desk = await officer(world)
    page = await somebody_is_here(desk)
    end = page.path.removesuffix("/match") + "/end"
    page = await desk.send(page.form(end))
    assert page.path == "/here-now"
    assert not any(one.endswith("/match") for one in page.links)


async def test_a_colleagues_correction_is_not_undone_by_a_page_that_was_opened_before(world: World) -> None:
    one, two = await nurse(world), await nurse(world, "nurse-2")
    referral, care = await arrived(world, one)
    await one.send((await one.open(care)).form(care), care_pep="none_in_stock")
    before = (await two.open(care)).form(care)
    await one.send((await one.open(care)).form(care), care_pep="given")
    page = await two.send(before, care_tetanus="given")  # she says nothing of the first line
    assert page.path == referral, page.words
    assert (await two.open(care)).form(care).fields["care_pep"] == ["given"]
    page = await two.send(before, care_pep="refused")  # she does: with what she could not know
    assert (page.status, "has just kept “Given” here" in page.words) == (422, True)
    await two.send(page.form(care))  # knowing it, she says it again
    assert (await two.open(care)).form(care).fields["care_pep"] == ["refused"]


async def people(world: World) -> int:
    async with world["health"].database.read() as tx:
        return len(list((await tx.session.execute(select(WalkIn))).scalars()))


async def test_nobody_is_entered_for_a_number_that_is_not_found_before_that_was_asked(world: World) -> None:
    referral_id, code = await a_request(world)
    wrong = "000000" if code != "000000" else "000001"
    visitor = await nurse(world)
    page = await visitor.open("/arrivals/new")
    assert WITHOUT not in [(name, value) for name, value, _to in page.form("/arrivals/new").buttons]
    for tried in range(1, 3):
        page = await visitor.send(page.form("/arrivals/new"), code=wrong)
        assert (page.status, "No open request of this desk has that number" in page.words) == (422, True)
        assert page.form("/arrivals/new").fields["code"] == [wrong]  # to be read again
        assert (await people(world), await attempts(world)) == (0, tried)
    there = await visitor.send(page.form("/arrivals/new"), button=WITHOUT)
    assert (there.path.endswith("/match?unknown=number"), await people(world), await attempts(world)) == (True, 1, 2)
    page = await visitor.send(page.form("/arrivals/new"), code=code)
    assert (page.path, await people(world)) == (f"/referrals/{referral_id}", 1)


async def test_too_many_numbers_are_told_as_that_and_care_goes_on(world: World) -> None:
    _id, code = await a_request(world)
    wrong = "000000" if code != "000000" else "000001"
    visitor = await nurse(world)
    page = await visitor.open("/arrivals/new")
    for _ in range(CODE_ATTEMPTS_MAX):
        page = await visitor.send(page.form("/arrivals/new"), code=wrong)
        assert "Too many numbers" not in page.words
    page = await visitor.send(page.form("/arrivals/new"), code=code)
    assert (page.status, "Too many numbers were tried" in page.words) == (422, True)
    assert "No open request" not in page.words
    match = await visitor.send(page.form("/arrivals/new"), button=WITHOUT)
    page = await visitor.send(said_form(match), code=code, sent_from=SENT_FROM, sent_on=TODAY)
    assert ("Too many numbers were tried" in page.words, "No request of this agency" in page.words) == (True, False)


async def test_an_arrival_by_mistake_is_never_matched_to_a_request(world: World) -> None:
    await sent(world, await officer(world))
    visitor = await nurse(world)
    await somebody_is_here(visitor)
    page = await visitor.open("/here-now")
    match = await visitor.open(next(one for one in page.links if one.endswith("/match")))
    end = next(one for one in page.links if one.endswith("/end"))
    await visitor.send((await visitor.open(end)).form(end))
    form = next(form for form in match.forms if "referral_id" in form.choices)  # it stood open on another screen
    page = await visitor.send(form, referral_id=form.choices["referral_id"][0])
    assert (page.status, "was entered by mistake" in page.words) == (422, True)
    async with world["health"].database.read() as tx:
        (referral,) = (await tx.session.execute(select(Referral))).scalars()
    assert referral.arrived_at is None


async def test_an_arrival_by_mistake_is_ended_as_that_and_nothing_is_sent(world: World) -> None:
    visitor = await nurse(world)
    await somebody_is_here(visitor)
    page = await visitor.open("/here-now")
    case = next(one for one in page.links if one.startswith("/cases/"))
    end = next(one for one in page.links if one.endswith("/end"))
    page = await visitor.open(end)
    assert "Only where nobody came" in page.words
    page = await visitor.send(page.form(end))
    assert (page.path, end in page.links) == ("/here-now", False)
    assert "Entered in error" in (await visitor.open(case)).words
    page = await visitor.open(end)
    assert end not in [form.action for form in page.forms]
    await world["health"].flush()
    assert not world["health"].line
    async with world["health"].database.read() as tx:
        walk_in = (await tx.session.execute(select(WalkIn))).scalars().one()
    assert (walk_in.outcome, walk_in.ended_at is not None) == ("entered_in_error", True)


async def test_an_arrival_with_care_kept_on_it_was_no_mistake(world: World) -> None:
    visitor = await nurse(world)
    await somebody_is_here(visitor)
    page = await visitor.open("/here-now")
    end = next(one for one in page.links if one.endswith("/end"))
    before = (await visitor.open(end)).form(end)  # it stands open on another screen
    care = f"/care{end.removesuffix('/end')}"
    await visitor.send((await visitor.open(care)).form(care), care_pep="given")
    page = await visitor.open(end)
    assert ("so somebody had come" in page.words, [f for f in page.forms if f.action == end]) == (True, [])
    assert {care, end.replace("/end", "/match")} <= set(page.links)
    page = await visitor.send(before)
    assert (page.status, "so somebody had come" in page.words) == (409, True)
    program = await world["health"].sign_in("program", facility="ndola_clinic")
    refused = await program.ask("POST", end, {"outcome_code": "entered_in_error"})
    assert refused.status_code == 409
    assert care in (await visitor.open("/here-now")).links
    assert (await visitor.open(care)).form(care).fields["care_pep"] == ["given"]
    assert (await visitor.send((await visitor.open(care)).form(care), button=("then", "close"))).path == "/here-now"


async def test_no_care_is_kept_on_an_arrival_that_was_a_mistake(world: World) -> None:
    visitor = await nurse(world)
    await somebody_is_here(visitor)
    end = next(one for one in (await visitor.open("/here-now")).links if one.endswith("/end"))
    care = f"/care{end.removesuffix('/end')}"
    form = (await visitor.open(care)).form(care)
    await visitor.send((await visitor.open(end)).form(end))
    page = await visitor.send(form, care_pep="given")
    assert (page.status, "was entered by mistake" in page.words) == (422, True)
    assert page.form(care).fields["care_pep"] == ["given"]  # nothing that was typed is lost
    async with world["health"].database.read() as tx:
        assert list((await tx.session.execute(select(CareGiven))).scalars()) == []


async def test_a_number_is_looked_for_once(world: World) -> None:
    _id, code = await a_request(world)
    wrong = "000000" if code != "000000" else "000001"
    visitor = await nurse(world)
    form = (await visitor.open("/arrivals/new")).form("/arrivals/new")
    with statements_of(world["health"]) as said:
        await visitor.send(form, code=wrong)
    asked = [one for one, _parameters in said if one.startswith("SELECT casework_code_attempts.tried_at")]
    assert (len(asked), await attempts(world)) == (1, 1)
    match = await somebody_is_here(visitor)
    with statements_of(world["health"]) as said:
        await visitor.send(said_form(match), code=wrong, sent_from=SENT_FROM, sent_on=TODAY)
    asked = [one for one, _parameters in said if one.startswith("SELECT casework_code_attempts.tried_at")]
    assert (len(asked), await attempts(world)) == (1, 2)


async def test_what_was_said_at_the_door_stands_there_after_a_miss_and_a_second_tap(world: World) -> None:
    _id, code = await a_request(world)
    wrong = "000000" if code != "000000" else "000001"
    visitor = await nurse(world)
    form = (await visitor.open("/arrivals/new")).form("/arrivals/new")
    said: dict[str, Any] = {"code": wrong, "facility": "masaiti_clinic", "on_date": TODAY, "at_time": "08:15"}
    for _tap in range(2):
        page = await visitor.send(form, **said)
        again = page.form("/arrivals/new").fields
        assert {name: again[name] for name in said} == {name: [value] for name, value in said.items()}
        assert "No open request of this desk has that number" in page.words
    assert await attempts(world) == 1
    form = said_form(await somebody_is_here(visitor))
    three: dict[str, Any] = {"code": wrong, "sent_from": SENT_FROM, "sent_on": TODAY}
    for _tap in range(2):
        page = await visitor.send(form, **three)
        again = said_form(page).fields
        assert {name: again[name] for name in three} == {name: [value] for name, value in three.items()}
        assert "No request of this agency has that number" in page.words
    assert await attempts(world) == 2


async def test_a_request_on_which_somebody_came_meanwhile_is_not_chosen_from_an_old_list(world: World) -> None:
    _case, referral = await sent(world, await officer(world))
    visitor = await nurse(world)
    old = next(f for f in (await somebody_is_here(visitor)).forms if "referral_id" in f.choices)
    await visitor.send((await visitor.open(referral)).form(f"{referral}/arrive"))  # another person, at the next window
    page = await visitor.send(old, referral_id=referral.rpartition("/")[2])
    assert (page.status, "Somebody has come on this request" in page.words) == (422, True)
    async with world["health"].database.read() as tx:
        walk_in = (await tx.session.execute(select(WalkIn))).scalars().one()
    assert walk_in.referral_id is None


async def test_what_is_out_of_stock_while_there_is_time_for_it_is_named_and_not_closed_as_everything_given(world: World) -> None:
    visitor = await nurse(world)
    referral, care = await arrived(world, visitor)
    assert "still due" not in (await visitor.open(referral)).words
    page = await visitor.send((await visitor.open(care)).form(care), care_pep="none_in_stock", care_tetanus="given")
    assert page.path == referral
    kept = page.words.partition("Saved, last at")[2]
    assert "still due" in kept, page.words
    assert "Ndola hospital, 8 km" in kept
    assert page.words.index("Tetanus") < page.words.index("still due")
    close = f"{referral}/close"
    page = await visitor.send((await visitor.open(close)).form(close), outcome_code="served")
    assert page.status == 422
    assert "there is still time for it: HIV protection (PEP), 28 days. It is to be had at Ndola hospital" in page.words
    await visitor.send((await visitor.open(care)).form(care), care_pep="given")  # another nurse has found some
    page = await visitor.send((await visitor.open(close)).form(close), outcome_code="served")
    assert (page.path, "still due" in page.words) == (referral, False), page.words


async def test_of_two_who_look_the_same_one_is_chosen_before_she_is_here(world: World) -> None:
    desk = await officer(world)
    _case, first = await sent(world, desk)
    visitor = await nurse(world)
    alone = (await visitor.open(first)).form(f"{first}/arrive")
    _case, second = await sent(world, desk)
    page = await visitor.send(alone)  # from a page on which she was the only one, and from the list
    assert page.path == f"{first}/arrive", page.words
    assert {f"{first}/arrive", f"{second}/arrive"} <= {form.action for form in page.forms}
    assert page.words.count("From Ndola Central, Victim Support Unit") == 2
    page = await visitor.send(page.form(f"{second}/arrive"))
    assert (page.path, "Was it another one?" in page.words) == (second, True), page.words
    page = await visitor.send((await visitor.open(first)).form(f"{first}/arrive"))
    assert page.path == first  # nobody else is expected who looks the same
    async with world["health"].database.read() as tx:
        rows = (await tx.session.execute(select(Referral))).scalars().all()
    assert all(row.arrived_at is not None for row in rows)


async def test_who_was_somebody_else_is_expected_again_with_two_taps_and_the_page_says_who_hears_of_it(world: World) -> None:
    visitor = await nurse(world)
    referral, care = await arrived(world, visitor)
    page = await visitor.open(f"{referral}/not-here")
    assert "Nobody had been told." in page.words
    second_tap = page.form(f"{referral}/not-here")
    page = await visitor.send(second_tap)
    assert page.path == "/work"
    assert f"{referral}/arrive" in {form.action for form in page.forms}, "expected again"
    assert (await visitor.send(second_tap)).path == "/work"
    page = await visitor.open(referral)
    assert "Has not come: who came was somebody else" in page.words
    assert f"{referral}/not-here" not in page.links
    await visitor.send(page.form(f"{referral}/arrive"))
    left_open = (await visitor.open(f"{referral}/not-here")).form(f"{referral}/not-here")
    await visitor.send((await visitor.open(care)).form(care), care_pep="given")
    page = await visitor.send(left_open)  # it would take back that she came
    assert (page.status, "has changed since this page was opened" in page.words) == (422, True), page.words


async def test_the_desk_reads_before_all_else_that_who_came_was_somebody_else_until_it_hears_more(world: World) -> None:
    referral_id, _code = await a_request(world)
    clinic, visitor = await world["health"].sign_in("clinic"), await officer(world)
    for move in ("accept", "hold"):
        await clinic.post(f"/referrals/{referral_id}/{move}")
    told = {"feedback": True}
    for moves, is_known in (
        ({"arrive": told}, False),
        ({"not-here": {}}, True),  # on hold, as before
        ({"resume": {}}, True),
        ({"arrive": {}}, True),  # whoever was meant: of her nobody is told until she says yes
        ({"not-here": {}, "arrive": told}, False),
    ):
        for move, body in moves.items():
            await clinic.post(f"/referrals/{referral_id}/{move}", body)
        await world.settle()
        words = (await visitor.open(f"/referrals/{referral_id}")).words
        lead = words[words.index("Referral R-") : words.index("What happened")]
        assert ("it was somebody else" in lead) == is_known, (moves, lead)
        if "accepted at" in lead:
            assert "No word yet that" in lead, "she may have come and not want it told"


async def test_care_of_another_one_is_not_saved_from_a_page_that_was_left_open(world: World) -> None:
    visitor = await nurse(world)
    referral, care = await arrived(world, visitor)
    left_open = (await visitor.open(care)).form(care)
    stale = (await visitor.open(f"{referral}/not-here")).form(f"{referral}/not-here")
    await visitor.send((await visitor.open(f"{referral}/not-here")).form(f"{referral}/not-here"))
    page = await visitor.send(left_open, care_pep="given", feedback="yes")
    assert (page.status, "Nobody is here on this request" in page.words) == (422, True), page.words
    page = await visitor.open(referral)
    await visitor.send(page.form(f"{referral}/arrive"))
    page = await visitor.send(stale)  # of somebody else's coming, not of hers
    assert (page.status, "has changed since this page was opened" in page.words) == (422, True), page.words


async def test_the_number_of_what_this_desk_declined_is_said_to_be_that_and_another_desk_learns_nothing(world: World) -> None:
    referral_id, code = await a_request(world)
    clinic = await world["health"].sign_in("clinic", facility="ndola_clinic")
    await clinic.post(f"/referrals/{referral_id}/decline", {"reason_code": "no_place", "next_place": f"health/{ELSEWHERE}"})
    visitor = await nurse(world)
    form = (await visitor.open("/arrivals/new")).form("/arrivals/new")
    for _tap in range(2):
        page = await visitor.send(form, code=code)
        assert (page.status, "was declined here" in page.words, "Ndola hospital was proposed" in page.words) == (422, True, True)
    assert {"/here-now", "/work"} <= set(page.links)
    page = await visitor.send(page.form("/arrivals/new"), button=WITHOUT)  # she is helped all the same
    assert page.path.partition("?")[0].endswith("/match"), page.words
    elsewhere = await nurse(world, "nurse-9", ELSEWHERE)
    page = await elsewhere.send((await elsewhere.open("/arrivals/new")).form("/arrivals/new"), code=code)
    assert ("No open request of this desk has that number" in page.words, "declined" in page.words) == (True, False)
    assert (await elsewhere.open(f"/arrivals/new?declined={referral_id}")).status == 404


async def test_after_a_decline_the_desk_reads_that_the_number_is_the_old_one(world: World) -> None:
    desk = await officer(world)
    page = await asked(desk)
    page = await desk.send(page.form(page.path), **{**SENDING, "carries": "code"})
    referral = page.path.removesuffix("/card")
    await world.settle()
    assert "opens nothing at another place" not in (await desk.open(referral)).words
    await declined(world, await nurse(world), referral)
    assert "opens nothing at another place" in (await desk.open(referral)).words
