"""Cases are guarded from those who work with them: two exact things or nothing, an hour in an emergency, colleagues who never see
one, decoys; and she may ask who looked."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from agencies import Desk, TestAgency, World, consent, open_case, refer
from desk_pages import at_the_desk, to_consent, to_place, to_sent
from kafka_line import until
from shift import at_work
from signing_in import PASSWORD, PIN
from sqlalchemy import select
from visitor import Page, Visitor

from shared.casework import scope
from shared.casework.accounts.commands import find_account, make_token
from shared.casework.accounts.sessions import PIN_FAILURES_MAX, actor_from
from shared.casework.accounts.tables import Account, Attempt, CaseRead
from shared.casework.alarms.tables import Alarm
from shared.casework.cases import commands, looks
from shared.casework.cases.commands import OpenCase
from shared.casework.cases.tables import Case, Incident
from shared.casework.consents.tables import Consent, Refusal
from shared.casework.exports.tables import Export
from shared.casework.eyes.commands import OPEN_FOR, to_review
from shared.casework.eyes.look_up import Found, LookUp, look_up
from shared.casework.eyes.tables import Decoy, Opening, Review
from shared.casework.holds.tables import Hold
from shared.casework.inside import INSIDE
from shared.casework.referrals.domain import CODE_ATTEMPTS_MAX, CODE_ATTEMPTS_WINDOW
from shared.contracts.casework.codes import Role
from shared.contracts.casework.events import PersonNeeds
from shared.exchange.inside import log_inside
from shared.exchange.tables import InsideRow
from shared.kit.db import asking
from shared.kit.errors import NotFound
from shared.kit.ids import id_at, new_id
from shared.kit.sealed import Sealed

SOMEBODY = {"age_band": "25-49", "sex": "female", "language": "bem", "access": "none", "staff_preference": "no_preference"}
CENTRAL, OUTPOST = "ndola_central_vsu", "masaiti_vsu"


async def rows(agency: TestAgency, table: type[Any]) -> list[Any]:
    async with agency.database.read() as tx:
        return list((await tx.session.execute(select(table))).scalars())


async def id_of(agency: TestAgency, name: str) -> UUID:
    return next(account.id for account in await rows(agency, Account) if account.name == name)


async def a_case(world: World) -> Case:
    """A case of the central unit."""
    desk = await world["police"].sign_in("a-desk", facility=CENTRAL)
    case_id, _incident = await open_case(desk)
    return next(case for case in await rows(world["police"], Case) if case.id == UUID(case_id))


async def looked_for(visitor: Visitor, **items: Any) -> Page:
    page = await visitor.open("/look-up")
    return await visitor.send(page.form("/look-up"), **items)


def day_of(world: World, case: Case) -> str:
    return world["police"].edge.pages.times("en", world.clock.now()).local(case.opened_at).date().isoformat()


async def opened(world: World, visitor: Visitor, case: Case, **how: Any) -> Page:
    """What somebody of another unit sees who finds the case and opens it all the same."""
    page = await looked_for(visitor, number=case.number, opened_on=day_of(world, case))
    assert "It lies at Ndola Central" in page.words
    assert str(case.id) not in page.text
    return await visitor.send(page.form("/look-up"), ("open", "yes"), **{"own_pin": PIN, **how})


async def test_a_case_is_found_by_two_exact_things_and_never_by_fewer(world: World) -> None:
    case = await a_case(world)
    own = await at_work(world, "police", "officer-1", Role.OFFICER, CENTRAL)
    there = await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST)
    for items in ({"number": case.number}, {"opened_on": day_of(world, case)}, {}):
        page = await looked_for(there, **items)
        assert (page.status, "exactly two" in page.words) == (422, True)
    page = await looked_for(there, number=case.number[:-1], opened_on=day_of(world, case))  # near is not exact
    assert "Nothing here has both of these" in page.words
    page = await looked_for(there, number=case.number, opened_on="2020-02-02")
    assert "Nothing here has both of these" in page.words
    page = await looked_for(own, number=case.number.lower(), opened_on=day_of(world, case))
    assert page.path == f"/cases/{case.id}"
    kept = {(read.what) for read in await rows(world["police"], CaseRead) if read.case_id == case.id}
    assert {"look_up_missed", "case"} <= kept


async def test_who_guesses_is_not_answered_any_more(world: World) -> None:
    case = await a_case(world)
    visitor = await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST)
    for day in range(1, 6):
        await looked_for(visitor, number=case.number, opened_on=f"2020-02-0{day}")
    for _ in range(2):  # asking on makes it no longer
        page = await looked_for(visitor, number=case.number, opened_on=day_of(world, case))
        assert "tried too often" in page.words
        world.clock.advance(CODE_ATTEMPTS_WINDOW / 3)
    page = await visitor.send(page.form("/look-up"), ("open", "yes"), own_pin=PIN, why="life_threat", opened_on="2020-02-02")
    assert "Nothing here has both of these" in page.words  # counted apart
    page = await visitor.send(page.form("/look-up"), ("open", "yes"), own_pin="999999", why="life_threat")
    assert "That is not your PIN." in page.words
    world.clock.advance(CODE_ATTEMPTS_WINDOW / 3)
    page = await looked_for(visitor, number=case.number, opened_on=day_of(world, case))
    assert "It lies at Ndola Central" in page.words


async def test_a_life_in_danger_opens_after_too_many_tries_and_without_the_pin(world: World) -> None:
    case, police = await a_case(world), world["police"]
    visitor = await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST)
    for day in range(1, 6):
        await looked_for(visitor, number=case.number, opened_on=f"2020-02-0{day}")
    page = await looked_for(visitor, number=case.number, opened_on=day_of(world, case))
    wrong: dict[str, Any] = {"why": "life_threat", "own_password": "not the one that it is"}
    page = await visitor.send(page.form("/look-up"), ("open", "yes"), **wrong)
    assert "That is not your password." in page.words
    page = await visitor.send(page.form("/look-up"), ("open", "yes"), why="life_threat", own_password=PASSWORD)
    assert page.path == f"/cases/{case.id}"
    [opening] = await rows(police, Opening)
    assert {alarm.about for alarm in await rows(police, Alarm)} == {opening.id}
    page = await looked_for(visitor, number=case.number[:-1], opened_on=day_of(world, case))
    for _ in range(4):  # numbers in turn: with what was opened, as many as of the others
        page = await visitor.send(page.form("/look-up"), ("open", "yes"), why="life_threat", own_pin=PIN)
        assert "Nothing here has both of these" in page.words
    page = await visitor.send(page.form("/look-up"), ("open", "yes"), why="life_threat", own_pin=PIN, number=case.number)
    assert "tried too often" in page.words


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
async def test_what_is_found_at_once_is_counted_one_by_one(world: World) -> None:
    police = world["police"]
    desk = await police.sign_in("a-desk", facility=CENTRAL)
    for _ in range(8):
        await open_case(desk)
    await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST)
    cases = await rows(police, Case)
    day = police.edge.pages.times("en", world.clock.now()).local(cases[0].opened_at).date()
    async with police.database.read() as tx:
        by = actor_from(police.here, await find_account(tx, "officer-2"), ())

    async def found(case: Case) -> bool:
        async with police.database.write() as tx:
            return isinstance(await look_up(LookUp(number=case.number, opened_on=day), tx, police.here, by), Found)

    assert sum(await asyncio.gather(*map(found, cases))) == CODE_ATTEMPTS_MAX


async def test_a_life_in_danger_opens_a_case_alone_for_an_hour_and_supervisors_know_at_once(world: World) -> None:
    case, police = await a_case(world), world["police"]
    visitor = await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST)
    matron = await at_work(world, "police", "inspector", Role.SUPERVISOR, CENTRAL)
    assert (await visitor.open(f"/cases/{case.id}")).status == 404
    page = await opened(world, visitor, case, why="life_threat")
    assert (page.status, page.path) == (200, f"/cases/{case.id}")
    assert case.number in page.words
    alarms = {(alarm.kind, alarm.facility, alarm.post) for alarm in await rows(police, Alarm)}
    assert alarms == {("opened_beyond", CENTRAL, "vsu_inspector"), ("opened_from_here", OUTPOST, "vsu_inspector")}
    [own] = [alarm.id for alarm in await rows(police, Alarm) if alarm.facility == OUTPOST]
    page = await visitor.send((await visitor.open("/alarms")).form(f"/alarms/{own}/take"))
    assert (page.status, "somebody else answers for it" in page.words) == (409, True)
    page = await matron.open("/alarms")
    assert "A case was opened from another place" in page.words
    assert "officer-2" in page.words
    assert "Opened from another place: look at it" not in (await matron.open("/work")).words  # today it is an alarm
    page = await matron.open(f"/cases/{case.id}/looked")
    assert "From another place, in an emergency." in page.words
    assert "Had it opened from another place for an hour: A life is in danger" in page.words
    for _ in range(7):
        assert (await visitor.open(f"/cases/{case.id}")).status == 200
        world.clock.advance(OPEN_FOR / 7)  # somebody sits there all the time
    world.clock.advance(timedelta(seconds=1))
    assert (await visitor.open(f"/cases/{case.id}")).status == 404


async def test_whoever_opens_a_case_beyond_her_desk_shows_with_her_own_pin_that_it_is_she(world: World) -> None:
    case, police = await a_case(world), world["police"]
    visitor = await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST)
    await at_work(world, "police", "officer-3", Role.OFFICER, OUTPOST)
    for how in ({"why": "life_threat"}, {"why": "colleague_away", "second": "officer-3", "pin": PIN}):
        page = await opened(world, visitor, case, **how, own_pin="")
        assert (page.status, "Type your own PIN" in page.words) == (422, True)
        page = await opened(world, visitor, case, **how, own_pin="999999")
        assert (page.status, "That is not your PIN." in page.words) == (422, True)
        assert PIN not in page.text
    assert await rows(police, Opening) == []
    page = await opened(world, visitor, case, why="life_threat")  # alone, on the one page
    assert page.path == f"/cases/{case.id}"


async def test_a_colleagues_pin_is_not_guessed_behind_ones_own_right_one(world: World) -> None:
    case, police = await a_case(world), world["police"]
    visitor = await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST)
    await at_work(world, "police", "officer-3", Role.OFFICER, OUTPOST)
    how = {"why": "colleague_away", "second": "officer-3"}
    for n in range(PIN_FAILURES_MAX - 1):
        page = await opened(world, visitor, case, **how, pin=f"90{n:04d}")
        assert "A second person of this agency agrees" in page.words
    page = await opened(world, visitor, case, **how, pin="909999")
    assert page.path == "/sign-in"  # as where her own PIN is guessed
    fresh = await at_work(world, "police", "officer-4", Role.OFFICER, OUTPOST)
    for n in range(PIN_FAILURES_MAX):
        await opened(world, fresh, case, **how, pin=f"90{n:04d}")
        if n % 2:  # what begins the session's count anew: her own PIN at a page that was locked
            await fresh.send((await fresh.open("/work")).form("/switch"))
            await fresh.send((await fresh.open("/locked")).form("/locked"), pin=PIN)
    page = await opened(world, fresh, case, **how, pin=PIN)  # nor is the right one looked at then
    assert "too often" in page.words
    assert await rows(police, Opening) == []
    page = await opened(world, fresh, case, why="life_threat")
    assert page.path == f"/cases/{case.id}"


async def test_what_is_found_at_other_desks_is_counted_like_what_is_not_and_supervisors_see_it(world: World) -> None:
    desk = await world["police"].sign_in("a-desk", facility=CENTRAL)
    for _ in range(6):
        await open_case(desk)
    cases = sorted(await rows(world["police"], Case), key=lambda case: case.number)
    visitor = await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST)
    day = day_of(world, cases[0])
    for case in cases[:5]:  # numbers in turn, each with the day
        assert "It lies at Ndola Central" in (await looked_for(visitor, number=case.number, opened_on=day)).words
    page = await looked_for(visitor, number=cases[5].number, opened_on=day)
    assert "tried too often" in page.words
    page = await opened(world, visitor, cases[4], why="life_threat")  # what was found may be opened all the same
    assert page.path == f"/cases/{cases[4].id}"
    world.clock.advance(timedelta(minutes=16))
    await visitor.send((await visitor.open("/look-up")).form("/locked"), pin=PIN)
    assert "It lies at Ndola Central" in (await looked_for(visitor, number=cases[5].number, opened_on=day)).words
    await looked_for(visitor, number=cases[5].number, opened_on="2020-02-02")
    page = await (await at_work(world, "police", "inspector", Role.SUPERVISOR, OUTPOST)).open("/eyes")
    assert "officer-2 6 1" in page.words
    assert [case.number for case in cases if case.number in page.text] == []  # how many, and not which


async def test_who_tried_a_hold_an_export_or_an_opening_of_her_case_is_in_her_log(world: World) -> None:
    case, police, now = await a_case(world), world["police"], world.clock.now()
    hold = Hold(id=new_id(), case_id=case.id, order="A synthetic order.", placed_at=now, placed_by=new_id())
    export = Export(id=new_id(), account_id=new_id(), what="looks", case_id=case.id, purpose="she_asked", because="synthetic",
                    recipient_key="age1", digest="", made_at=now)  # fmt: skip
    opening = Opening(id=new_id(), case_id=case.id, account_id=new_id(), why="life_threat", opened_at=now, until_at=now)
    async with police.database.write() as tx:
        tx.session.add_all([hold, export, opening])
    own, _incident = await open_case(await police.sign_in("desk-2", facility=OUTPOST))
    stranger = await at_work(world, "police", "inspector-2", Role.SUPERVISOR, OUTPOST)
    assert (await stranger.open(f"/exports/{export.id}")).status == 404
    for action in (f"/eyes/openings/{opening.id}/review", f"/cases/{own}/holds/{hold.id}/lift"):
        form = (await stranger.open("/eyes")).form("/eyes/barred")
        form.action = action
        assert (await stranger.send(form)).status == 404
    async with police.database.read() as tx:
        log, _ = await looks.access_log(tx, police.here, case.id, None, 50)
    strangers = [line.what for line in log if line.account == "inspector-2"]
    assert strangers == ["attempt"] * 3


async def test_what_was_answered_in_the_hour_is_not_repeated_after_it(world: World) -> None:
    case, police = await a_case(world), world["police"]
    await opened(world, await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST), case, why="life_threat")
    async with police.database.write() as tx:
        desk = Desk(police.client, await make_token(tx, "officer-2"))
    path, key = f"/cases/{case.id}/incidents", str(new_id())
    own, _incident = await open_case(desk)
    mine = f"/cases/{own}/incidents"
    first = await desk.ask("POST", path, {"incident_type": "rape"}, **{"Idempotency-Key": key})
    own_first = await desk.ask("POST", mine, {"incident_type": "rape"}, **{"Idempotency-Key": key})
    again = await desk.ask("POST", path, {"incident_type": "rape"}, **{"Idempotency-Key": key})
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    world.clock.advance(OPEN_FOR + timedelta(seconds=1))
    late = await desk.ask("POST", path, {"incident_type": "rape"}, **{"Idempotency-Key": key})
    assert (late.status_code, "rape" in late.text) == (404, False)
    assert case.id in {one.about for one in await rows(police, Attempt)}
    own_again = await desk.ask("POST", mine, {"incident_type": "rape"}, **{"Idempotency-Key": key})  # her own desk's is
    assert own_again.json() == own_first.json()


async def test_each_page_says_until_when_it_is_open_and_a_guest_does_what_care_needs_and_no_more(world: World) -> None:
    desk = await at_the_desk(world)
    page = await to_place(desk, await to_consent(desk))
    referral = await to_sent(desk, page)
    [case] = await rows(world["police"], Case)
    guest = await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST)
    assert "Open here in an emergency" not in (await desk.open(f"/cases/{case.id}")).words
    page = await opened(world, guest, case, why="life_threat")
    until = "Open here in an emergency until 11:00"
    for address in (f"/cases/{case.id}", f"/cases/{case.id}/refer", f"/cases/{case.id}/looked", f"/referrals/{referral}"):
        page = await guest.open(address)
        assert (until in page.words, "call it" in page.words) == (True, True), (address, page.words)
    page = await guest.open(f"/cases/{case.id}")
    assert not [link for link in page.links if link.endswith("/take-back")]
    [consent, *_more] = await rows(world["police"], Consent)
    take_back = await guest.open(f"/cases/{case.id}/consents/{consent.id}/take-back")
    refused = await guest.send(take_back.form(take_back.path))
    assert (refused.status, "only it does this" in refused.words) == (403, True)
    cancel = await guest.open(f"/referrals/{referral}/cancel")
    refused = await guest.send(cancel.form(cancel.path), reason_code="entered_in_error")
    assert refused.status == 403
    assert [one.taken_back_at for one in await rows(world["police"], Consent)] == [None, None]
    again = await guest.open(f"/cases/{case.id}/again")  # what care needs: it has happened again, and the way there
    page = await guest.send(again.form(again.path), hurt_now="no", at_least=1, at_most=3)
    assert page.path == f"/cases/{case.id}/refer", page.words


async def test_whoever_has_a_case_open_in_an_emergency_takes_no_file_of_it_away(world: World) -> None:
    case = await a_case(world)
    guest = await at_work(world, "police", "lead-2", Role.SUPERVISOR, OUTPOST)
    await opened(world, guest, case, why="life_threat")
    assert (await guest.open(f"/cases/{case.id}/looked")).status == 200
    page = await guest.open(f"/cases/{case.id}/export")
    assert (page.status, "only it does this" in page.words) == (403, True)


async def test_care_that_was_answered_by_its_referral_alone_is_not_repeated_either(world: World) -> None:
    police, health, now = world["police"], world["health"], world.clock.now()
    desk = await police.sign_in("a-desk", facility=CENTRAL)
    case_id, incident = await open_case(desk)
    await consent(desk, case_id, "health", "needs", "relay")
    referral = (await refer(desk, case_id, incident, "health"))["id"]
    await world.settle()
    [case] = await rows(health, Case)
    await at_work(world, "health", "nurse-9", Role.CLINICIAN, "ndola_hospital")
    by = await id_of(health, "nurse-9")
    opening = Opening(id=new_id(), case_id=case.id, account_id=by, why="life_threat", opened_at=now, until_at=now + OPEN_FOR)
    async with health.database.write() as tx:
        tx.session.add(opening)
        nurse = Desk(health.client, await make_token(tx, "nurse-9"))
    await (await health.sign_in("at-the-door", facility="ndola_clinic")).post(f"/referrals/{referral}/arrive")
    asked: dict[str, Any] = {"body": {"care": "pep", "result": "given"}, "Idempotency-Key": "one"}
    answers = [await nurse.ask("POST", f"/referrals/{referral}/care", **asked) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    world.clock.advance(OPEN_FOR + timedelta(seconds=1))
    late = await nurse.ask("POST", f"/referrals/{referral}/care", **asked)
    assert (late.status_code, "pep" in late.text) == (404, False)


async def test_the_day_after_a_supervisor_looks_at_it_and_says_what_she_found(world: World) -> None:
    case, police = await a_case(world), world["police"]
    await opened(world, await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST), case, why="life_threat")
    world.clock.advance(timedelta(days=1))
    matron = await at_work(world, "police", "inspector", Role.SUPERVISOR, CENTRAL)
    page = await matron.open("/work")
    assert "Opened from another place: look at it" in page.words
    [opening] = await rows(police, Opening)
    page = await matron.send(page.form(f"/eyes/openings/{opening.id}/review"))
    assert "Opened from another place: look at it" not in page.words
    [review] = await rows(police, Review)
    assert review.was_right
    await log_inside(police.database, INSIDE)  # who opened what is under the log that peers sign unread
    assert ("casework_openings", str(opening.id)) in {(row.source, row.row_key) for row in await rows(police, InsideRow)}


async def test_where_no_life_is_in_danger_a_second_person_agrees_with_her_own_pin(world: World) -> None:
    case = await a_case(world)
    visitor = await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST)
    await at_work(world, "police", "officer-3", Role.OFFICER, OUTPOST)
    page = await looked_for(visitor, number=case.number, opened_on="2026-01-05")
    assert "a second person, not you, agrees" in page.words
    page = await opened(world, visitor, case, why="colleague_away", second="officer-2", pin=PIN)
    assert "You cannot be the second person yourself" in page.words
    for second, pin in (("", ""), ("officer-3", "999999"), ("nobody", PIN)):
        page = await opened(world, visitor, case, why="colleague_away", second=second, pin=pin)
        assert "A second person of this agency agrees" in page.words, (second, page.words)
    assert await rows(world["police"], Opening) == []
    page = await opened(world, visitor, case, why="colleague_away", second="officer-3", pin=PIN)
    assert page.path == f"/cases/{case.id}"
    [opening] = await rows(world["police"], Opening)
    assert opening.second is not None


async def test_whoever_agreed_does_not_answer_for_it_either(world: World) -> None:
    case, police = await a_case(world), world["police"]
    visitor = await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST)
    second = await at_work(world, "police", "inspector-2", Role.SUPERVISOR, OUTPOST)
    await opened(world, visitor, case, why="colleague_away", second="inspector-2", pin=PIN)
    [alarm] = [alarm.id for alarm in await rows(police, Alarm) if alarm.facility == OUTPOST]
    page = await second.send((await second.open("/alarms")).form(f"/alarms/{alarm}/take"))
    assert (page.status, "somebody else answers for it" in page.words) == (409, True)
    world.clock.advance(timedelta(days=1))
    words = "Opened from another place: look at it"
    again = await at_work(world, "police", "inspector-3", Role.SUPERVISOR, OUTPOST)
    assert words in (await again.open("/work")).words
    [account] = [one for one in await rows(police, Account) if one.name == "inspector-2"]
    async with police.database.read() as tx:
        by = actor_from(police.here, account, ())
        assert await to_review(tx, police.here, by, world.clock.now().date()) == []


async def keep_from(supervisor: Visitor, account: str, number: str, button: str = "yes") -> Page:
    page = await supervisor.open("/eyes")
    form = page.form("/eyes/barred")
    who = next(value for value in form.choices["account"] if f'value="{value}">{account}<' in page.text.replace(" selected", ""))
    return await supervisor.send(form, ("is_barred", button), account=who, number=number)


async def test_whoever_a_case_is_kept_from_never_sees_it_whatever_else_holds(world: World) -> None:
    case, police = await a_case(world), world["police"]
    named = await at_work(world, "police", "officer-1", Role.OFFICER, CENTRAL)
    other = await at_work(world, "police", "officer-3", Role.OFFICER, CENTRAL)
    matron = await at_work(world, "police", "inspector", Role.SUPERVISOR, CENTRAL)
    assert (await named.open(f"/cases/{case.id}")).status == 200
    before = await lists_of(police)
    page = await keep_from(matron, "officer-1", case.number)
    assert (page.status, page.path, "It is kept from this account from now on" in page.words) == (200, "/eyes?done=yes", True)
    assert (await keep_from(matron, "officer-1", case.number)).words == page.words  # it was so before: the same answer
    assert case.number not in page.text
    unknown = await named.open(f"/cases/{UUID(int=1)}")
    hidden = await named.open(f"/cases/{case.id}")
    assert (hidden.status, hidden.words) == (404, unknown.words)
    for path in ("/work", "/cases", "/hand-over"):
        assert case.number not in (await named.open(path)).text
        assert str(case.id) not in (await named.open(path)).text
    page = await looked_for(named, number=case.number, opened_on=day_of(world, case))  # nor by looking it up
    assert "Nothing here has both of these" in page.words
    assert (await other.open(f"/cases/{case.id}")).status == 200
    after = await lists_of(police)
    assert {len(held) for held in (*before, *after)} == {len(before[0])}  # every list is as long as every other,
    assert not set(before) & set(after)  # and all were written anew: nothing says whose has changed
    await keep_from(matron, "officer-1", case.number, "no")
    assert (await named.open(f"/cases/{case.id}")).status == 200


async def test_a_number_that_was_mistyped_is_refused_and_keeps_nothing_from_anybody(world: World) -> None:
    case = await a_case(world)
    named = await at_work(world, "police", "officer-1", Role.OFFICER, CENTRAL)
    await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST)
    matron = await at_work(world, "police", "inspector", Role.SUPERVISOR, CENTRAL)
    elsewhere = await at_work(world, "police", "inspector-2", Role.SUPERVISOR, OUTPOST)
    before, refused = await lists_of(world["police"]), "nobody is kept from it. Look at the number again."
    for number in ("P-1999-00001", case.number[:-1]):
        page = await keep_from(matron, "officer-1", number)
        assert (page.status, refused in page.words) == (422, True)
    pages = [await keep_from(elsewhere, "officer-2", number) for number in ("P-1999-00001", case.number)]
    assert [(page.status, refused in page.words) for page in pages] == [(422, True)] * 2  # what lies at another place is as none
    assert await lists_of(world["police"]) == before
    assert (await named.open(f"/cases/{case.id}")).status == 200
    page = await keep_from(matron, "officer-1", case.number.lower())
    assert "It is kept from this account from now on" in page.words
    page = await keep_from(matron, "officer-1", case.number, "no")
    assert "nothing keeps that case from this account" in page.words


async def test_whoever_a_case_is_kept_from_is_not_answered_once_more_what_she_was_told_before(world: World) -> None:
    case = await a_case(world)
    desk = await world["police"].sign_in("officer-1", facility=CENTRAL)
    matron = await at_work(world, "police", "inspector", Role.SUPERVISOR, CENTRAL)
    asked: dict[str, Any] = {"body": {"incident_type": "rape"}, "Idempotency-Key": "one"}
    answers = [await desk.ask("POST", f"/cases/{case.id}/incidents", **asked) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    await keep_from(matron, "officer-1", case.number)
    assert (await desk.ask("POST", f"/cases/{case.id}/incidents", **asked)).status_code == 404


async def lists_of(agency: TestAgency) -> list[bytes]:
    """What the column holds, as a reader of the database sees it."""
    async with agency.database.read() as tx:
        column = Account.__table__.c.never  # type: ignore[attr-defined]
        assert isinstance(column.type, Sealed)
        found = (await (await tx.session.connection()).exec_driver_sql("SELECT never FROM casework_accounts")).scalars()
        return [bytes(held) for held in found]


async def some_cases(world: World, count: int, apart: timedelta) -> list[Case]:
    """What came to the central unit, each some time after the one before, in the language that is spoken there, oldest first."""
    police = world["police"]
    await police.sign_in("a-desk", facility=CENTRAL)
    [account] = await rows(police, Account)
    desk, needs = actor_from(police.here, account, ()), PersonNeeds.model_validate(SOMEBODY)
    for _ in range(count):
        async with police.database.write() as tx:  # a test's clock is not the machine's, which ids are made by
            await commands.open_case(OpenCase(needs=needs), tx, police.here, desk, id_=id_at(world.clock.now()))
        world.clock.advance(apart)
    return sorted(await rows(police, Case), key=lambda case: case.opened_at)


async def a_decoy(world: World, matron: Visitor) -> Case:
    page = await matron.open("/eyes")
    page = await matron.send(page.form("/eyes/decoys"), age_band="18-24", sex="female")
    assert (page.status, "It is made." in page.words) == (200, True)
    *_before, decoy = await rows(world["police"], Decoy)
    made = next(case for case in await rows(world["police"], Case) if decoy.which == {"case": str(case.id)})
    assert (str(made.id) in page.text, made.number in page.text) == (False, False)
    return made


async def test_a_look_at_a_decoy_alarms_a_supervisor_and_nothing_tells_which_it_is(world: World) -> None:
    police = world["police"]
    matron = await at_work(world, "police", "inspector", Role.SUPERVISOR, CENTRAL)
    case = await a_decoy(world, matron)
    visitor = await at_work(world, "police", "officer-1", Role.OFFICER, CENTRAL)
    assert case.number in (await visitor.open("/cases")).text  # in a list among others it is a case like any other
    await police.watcher.tick()
    assert await rows(police, Alarm) == []
    assert (await visitor.open(f"/cases/{case.id}")).status == 200
    await police.watcher.tick()
    await police.watcher.tick()
    [alarm] = await rows(police, Alarm)
    assert (alarm.kind, alarm.facility, alarm.post, alarm.case_id) == ("decoy_opened", CENTRAL, "vsu_inspector", None)
    words = (await matron.open("/alarms")).words
    assert "officer-1" in words
    assert "Look today at what else this account opened, and ask why" in words


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_a_watcher_that_runs_alarms_within_a_minute_of_a_look_at_a_decoy(world: World) -> None:
    """By the machine's own time, as an agency's process has it."""
    police = world["police"]
    matron = await at_work(world, "police", "inspector", Role.SUPERVISOR, CENTRAL)
    case = await a_decoy(world, matron)
    visitor = await at_work(world, "police", "officer-1", Role.OFFICER, CENTRAL)
    stop = asyncio.Event()
    watching = asyncio.create_task(police.watcher.run(stop))
    try:
        await visitor.open(f"/cases/{case.id}")

        async def alarmed() -> bool:
            return bool(await rows(police, Alarm))

        async with asyncio.timeout(60):
            await until(alarmed)
    finally:
        stop.set()
        await watching
    assert [alarm.kind for alarm in await rows(police, Alarm)] == ["decoy_opened"]


async def test_a_decoy_stands_where_its_date_puts_it_and_has_what_other_cases_of_its_place_have(world: World) -> None:
    real = await some_cases(world, 12, timedelta(days=6))
    matron = await at_work(world, "police", "inspector", Role.SUPERVISOR, CENTRAL)
    officer = await at_work(world, "police", "officer-1", Role.OFFICER, CENTRAL)
    case = await a_decoy(world, matron)
    assert real[0].opened_at - timedelta(hours=2) < case.opened_at < real[-1].opened_at
    text = (await officer.open("/cases")).text
    places = [text.index(one.number) for one in sorted([*real, case], key=lambda one: one.opened_at, reverse=True)]
    assert places == sorted(places)
    assert text.index(case.number) > places[2]  # below what is new
    assert case.needs is not None
    assert case.needs["language"] == "bem"
    assert "Bemba" in (await officer.open(f"/cases/{case.id}")).words
    [incident] = [one for one in await rows(world["police"], Incident) if one.case_id == case.id]
    assert case.opened_at - timedelta(hours=41) < incident.earliest_at < case.opened_at
    assert incident.recorded_at == case.opened_at
    refused = [one for one in await rows(world["police"], Refusal) if one.case_id == case.id]
    assert {one.recipient for one in refused} == set(world["police"].here.peers)
    officer_ids = {one.id for one in await rows(world["police"], Account) if one.name in ("a-desk", "officer-1")}
    assert {case.opened_by, incident.recorded_by} <= officer_ids
    assert case.not_counted


async def test_a_decoy_is_on_no_list_of_what_waits(world: World) -> None:
    await some_cases(world, 3, timedelta(days=1))
    matron = await at_work(world, "police", "inspector", Role.SUPERVISOR, CENTRAL)
    officer = await at_work(world, "police", "officer-1", Role.OFFICER, CENTRAL)
    case = await a_decoy(world, matron)
    for visitor, paths in ((officer, ("/work", "/hand-over", "/alarms")), (matron, ("/work", "/alarms", "/figures"))):
        for path in paths:
            page = await visitor.open(path)
            assert (case.number in page.text, str(case.id) in page.text) == (False, False), path
    await world["police"].watcher.tick()
    assert await rows(world["police"], Alarm) == []


async def test_who_looked_is_handed_over_on_paper_without_a_name_and_with_who_only_tried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await a_case(world)
    visitor = await at_work(world, "police", "officer-1", Role.OFFICER, CENTRAL)
    stranger = await at_work(world, "police", "officer-2", Role.OFFICER, OUTPOST)
    assert (await stranger.open(f"/cases/{case.id}")).status == 404
    await visitor.open(f"/cases/{case.id}")
    page = await visitor.open(f"/cases/{case.id}/looked")
    assert "officer-2 Officer, Masaiti, Victim Support Unit" in page.words
    assert "Tried to open it; nothing was shown." in page.words
    printed, made = list[Any](), looks.looks_pdf

    def keep(text: Any) -> bytes:
        printed.append(text)
        return made(text)

    monkeypatch.setattr(looks, "looks_pdf", keep)
    answer = await visitor.client.get(f"/cases/{case.id}/looked.pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.content.startswith(b"%PDF")
    lines = [line for _day, of_day in printed[0].days for line in of_day]
    assert any("Tried to open it" in line and "Masaiti" in line for line in lines)
    assert not any(word in line for line in lines for word in ("officer-1", "officer-2", case.number))


async def test_whoever_a_case_is_given_to_sees_it_wherever_she_sits(world: World) -> None:
    """Assignment: a case of one office is given to a worker of another, and taken from her again."""
    desk, office = await world["police"].sign_in("a-desk", facility=CENTRAL), world["social_welfare"]
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "social_welfare")
    rid = (await refer(desk, case_id, incident_id, "social_welfare"))["id"]
    await world.settle()
    matron = await office.sign_in("matron", Role.SUPERVISOR, "ndola_district_office")
    await office.sign_in("worker-2", facility="ndola_district_office")
    there = (await matron.get(f"/referrals/{rid}"))["case_id"]
    async with office.database.write() as tx:  # an office that has nothing to do with the case
        (await find_account(tx, "worker-2")).facility = "another_office"
        worker = Desk(office.client, await make_token(tx, "worker-2"))
    assert (await worker.ask("GET", f"/cases/{there}")).status_code == 404
    await matron.post(f"/cases/{there}/assignment", {"account": "worker-2"})
    assert (await worker.get(f"/cases/{there}"))["id"] == there
    assert [case["id"] for case in (await worker.get("/my-cases"))["items"]] == [there]
    await matron.post(f"/cases/{there}/assignment", {"account": "matron"})
    assert (await worker.ask("GET", f"/cases/{there}")).status_code == 404


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)  # SQLite keeps no such rules
async def test_what_the_agency_does_beyond_a_desk_opens_nothing_to_it_afterwards(world: World) -> None:
    await a_case(world)
    police = world["police"]
    await police.sign_in("officer-2", facility=OUTPOST)
    before = asking.set(scope.told(police.here.actor(await id_of(police, "officer-2"), "officer-2", Role.OFFICER, OUTPOST)))
    seen = []
    async with police.database.read() as tx:
        async with scope.whole_agency(tx):
            seen.append(len((await tx.session.execute(select(Case))).all()))
        seen.append(len((await tx.session.execute(select(Case))).all()))
        with pytest.raises(NotFound):
            async with scope.whole_agency(tx):
                raise NotFound("There is nothing at this address.")
        seen.append(len((await tx.session.execute(select(Case))).all()))
    asking.reset(before)
    assert seen == [1, 0, 0]
