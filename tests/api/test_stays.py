"""The stay register, her things, counselling and enquiries by telephone, through the API of a centre in Bangladesh."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from agencies import Desk, Refused, World, consent
from centre import (
    CENTRE,
    HOSPITAL,
    MINISTRY,
    PLANNED,
    THANA,
    came,
    centre_world,
    officer,
    open_alarms,
    stays,
    taken_by_the_ministry,
    then,
)
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from services.police.enquiries.tables import Enquiry, OwnWord
from services.police.stays.tables import Stay
from shared.casework.accounts.commands import find_account
from shared.casework.accounts.tables import CaseRead
from shared.casework.eyes.barred import bar
from shared.casework.eyes.tables import Opening
from shared.casework.here import Actor
from shared.casework.referrals.domain import CODE_ATTEMPTS_MAX, CODE_ATTEMPTS_WINDOW
from shared.contracts.casework.codes import Role
from shared.exchange.tables import OutboxRow
from shared.kit.ids import new_id
from shared.programmes.vocabulary import ActNeeds

THING = {"kind": "jewellery", "note": "One ring.", "post": "desk_officer", "name": "S. Synthetic"}


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[World]:
    async with centre_world(tmp_path) as made:
        yield made


async def refused(work: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as error:
        await work
    return error.value.status, error.value.problem["detail"]


async def pass_by(world: World, **time: float) -> None:
    world.clock.advance(timedelta(**time))
    for agency in world.agencies.values():
        await agency.watcher.tick()


# --- stays ---------------------------------------------------------------------------------------------------------------


async def test_a_stay_is_alarmed_at_day_three_and_at_its_limit_and_nothing_ends_it(centre: World) -> None:
    desk, head = await officer(centre), await officer(centre, "head", Role.SUPERVISOR)
    case_id = await came(desk)
    stay = await stays(desk, case_id, "0-9", "25-49")
    assert (stay["persons"], stay["with_her"]) == (3, ["0-9", "25-49"])
    await pass_by(centre, days=2, hours=23, minutes=59)
    assert await open_alarms(desk, case_id) == {}
    await pass_by(centre, minutes=1)
    assert await open_alarms(desk, case_id) == {"stay_needs_plan": "desk_officer"}
    for _ in range(2):
        await pass_by(centre, minutes=1)  # once, however often the watcher looks
    assert len([one for one in (await desk.get("/alarms"))["items"] if one["case_id"] == case_id]) == 1
    await pass_by(centre, days=2)
    assert await open_alarms(desk, case_id) == {"stay_over_limit": "centre_in_charge"}
    await pass_by(centre, days=20)
    (now,) = (await desk.get(f"/cases/{case_id}/stays"))["items"]
    assert (now["left_at"], now["message"], now["was_over_without_plan"]) == (None, "stay_over_limit_without_plan", True)
    until = (centre.clock.now() + timedelta(days=7)).date().isoformat()
    longer = {"reason": "no_place", "until": until}
    assert await refused(then(desk, stay, "extended", **longer)) == (403, "This account may not extend a stay; ask supervisor.")
    await then(head, stay, "extended", **longer)
    assert await open_alarms(desk, case_id) == {}
    await pass_by(centre, hours=1)
    assert await open_alarms(desk, case_id) == {"stay_needs_plan": "desk_officer"}  # longer is no plan
    far = (centre.clock.now() + timedelta(days=90)).date().isoformat()
    assert (await refused(then(head, stay, "extended", reason="no_place", until=far)))[0] == 409
    assert (await refused(then(head, stay, "extended", reason="no_place", until="9999-12-31")))[0] == 422, "the day after is none"
    async with centre["police"].database.read() as tx:  # nothing of a stay leaves
        assert not (await tx.session.execute(select(OutboxRow))).scalars().all()


async def test_a_plan_rests_on_a_request_that_was_accepted_and_breaks_with_it(centre: World) -> None:
    desk = await officer(centre)
    case_id = await came(desk)
    stay = await stays(desk, case_id)
    await pass_by(centre, days=3)
    assert "stay_needs_plan" in await open_alarms(desk, case_id)
    assert await refused(then(desk, stay, "planned", way="agency")) == (
        409,
        "Choose the request that was accepted; send one first where there is none.",
    )
    other = await taken_by_the_ministry(centre, desk, await came(desk))
    assert (await refused(then(desk, stay, "planned", way="agency", referral_id=other["id"])))[0] == 404
    sent = await taken_by_the_ministry(centre, desk, case_id)
    planned = await then(desk, stay, "planned", way="agency", referral_id=sent["id"])
    assert (planned["plan"], planned["message"]) == ("agency", "stay_within_limit")
    assert await open_alarms(desk, case_id) == {}
    worker = await centre["social_welfare"].sign_in("head-of-office", Role.SUPERVISOR, MINISTRY)
    await worker.post(f"/referrals/{sent['id']}/decline", {"reason_code": "no_place"})
    await centre.settle()
    await pass_by(centre, minutes=1)
    assert "stay_needs_plan" in await open_alarms(desk, case_id)
    (now,) = (await desk.get(f"/cases/{case_id}/stays"))["items"]
    assert now["plan"] is None


async def test_back_to_the_family_needs_her_yes_and_the_risks_looked_at(centre: World) -> None:
    desk = await officer(centre)
    case_id = await came(desk)
    stay = await stays(desk, case_id)
    for said in (
        {},
        {"she_agrees": "yes"},
        {"she_agrees": "yes", "risk_checked": "no"},
        {"she_agrees": "no", "risk_checked": "yes"},
    ):
        for kind in ("planned", "left"):  # as a plan it would stand, and nobody would be told that there is none
            status, words = await refused(then(desk, stay, kind, way="family", **said))
            assert (status, words.startswith("Back to the family only with the person’s own yes")) == (409, True)
    planned = await then(desk, stay, "planned", way="family", she_agrees="yes", risk_checked="yes")
    assert planned["plan"] == "family"
    done = await then(desk, stay, "left", way="family", she_agrees="yes", risk_checked="yes")
    assert done["left_at"] is not None
    assert await refused(then(desk, stay, "left", way="own_choice")) == (409, "This stay has ended already.")
    own = await stays(desk, await came(desk))
    assert (await then(desk, own, "left", way="own_choice"))["left_at"] is not None  # her own way asks for nothing


async def test_a_full_centre_writes_down_that_no_place_was_free_and_proposes_another(centre: World) -> None:
    desk = await officer(centre)
    first = await came(desk)
    await stays(desk, first, *["0-9"] * 9)
    assert (await refused(stays(desk, first)))[1] == "A stay of this case stands here already; end that one first."
    second = await came(desk)
    assert (await refused(stays(desk, second, "0-9", "10-14")))[0] == 409  # three of two free
    answer = await desk.post(f"/cases/{second}/stay-refusals", {"with_her": ["0-9", "10-14"]})
    assert {"agency": "social_welfare", "facility": MINISTRY} in answer["proposed"]
    assert not [one for one in answer["proposed"] if one["facility"].startswith("vsc_planned")]
    assert (await desk.get("/referrals"))["items"] == []  # nothing is sent by itself
    assert (await stays(desk, second, "0-9", "10-14", although_full=True))["persons"] == 3  # a person has decided
    (board,) = (await desk.get("/stays"))["items"]
    assert (board["facility"], board["places"], board["taken"]) == (CENTRE, 12, 13)
    year = centre.clock.now().year
    head = await officer(centre, "head", Role.SUPERVISOR)
    counted = {(one["measure"], one["count"]) for one in (await head.get(f"/counts?year={year}"))["counts"]}
    assert {("stays", 2), ("stays_within_limit", 2), ("stays_over_without_plan", 0), ("refused_for_lack_of_place", 1)} <= counted


async def test_nobody_stays_at_a_thana_or_where_the_programme_has_no_stays(centre: World, world: World) -> None:
    at_thana = await centre["thanas"].sign_in("thana", Role.OFFICER, THANA)
    status, words = await refused(stays(at_thana, await came(at_thana), post="duty_officer"))
    assert (status, words) == (409, "Nobody stays overnight at thana_1; propose a centre.")
    zambian = await world["police"].sign_in("zambian", Role.OFFICER, "ndola_central_vsu")
    case_id = (await zambian.post("/cases", {}))["id"]
    for work in (
        zambian.post(f"/cases/{case_id}/stays", {"post": "duty_officer"}),
        zambian.get(f"/cases/{case_id}/stays"),
        zambian.get("/stays"),
        zambian.post(f"/cases/{case_id}/property", {**THING, "post": "duty_officer"}),
        zambian.post(f"/cases/{case_id}/own-word", {"word": "mango tree", "phone_is_safe": True}),
        zambian.post("/enquiries", {"number": "P-2026-123456", "claims_to_be": "husband"}),
        zambian.post(
            f"/cases/{case_id}/counsellings", {"what": "session", "language": "en", "interpreter": False, "post": "duty_officer"}
        ),
    ):
        assert (await refused(work))[0] == 404


async def test_figures_of_stays_are_computed_from_the_records(centre: World) -> None:
    desk, head = await officer(centre), await officer(centre, "head", Role.SUPERVISOR)
    year = centre.clock.now().year
    in_time, late, extended = [await stays(desk, await came(desk)) for _ in range(3)]
    await then(desk, in_time, "hospital_out")
    await pass_by(centre, days=1)
    await then(desk, in_time, "hospital_back")
    await pass_by(centre, days=3)
    until = (centre.clock.now() + timedelta(days=4)).date().isoformat()
    await then(head, extended, "extended", reason="not_safe", until=until)
    await pass_by(centre, days=1, hours=12)
    for stay in (in_time, late, extended):
        await then(desk, stay, "left", way="own_choice")
    await stays(desk, await came(desk))
    await pass_by(centre, days=2)
    counts = await head.get(f"/counts?year={year}")
    found = {one["measure"]: one["count"] for one in counts["counts"] if one["place"] == CENTRE or one["count"] == 0}
    assert (found["stays"], found["stays_within_limit"], found["stays_over_without_plan"]) == (4, 2, 1)
    (lengths,) = [one["hours"] for one in counts["hours"] if one["duration"] == "stay_length"]
    assert [round(hours) for hours in lengths] == [48, 108, 132, 132]  # so far where she stays; no night in hospital


async def test_a_planned_centre_stands_in_the_directory_and_nothing_is_sent_there(centre: World) -> None:
    thana = await centre["thanas"].sign_in("thana", Role.OFFICER, THANA)
    listed = {one["facility"]: one["is_planned"] for one in (await thana.get("/directory/services"))["items"]}
    assert [listed[CENTRE], listed[PLANNED]] == [False, True]
    case_id = await came(thana)
    await consent(thana, case_id, "police", "needs", language="bn")
    body = {"case_id": case_id, "to_agency": "police", "services": ["protection"], "urgency": "urgent"}
    status, words = await refused(thana.post("/referrals", {**body, "to_facility": PLANNED}))
    assert (status, words.endswith("is planned and does not work yet; choose another place.")) == (409, True)
    sent = await thana.post("/referrals", {**body, "to_facility": CENTRE})
    await centre.settle()
    there = await (await officer(centre)).get(f"/referrals/{sent['id']}")
    assert "needs" not in json.dumps(there["content"])  # between two police agencies the request's own rows cross, and nothing else


# --- her things ------------------------------------------------------------------------------------------------------------


async def test_things_that_are_given_back_on_request_are_given_back_once_she_has_asked(centre: World) -> None:
    desk = await officer(centre)
    case_id = await came(desk)
    edge = centre["police"].edge
    rule = ActNeeds.model_validate({"rule": "act_needs", "act": "return_property", "facts": ["return_asked_for"], "source": "D"})
    rules = {**edge.here.programme.rules, "on_request": rule}
    edge.here = replace(edge.here, programme=edge.here.programme.model_copy(update={"rules": rules}))
    ring = await desk.post(f"/cases/{case_id}/property", THING)
    back = {"act": "returned", "name": "T. Synthetic", "her_sign": "thumb", "post": "desk_officer"}
    assert (await refused(desk.post(f"/property/{ring['id']}/entries", back)))[0] == 409
    await desk.post(f"/property/{ring['id']}/entries", {"act": "asked_back"})
    assert (await desk.post(f"/property/{ring['id']}/entries", back))["returned_at"] is not None


async def test_her_things_are_given_back_when_she_asks_or_it_is_a_breach(centre: World) -> None:
    desk = await officer(centre)
    case_id = await came(desk)
    ring = await desk.post(f"/cases/{case_id}/property", THING)
    papers = await desk.post(f"/cases/{case_id}/property", {**THING, "kind": "documents", "note": "Two."})
    assert (ring["number"], papers["number"], ring["holder"]) == (1, 2, "desk_officer")
    over = {"post": "desk_officer", "name": "S. Synthetic", "other_post": "centre_in_charge", "other_name": "T. Synthetic"}
    ring = await desk.post(f"/property/{ring['id']}/entries", {"act": "handed_over", **over})
    assert (ring["holder"], ring["gaps"]) == ("centre_in_charge", [])
    back = {"act": "returned", "name": "T. Synthetic", "her_sign": "thumb"}
    assert (await refused(desk.post(f"/property/{ring['id']}/entries", {"act": "returned", "post": "desk_officer"})))[0] == 422
    await desk.post(f"/property/{papers['id']}/entries", {"act": "asked_back"})
    await pass_by(centre, hours=24)
    assert (await desk.get(f"/cases/{case_id}/breaches"))["items"] == []  # the last moment is in time
    await pass_by(centre, seconds=1)
    await pass_by(centre, hours=1)
    (breach,) = (await desk.get(f"/cases/{case_id}/breaches"))["items"]
    assert (breach["code"], breach["by_whom"]) == ("property_not_returned", "police")
    assert await open_alarms(desk, case_id) == {"breach": "centre_in_charge"}
    done = await desk.post(f"/property/{papers['id']}/entries", {**back, "post": "desk_officer"})
    assert (done["holder"], done["asked_at"], done["returned_at"] is not None) == (None, None, True)
    assert (await refused(desk.post(f"/property/{papers['id']}/entries", {**back, "post": "desk_officer"})))[0] == 409
    no = await desk.post(f"/property/{ring['id']}/entries", {"act": "refused", "reason": "evidence"})
    assert no["breached_at"] is not None
    assert len((await desk.get(f"/cases/{case_id}/breaches"))["items"]) == 2
    wrong = await desk.post(f"/property/{ring['id']}/entries", {**back, "post": "desk_officer"})
    assert wrong["gaps"] == ["holder_differs"]  # the officer in charge had it


async def test_what_was_signed_for_is_changed_by_nobody_the_database_itself_refuses_it(centre: World) -> None:
    desk = await officer(centre)
    case_id = await came(desk)
    await then(desk, await stays(desk, case_id), "hospital_out")
    await desk.post(f"/cases/{case_id}/property", THING)
    await desk.post("/enquiries", {"number": await number_of(desk, case_id), "claims_to_be": "husband"})
    for table in ("police_property_entries", "police_stay_facts", "police_enquiries"):
        for change in (f"UPDATE {table} SET recorded_by = id", f"DELETE FROM {table}"):
            with pytest.raises(DBAPIError):
                async with centre["police"].database.write() as tx:
                    await tx.session.execute(text(change))


# --- by telephone ------------------------------------------------------------------------------------------------------------


async def number_of(desk: Desk, case_id: str) -> str:
    return str((await desk.get(f"/cases/{case_id}"))["number"])


NOTHING = (200, '{"id":,"told":false,"milestones":[]}')  # the same to everybody, but for the enquiry's own id


async def said_to(caller: Desk, asked: dict[str, Any]) -> tuple[int, str]:
    """What whoever asks is told, to the letter."""
    answer = await caller.ask("POST", "/enquiries", asked)
    return answer.status_code, answer.text.replace(f'"{answer.json()["id"]}"', "")


async def test_status_by_her_own_word_from_a_safe_telephone_and_in_no_other_way(centre: World) -> None:
    desk, caller = await officer(centre), await officer(centre, "at-the-telephone")
    case_id = await came(desk)
    number = await number_of(desk, case_id)
    await desk.post(f"/cases/{case_id}/complaints", {"number": "FIR/1/26"})
    right = {"number": number.lower(), "word": " Mango  TREE ", "claims_to_be": "herself", "phone_is_safe": True}
    assert await said_to(caller, right) == NOTHING  # no word was chosen
    assert (await refused(desk.post(f"/cases/{case_id}/own-word", {"word": "abc", "phone_is_safe": True})))[0] == 409
    assert (await refused(desk.post(f"/cases/{case_id}/own-word", {"word": number, "phone_is_safe": True})))[0] == 409
    await desk.post(f"/cases/{case_id}/own-word", {"word": "mango tree", "phone_is_safe": True})
    husband = {"number": number, "claims_to_be": "husband", "phone_is_safe": True}
    unknown = {**husband, "number": "P-2026-000000"}
    for body in (husband, unknown, {**right, "word": "mango"}, {**right, "phone_is_safe": False}):
        assert await said_to(caller, body) == NOTHING
    other = await officer(centre, "another")
    told = await other.post("/enquiries", right)
    assert (told["told"], [one["code"] for one in told["milestones"]]) == (True, ["complaint_registered"])
    kept = (await desk.get(f"/cases/{case_id}/enquiries"))["items"]
    assert [(one["claims_to_be"], one["was_answered"]) for one in kept] == [
        ("herself", True), ("herself", False), ("herself", False), ("husband", False), ("herself", False),
    ]  # fmt: skip
    async with centre["police"].database.read() as tx:
        looks = (await tx.session.execute(select(CaseRead).where(col(CaseRead.case_id) == UUID(case_id)))).scalars()
        assert {"enquiry", "enquiry_missed"} <= {one.what for one in looks}
        (word,) = (await tx.session.execute(select(OwnWord))).scalars()
        assert b"mango" not in word.digest
        assert len([one for one in (await tx.session.execute(select(Enquiry))).scalars() if one.case_id is None]) == 1


async def test_guesses_at_a_word_are_limited_by_account_and_by_case(centre: World) -> None:
    desk = await officer(centre)
    case_id = await came(desk)
    await desk.post(f"/cases/{case_id}/own-word", {"word": "mango tree", "phone_is_safe": True})
    right = {"number": await number_of(desk, case_id), "word": "mangotree", "claims_to_be": "herself", "phone_is_safe": True}
    for n in range(CODE_ATTEMPTS_MAX):
        guesser = await officer(centre, f"guesser-{n}")  # each has tries of her own
        assert not (await guesser.post("/enquiries", {**right, "word": f"guess {n}"}))["told"]
    fresh = await officer(centre, "fresh")
    assert not (await fresh.post("/enquiries", right))["told"]  # of this case too many were wrong
    centre.clock.advance(CODE_ATTEMPTS_WINDOW + timedelta(seconds=1))
    assert (await fresh.post("/enquiries", right))["told"]
    for n in range(CODE_ATTEMPTS_MAX):
        assert not (await fresh.post("/enquiries", {**right, "number": f"P-2026-{n:06}"}))["told"]
    assert not (await fresh.post("/enquiries", right))["told"]  # and of this account
    assert (await desk.post("/enquiries", right))["told"]


async def test_a_telephone_that_is_not_safe_tells_nothing_whatever_the_word(centre: World) -> None:
    desk = await officer(centre)
    for more, phone in (({}, False), ({"safety": {"safe_to_return": "no", "alone_on_phone": "no"}}, True)):
        case_id = await came(desk, **more)
        await desk.post(f"/cases/{case_id}/own-word", {"word": "mango tree", "phone_is_safe": phone})
        asked = {"number": await number_of(desk, case_id), "word": "mango tree", "claims_to_be": "herself", "phone_is_safe": True}
        assert not (await desk.post("/enquiries", asked))["told"]


async def guest_of(centre: World, case_id: str) -> Desk:
    """An officer of another place to whom the case is open for the hour of an emergency."""
    guest, police, now = await centre["police"].sign_in("guest", Role.OFFICER, PLANNED), centre["police"], centre.clock.now()
    async with police.database.write() as tx:
        account = await find_account(tx, "guest")
        tx.session.add(
            Opening(id=new_id(), case_id=UUID(case_id), account_id=account.id, why="life_threat", opened_at=now,
                    until_at=now + timedelta(hours=1))
        )  # fmt: skip
    return guest


async def test_a_guest_of_an_emergency_takes_neither_her_word_nor_her_things_nor_her_bed_nor_her_day(centre: World) -> None:
    desk = await officer(centre)
    case_id = await came(desk)
    stay = await stays(desk, case_id)
    ring = await desk.post(f"/cases/{case_id}/property", THING)
    await desk.post(f"/cases/{case_id}/own-word", {"word": "mango tree", "phone_is_safe": True})
    path = f"/cases/{case_id}/complaints"
    path = f"{path}/{(await desk.post(path, {}))['id']}"
    found = (await desk.post(f"{path}/steps", {"code": "hearing_date", "hearing_on": "2026-03-01"}))["steps"]
    hearing = next(one["step"] for one in found if one["hearing_on"])
    withdrawn = {"asked_by": "family", "pressure": "yes", "asked_alone": False}
    guest = await guest_of(centre, case_id)
    assert (await guest.get(f"/cases/{case_id}"))["id"] == case_id  # it is open to him
    back = {"act": "returned", "post": "desk_officer", "name": "T. Synthetic", "her_sign": "thumb"}
    for work in (
        guest.post(f"/cases/{case_id}/own-word", {"word": "his own word", "phone_is_safe": True}),
        guest.post(f"/property/{ring['id']}/entries", back),
        then(guest, stay, "left", way="own_choice"),
        guest.post(f"/cases/{case_id}/hearing-off", {"step": hearing}),
        guest.post(f"{path}/withdrawals", withdrawn),
    ):
        assert (await refused(work))[0] == 403
    asked = {"number": await number_of(desk, case_id), "word": "mango tree", "claims_to_be": "herself", "phone_is_safe": True}
    assert (await desk.post("/enquiries", asked))["told"]  # her word stands


async def test_who_may_never_see_her_case_and_asks_is_told_nothing_and_it_is_on_her_list(centre: World) -> None:
    desk, head = await officer(centre), await officer(centre, "head", Role.SUPERVISOR)
    case_id = await came(desk)
    await desk.post(f"/cases/{case_id}/own-word", {"word": "mango tree", "phone_is_safe": True})
    suspect = await officer(centre, "suspect")
    async with centre["police"].database.write() as tx:
        row, by = await find_account(tx, "suspect"), await find_account(tx, "head")
        await bar(tx, row, UUID(case_id), Actor(by.id, by.name, Role.SUPERVISOR, CENTRE))
    asked = {"number": await number_of(desk, case_id), "word": "mango tree", "claims_to_be": "husband", "phone_is_safe": True}
    assert await said_to(suspect, asked) == NOTHING
    (kept,) = (await head.get(f"/cases/{case_id}/enquiries"))["items"]
    assert (kept["claims_to_be"], kept["was_answered"]) == ("husband", False)
    assert (await refused(suspect.get(f"/cases/{case_id}/enquiries")))[0] == 404


async def test_counselling_is_kept_with_its_note_and_told_to_nobody(centre: World) -> None:
    desk = await officer(centre)
    case_id = await came(desk)
    body = {"what": "first_support", "language": "rhg", "interpreter": True, "post": "desk_officer", "note": "A synthetic note."}
    await desk.post(f"/cases/{case_id}/counsellings", body)
    assert (await refused(desk.post(f"/cases/{case_id}/counsellings", {**body, "post": "duty_nurse"})))[0] == 409
    (kept,) = (await desk.get(f"/cases/{case_id}/counsellings"))["items"]
    assert {name: kept[name] for name in body} == body
    await consent(desk, case_id, "health", "needs", language="bn")
    sent = await desk.post(
        "/referrals",
        {"case_id": case_id, "to_agency": "health", "to_facility": HOSPITAL, "services": ["injury_care"], "urgency": "urgent"},
    )
    await centre.settle()
    doctor = await centre["health"].sign_in("doctor", None, HOSPITAL)
    assert "synthetic" not in json.dumps(await doctor.get(f"/referrals/{sent['id']}"))


async def test_what_was_written_afterwards_counts_by_its_own_time(centre: World) -> None:
    desk = await officer(centre)
    case_id = await came(desk)
    centre.clock.advance(timedelta(days=2))
    then_at = centre.clock.now() - timedelta(days=1)
    stay = await stays(desk, case_id, occurred_at=then_at.isoformat())
    assert datetime.fromisoformat(stay["came_at"]) == then_at.astimezone(UTC)
    assert (await refused(then(desk, stay, "hospital_out", occurred_at=(then_at - timedelta(hours=1)).isoformat())))[0] == 409
    async with centre["police"].database.read() as tx:
        (row,) = (await tx.session.execute(select(Stay))).scalars()
        assert row.recorded_at == centre.clock.now()


async def test_no_word_of_a_stay_lies_open_in_any_file(centre: World, tmp_path: Path) -> None:
    desk, head = await officer(centre), await officer(centre, "head", Role.SUPERVISOR)
    case_id = await came(desk)
    stay = await stays(desk, case_id, "10-14")
    until = (centre.clock.now() + timedelta(days=9)).date().isoformat()
    await then(head, stay, "extended", reason="in_court", until=until)
    await then(desk, stay, "left", way="own_choice")
    thing = await desk.post(f"/cases/{case_id}/property", {**THING, "note": "canary-note", "name": "canary-name"})
    back = {"act": "returned", "post": "desk_officer", "name": "canary-hand", "her_sign": "thumb"}
    await desk.post(f"/property/{thing['id']}/entries", back)
    support = {"what": "with_children", "language": "rhg-QZ", "interpreter": False, "post": "desk_officer", "note": "canary-talk"}
    await desk.post(f"/cases/{case_id}/counsellings", support)
    await desk.post(f"/cases/{case_id}/own-word", {"word": "canary-word", "phone_is_safe": True})
    asked = {"number": await number_of(desk, case_id), "word": "canary-word", "claims_to_be": "husband", "phone_is_safe": True}
    await desk.post("/enquiries", asked)
    await desk.post("/enquiries", {**asked, "number": "canary-number"})
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("*.db*"))
    assert b"desk_officer" in kept  # a post of the place is in the clear: the search sees what lies open
    words = ("canary", "jewellery", "in_court", until, '"10-14"', "own_choice", "rhg-QZ", "with_children", "husband", "thumb")
    assert [word for word in words if word.encode() in kept] == []
