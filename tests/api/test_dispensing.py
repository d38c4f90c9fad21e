"""Dispensing at a station: who may, until when, out of which batch, and what is told of it; the box's book and its count by two."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from agencies import Desk, Refused, World, consent, refer
from box import BATCH, EC, STATION, came, certified, certify, count, give, inspector, left, stock
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from services.police.dispensing.tables import BoxEntry, Dose
from shared.casework.accounts.commands import find_account
from shared.casework.accounts.tables import Attempt, CaseRead
from shared.casework.cases.tables import Case
from shared.casework.scope import told
from shared.contracts.casework.codes import Role
from shared.kit.db import asking
from shared.kit.ids import new_id


async def refused(work: Any) -> tuple[int, str]:
    """How a request is refused: status and sentence."""
    with pytest.raises(Refused) as error:
        await work
    return error.value.status, error.value.problem["detail"]


# --- who may --------------------------------------------------------------------------------------------------------------


async def test_a_dose_leaves_the_box_and_the_case_knows_of_it_and_the_clinic_only_under_given(world: World) -> None:
    desk = await certified(world)
    await stock(desk, 1)
    for items, is_told in ((("needs", "given"), True), (("needs",), False)):
        if await left(desk) == 0:
            await stock(desk, 1)
        case_id, incident_id = await came(world, desk, 70)
        dose = await give(desk, case_id, incident_id)
        assert (dose["said"]["kind"], dose["said"]["batch"], dose["said"]["since"]) == ("first", BATCH, "72")
        assert await left(desk) == 0
        given = (await desk.get(f"/cases/{case_id}/incidents"))["items"][0]["given"]
        assert [one["product"] for one in given] == [EC]
        await consent(desk, case_id, "health", *items)
        referral = await refer(desk, case_id, incident_id, "health")
        await world.settle()
        nurse = await world["health"].sign_in(f"nurse-{is_told}")
        said = await nurse.get(f"/referrals/{referral['id']}")
        assert (said["content"].get("given") is not None) == is_told
        assert said["content"]["windows"], "its clocks go on, whatever was given"


async def test_who_is_not_certified_finds_nothing_and_that_she_asked_is_kept(world: World) -> None:
    desk = await certified(world)
    await stock(desk)
    case_id, incident_id = await came(world, desk)
    await give(desk, case_id, incident_id)
    police = world["police"]
    readers = [
        await police.sign_in("colleague", Role.OFFICER, STATION), await inspector(world, "uncertified-inspector"),
        await police.sign_in("elsewhere", Role.OFFICER, "masaiti_vsu"), await police.sign_in("chief", Role.SUPERVISOR, None),
    ]  # fmt: skip
    line = {"product": EC, "batch": "X1", "expires_on": "2027-01-01", "kind": "received", "quantity": 1}
    routes: list[tuple[str, str, Any]] = [
        ("GET", f"/cases/{case_id}/doses", None), ("GET", "/dispensing/register", None), ("GET", "/dispensing/box", None),
        ("GET", "/dispensing/entries", None), ("GET", "/dispensing/requests", None),
        ("POST", f"/cases/{case_id}/doses", {"product": EC, "incident_id": incident_id}),
        ("POST", "/dispensing/entries", line),
        ("POST", "/dispensing/counts", {"counted": []}), ("POST", "/dispensing/statements", {"month": "2025-12"}),
        ("POST", "/dispensing/requests", {"product": EC, "quantity": 5, "reason": "low"}),
    ]  # fmt: skip
    before = await attempts(world)
    for reader in readers:
        for method, path, body in routes:
            assert (await reader.ask(method, path, body)).status_code == 404, (method, path)
    assert await attempts(world) - before == len(readers) * len(routes)
    assert (await desk.get("/dispensing/register"))["items"], "and to her it is there"
    async with police.database.read() as tx:
        looks = {what for (what,) in (await tx.session.execute(select(col(CaseRead.what)))).all()}
    assert "list" in looks


async def attempts(world: World) -> int:
    async with world["police"].database.read() as tx:
        return int((await tx.session.execute(select(func.count()).select_from(Attempt))).scalar_one())


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)  # SQLite keeps no such rules
async def test_the_database_itself_keeps_the_register_from_whoever_holds_no_certificate(world: World) -> None:
    police = world["police"]
    desk = await certified(world)
    await stock(desk)
    case_id, incident_id = await came(world, desk)
    await give(desk, case_id, incident_id)
    await police.sign_in("colleague", Role.OFFICER, STATION)
    for name, seen in (("officer-1", 1), ("colleague", 0)):
        async with police.database.read() as tx:
            account = (await tx.session.execute(text("SELECT id FROM casework_accounts WHERE name = :n"), {"n": name})).scalar_one()
        before = asking.set(told(police.here.actor(account, name, Role.OFFICER, STATION)))
        async with police.database.read() as tx:
            found = [(await tx.session.execute(select(func.count()).select_from(table))).scalar_one() for table in (Dose, BoxEntry)]
        asking.reset(before)
        assert found == [seen, 2 * seen], name


NOT_CERTIFIED: tuple[tuple[dict[str, Any], str | None], ...] = (
    ({"certified_on": None, "certified_by": None, "valid_until": None}, "not certified yet"),
    ({"valid_until": "2026-01-04"}, "ended on 2026-01-04"),
    ({"certificate": "ec_trainer"}, None),  # trains others, and is no distributor herself
)


async def test_trained_is_not_certified_and_an_expired_certificate_refuses_in_one_sentence(world: World) -> None:
    await stock(await certified(world, "full"))
    for n, (held, says) in enumerate(NOT_CERTIFIED):
        desk = await certified(world, f"officer-{n}", **held)
        case_id, incident_id = await came(world, desk)
        status, sentence = await refused(give(desk, case_id, incident_id))
        assert (status, (says or "There is nothing at this address.") in sentence) == (403 if says else 404, True)
    await consent(desk, case_id, "health", "needs")
    assert (await refer(desk, case_id, incident_id, "health"))["status"] == "issued"  # care goes on


async def test_a_certificate_is_good_on_its_last_day_by_the_wall_clock_and_not_on_the_next(world: World) -> None:
    desk = await certified(world, valid_until="2026-01-05")  # the clock of these tests stands on it
    await stock(desk)
    case_id, incident_id = await came(world, desk)
    await give(desk, case_id, incident_id)
    tomorrow = world.clock.now().replace(hour=22, minute=0, second=0)  # 00:00 in Lusaka
    world.clock.advance(tomorrow - world.clock.now() - timedelta(seconds=1))
    case_id, incident_id = await came(world, desk)
    await give(desk, case_id, incident_id)
    world.clock.advance(timedelta(seconds=1))
    case_id, incident_id = await came(world, desk)
    assert (await refused(give(desk, case_id, incident_id)))[0] == 403


async def test_only_who_holds_the_trainers_certificate_trains_and_only_who_issues_it_certifies(world: World) -> None:
    police = world["police"]
    for name in ("officer-1", "officer-2", "trainer"):
        await police.sign_in(name, Role.OFFICER, STATION)
    supervisor = await inspector(world)
    async with police.database.read() as tx:
        trainer = str((await find_account(tx, "trainer")).id)
        other = str((await find_account(tx, "officer-2")).id)
    assert (await refused(certify(world, supervisor, "officer-1", certified_by="police")))[0] == 409
    assert (await refused(certify(world, supervisor, "officer-1", is_trainer=True)))[0] == 409
    assert (await refused(certify(world, supervisor, "officer-1", trainer_id=trainer)))[0] == 409  # who holds nothing yet
    trains = {"certificate": "ec_trainer", "is_trainer": True, "trained_on": "2025-05-01", "valid_until": None}
    await certify(world, supervisor, "trainer", **trains)
    too_early = certify(world, supervisor, "officer-1", trainer_id=trainer, trained_on="2025-06-01")
    assert (await refused(too_early))[0] == 409  # she was certified on 10 June
    made = await certify(world, supervisor, "officer-1", trainer_id=trainer, trained_on="2025-07-01", certified_on="2025-07-06")
    assert made["trainer_id"] == trainer
    assert (await refused(certify(world, supervisor, "officer-2", trainer_id=other)))[0] == 409  # nobody trains herself


async def test_a_certificate_is_issued_after_the_acts_that_somebody_watched(world: World) -> None:
    police = world["police"]
    kinds = police.here.programme.certificates
    watched = kinds["ec_provider"].model_copy(update={"supervised_acts": 3})
    programme = police.here.programme.model_copy(update={"certificates": {**kinds, "ec_provider": watched}})
    police.edge.here = replace(police.here, programme=programme)
    await police.sign_in("officer-1", Role.OFFICER, STATION)
    supervisor = await inspector(world)
    assert (await refused(certify(world, supervisor, "officer-1", supervised_acts=2)))[0] == 409
    assert (await certify(world, supervisor, "officer-1", supervised_acts=3))["supervised_acts"] == 3
    trained = {"certified_on": None, "certified_by": None, "valid_until": None}
    assert (await certify(world, supervisor, "officer-1", **trained))["certified_on"] is None  # trained, and not certified yet


async def test_certificates_are_entered_by_a_supervisor_for_somebody_else_and_ended(world: World) -> None:
    police = world["police"]
    officer = await police.sign_in("officer-1", Role.OFFICER, STATION)
    supervisor, chief = await inspector(world), await inspector(world, "chief")
    elsewhere = await police.sign_in("other-inspector", Role.SUPERVISOR, "masaiti_vsu")
    made = await certify(world, supervisor, "officer-1")
    assert not made["is_trainer"]
    assert (await refused(certify(world, officer, "officer-1")))[0] == 403
    assert (await refused(certify(world, supervisor, "inspector")))[0] == 409
    assert (await refused(certify(world, elsewhere, "officer-1")))[0] == 404
    assert (await refused(certify(world, chief, "officer-1", trained_on="2026-02-01", certified_on="2026-02-02")))[0] == 409
    assert (await refused(elsewhere.post(f"/certificates/{made['id']}/end")))[0] == 404
    assert (await officer.get("/dispensing/box"))["lots"] == []
    assert (await chief.post(f"/certificates/{made['id']}/end"))["ended_on"] == "2026-01-05"
    assert (await refused(officer.get("/dispensing/box")))[0] == 403
    assert [one["ended_on"] for one in (await chief.get("/certificates"))["items"]] == ["2026-01-05"]


# --- until when, and for whom ---------------------------------------------------------------------------------------------


async def test_the_120th_hour_belongs_to_it_to_the_second_and_later_only_care_goes_on(world: World) -> None:
    desk = await certified(world)
    await stock(desk)
    for since in (timedelta(hours=119, minutes=59), timedelta(hours=120)):
        assert (await give(desk, *await came(world, desk, since / timedelta(hours=1), upto=400)))["said"]["outcome"] == "given"
    for since in (timedelta(hours=120, seconds=1), timedelta(hours=120, minutes=1)):
        case_id, incident_id = await came(world, desk, since / timedelta(hours=1), upto=400)
        status, sentence = await refused(give(desk, case_id, incident_id))
        assert (status, "Care is never too late" in sentence) == (409, True)
    assert await left(desk) == 8
    await consent(desk, case_id, "health", "needs")
    assert (await refer(desk, case_id, incident_id, "health"))["status"] == "issued"


async def test_a_range_is_eligible_while_any_instant_of_it_fits_and_a_time_that_nobody_knows_refuses_nothing(world: World) -> None:
    desk = await certified(world)
    await stock(desk)
    case_id, incident_id = await came(world, desk, 100, upto=300)
    assert (await give(desk, case_id, incident_id))["said"]["since"] == "later"
    case_id = (await desk.post("/cases", {"needs": {"age_band": "25-49", "sex": "female", "language": "bem"}}))["id"]
    incident_id = (await desk.post(f"/cases/{case_id}/incidents", {"incident_type": "rape"}))["id"]
    assert (await give(desk, case_id, incident_id))["said"]["since"] == "unknown"


async def test_a_boy_and_a_small_child_are_given_nothing_and_sent_to_care_and_a_girl_of_thirteen_is(world: World) -> None:
    desk = await certified(world)
    await stock(desk)
    others: tuple[tuple[dict[str, Any], str], ...] = (({"sex": "male"}, "boy or a man"), ({"age_band": "0-9"}, "At this age"))
    for who, says in others:
        case_id, incident_id = await came(world, desk, **who)
        status, sentence = await refused(give(desk, case_id, incident_id))
        assert (status, says in sentence) == (409, True)
    await consent(desk, case_id, "health", "needs")
    assert (await refer(desk, case_id, incident_id, "health"))["status"] == "issued"
    assert (await give(desk, *await came(world, desk, age_band="10-14")))["said"]["outcome"] == "given"


# --- out of which batch ---------------------------------------------------------------------------------------------------


async def test_what_expires_first_goes_first_and_what_has_expired_never(world: World) -> None:
    desk = await certified(world)
    await stock(desk, 1, "LATE-1", "2027-12-31")
    await stock(desk, 1, "SOON-1", "2026-01-05")  # its last day is today
    await stock(desk, 1, "OVER-1", "2026-01-04")
    status, sentence = await refused(give(desk, *await came(world, desk), batch="OVER-1"))
    assert (status, "expired on 2026-01-04" in sentence) == (409, True)
    assert [(await give(desk, *await came(world, desk)))["said"]["batch"] for _ in range(2)] == ["SOON-1", "LATE-1"]
    assert (await refused(give(desk, *await came(world, desk))))[0] == 409  # only the expired one is left
    lots = (await desk.get("/dispensing/box"))["lots"]
    assert [(lot["batch"], lot["is_expired"]) for lot in lots] == [("OVER-1", True)]
    line = {"product": EC, "batch": "OVER-1", "expires_on": "2026-01-04", "kind": "destroyed", "quantity": 1}
    assert (await desk.post("/dispensing/entries", line))["balance"] == 0


async def test_none_here_proposes_care_and_is_counted(world: World) -> None:
    desk = await certified(world)
    await stock(desk, 1)
    await give(desk, *await came(world, desk))
    case_id, incident_id = await came(world, desk)
    status, sentence = await refused(give(desk, case_id, incident_id))
    assert (status, "Care has it" in sentence) == (409, True)
    assert (await give(desk, case_id, incident_id, outcome="none_here"))["said"]["outcome"] == "none_here"
    await give(desk, *await came(world, desk), outcome="declined")
    (one,) = await figures(await inspector(world, "chief"))
    assert (one["doses"], one["none_here"], one["declined"], one["stock_out_days"], one["eligible"]) == (1, 1, 1, 1, 3)


async def figures(supervisor: Desk, first: str = "2026-01-01", until: str = "2026-02-01") -> list[Any]:
    found = (await supervisor.get(f"/dispensing/figures?first={first}&until={until}"))["items"]
    return [one for one in found if one["facility"] == STATION]


# --- a second dose --------------------------------------------------------------------------------------------------------


async def test_a_second_dose_asks_for_a_reason_one_that_was_vomited_does_not_and_a_new_incident_begins_anew(world: World) -> None:
    desk = await certified(world)
    await stock(desk)
    case_id, incident_id = await came(world, desk)
    await give(desk, case_id, incident_id)
    status, sentence = await refused(give(desk, case_id, incident_id))
    assert (status, "for this incident before" in sentence) == (409, True)
    assert await left(desk) == 9
    world.clock.advance(timedelta(hours=3))
    assert (await give(desk, case_id, incident_id, vomited=True))["said"]["kind"] == "vomited"
    world.clock.advance(timedelta(hours=3, seconds=1))
    assert (await refused(give(desk, case_id, incident_id, vomited=True)))[0] == 409  # later than that it is one like any other
    again = await give(desk, case_id, incident_id, vomited=True, again_reason="vomited_later")
    assert (again["said"]["kind"], again["said"]["reason"]) == ("again", "vomited_later")
    happened = (world.clock.now() - timedelta(hours=1)).isoformat()
    body = {"incident_type": "rape", "earliest_at": happened, "latest_at": happened}
    second = (await desk.post(f"/cases/{case_id}/incidents", body))["id"]
    assert (await give(desk, case_id, second))["said"]["kind"] == "first"
    (one,) = await figures(await inspector(world, "chief"))
    assert one["kinds"] == {"first": 2, "vomited": 1, "again": 1}
    assert (one["timely"], one["eligible"]) == (2, 2), "whoever was given two doses is not in time twice"


async def test_a_dose_counts_on_the_day_on_which_it_was_given_and_years_that_no_clock_has_are_refused(world: World) -> None:
    desk = await certified(world)
    await stock(desk)
    case_id, incident_id = await came(world, desk)
    given_at = world.clock.now()
    world.clock.advance(timedelta(days=2))
    await give(desk, case_id, incident_id, occurred_at=given_at.isoformat())
    supervisor = await inspector(world, "chief")
    days = [(given_at + timedelta(days=n)).date().isoformat() for n in (0, 1, 3)]
    (then,), (later,) = await figures(supervisor, *days[:2]), await figures(supervisor, *days[1:])
    assert (then["doses"], later["doses"]) == (1, 0)
    for year in ("0001", "9999"):
        for path in (f"/dispensing/figures?first={year}-12-31&until={year}-12-31", f"/hotline?until={year}-01-01T00:00:00Z"):
            status, sentence = await refused(supervisor.get(path))
            assert (status, "between the years 1900 and 2199" in sentence) == (422, True), path


async def test_what_she_was_given_elsewhere_counts_as_a_dose_before(world: World) -> None:
    desk = await certified(world)
    await stock(desk)
    case_id, _first = await came(world, desk)
    given = [{"product": EC, "given_at": (world.clock.now() - timedelta(hours=2)).isoformat()}]
    body = {"incident_type": "rape", "given": given}
    incident_id = (await desk.post(f"/cases/{case_id}/incidents", body))["id"]
    assert (await refused(give(desk, case_id, incident_id)))[0] == 409


# --- what goes wrong ------------------------------------------------------------------------------------------------------


async def test_a_report_is_an_alarm_above_the_desk_and_is_told_without_any_person(world: World) -> None:
    desk = await certified(world)
    case_id, _incident = await came(world, desk)
    agreed, _incident = await came(world, desk, 20)
    await consent(desk, agreed, "health", "given")
    colleague = await world["police"].sign_in("colleague", Role.OFFICER, STATION)  # whoever noticed it, certified or not
    await colleague.post("/dispensing/reports", {"product": EC, "code": "sold", "batch": BATCH})
    await desk.post("/dispensing/reports", {"product": EC, "code": "allergic_reaction", "case_id": case_id})
    await desk.post("/dispensing/reports", {"product": EC, "code": "vomiting", "case_id": agreed, "batch": BATCH})
    supervisor = await inspector(world, "chief")
    alarms = {one["kind"]: one for one in (await supervisor.get("/alarms"))["items"]}
    assert alarms.keys() == {"dose_misused", "dose_adverse"}
    assert {one["post"] for one in alarms.values()} == {"vsu_inspector"}
    assert {one["case_id"] for one in alarms.values()} == {None}
    (one,) = await figures(supervisor)
    assert (one["adverse"], one["misuse"]) == (2, 1)
    await world.settle()
    matron = await world["health"].sign_in("matron", Role.SUPERVISOR, "ndola_clinic")
    told_of = (await matron.get("/supplies/reports"))["items"]
    # What is known of whom is told at once under her item `given` alone; what nobody gave an item for waits for the month's sums.
    assert {one["code"] for one in told_of} == {"sold", "vomiting"}
    assert not any(case_id in str(one) for one in told_of)


async def test_figures_say_nought_where_nothing_happened_and_open_no_case(world: World) -> None:
    desk = await certified(world)
    supervisor = await inspector(world, "chief")
    (one,) = await figures(supervisor)
    nothing = ("doses", "timely", "adverse", "misuse", "stock_out_days", "declined", "none_here", "received", "dispensed")
    assert {one[name] for name in nothing} == {0}
    assert one["variance"] is None  # nobody counted
    await stock(desk)
    for hours in (10, 71, 100, 121):
        await give(desk, *await came(world, desk, min(hours, 119), upto=hours))
    case_id, incident_id = await came(world, desk)
    await give(desk, case_id, incident_id)
    async with world["police"].database.write() as tx:
        (await tx.session.get_one(Case, UUID(case_id))).not_counted = True  # as she has said
        before = (await tx.session.execute(select(func.count()).select_from(CaseRead))).scalar_one()
    (one,) = await figures(supervisor)
    assert (one["doses"], one["timely"], one["since"]) == (4, 3, {"72": 2, "120": 1, "later": 1})
    assert one["dispensed"] == 5  # the box counts every dose: its book must fit the box
    async with world["police"].database.read() as tx:
        assert (await tx.session.execute(select(func.count()).select_from(CaseRead))).scalar_one() == before
    assert (await refused(desk.get("/dispensing/figures?first=2026-01-01&until=2026-02-01")))[0] == 403


# --- the book, and its count by two ----------------------------------------------------------------------------------------


async def test_no_batch_falls_below_nought_and_no_line_is_ever_changed(world: World) -> None:
    desk = await certified(world)
    await stock(desk, 2)
    line = {"product": EC, "batch": BATCH, "expires_on": "2027-06-30", "kind": "returned", "quantity": 3}
    assert (await refused(desk.post("/dispensing/entries", line)))[0] == 409
    assert (await refused(stock(desk, 1, BATCH, "2027-07-01")))[0] == 409  # the same batch, another day
    wrong = (await desk.get("/dispensing/entries"))["items"][0]
    fixed = await desk.post("/dispensing/entries", {
        **line, "kind": "corrected", "quantity": -1, "reason": "mistyped", "about": wrong["id"]})  # fmt: skip
    assert (fixed["number"], fixed["balance"]) == (2, 1)
    for change in (update(BoxEntry).values(quantity=5), text("DELETE FROM police_box_entries")):
        with pytest.raises(DBAPIError, match="never changed"):
            async with world["police"].database.write() as tx:
                await tx.session.execute(change)


async def test_a_mistyped_line_is_put_right_and_is_no_loss_and_a_loss_stays_one(world: World) -> None:
    desk, second = await certified(world), await certified(world, "officer-2")
    line = await stock(desk, 50)  # there were 5
    await count(desk, second, {BATCH: 5})
    supervisor = await inspector(world, "chief")
    assert (await figures(supervisor))[0]["variance"] == 45
    world.clock.advance(timedelta(hours=1))
    fix = {"product": EC, "batch": BATCH, "expires_on": "2027-06-30", "kind": "corrected", "reason": "mistyped"}
    status, sentence = await refused(desk.post("/dispensing/entries", {**fix, "quantity": -45}))
    assert (status, "which line" in sentence) == (409, True)
    assert (await refused(desk.post("/dispensing/entries", {**fix, "quantity": -45, "about": str(new_id())})))[0] == 404
    await stock(desk, 30)
    status, sentence = await refused(desk.post("/dispensing/entries", {**fix, "quantity": -51, "about": line["id"]}))
    assert (status, "fewer doses" in sentence) == (409, True)
    await desk.post("/dispensing/entries", {**fix, "quantity": -46, "about": line["id"]})
    await desk.post("/dispensing/entries", {**fix, "quantity": 1, "reason": "too_few", "about": line["id"]})
    (one,) = await figures(supervisor)
    assert (one["variance"], one["corrected"], one["received"]) == (0, -45, 80), "both lines stand, and nothing was lost"
    await count(desk, second, {BATCH: 35})
    assert (await figures(supervisor))[0]["variance"] == 0, "what was put right after a count is no loss at the next"
    world.clock.advance(timedelta(hours=1))
    await desk.post("/dispensing/entries", {**fix, "quantity": -1, "reason": "broken"})
    await count(desk, second, {BATCH: 33})
    (one,) = await figures(supervisor)
    assert one["variance"] == 1, "one broke and is written down; of the other nobody knows"


async def test_two_count_without_seeing_each_others_figures_and_what_differs_from_the_book_is_an_alarm(world: World) -> None:
    desk = await certified(world)
    await stock(desk, 5)
    assert (await desk.get("/dispensing/box"))["is_count_due"]
    colleague = await world["police"].sign_in("colleague", Role.OFFICER, STATION)
    assert (await count(desk, colleague, {BATCH: 5}))["is_agreed"]
    assert not (await desk.get("/dispensing/box"))["is_count_due"]
    assert not (await count(desk, colleague, {BATCH: 5}, {BATCH: 4}))["is_agreed"]  # neither stands
    supervisor = await inspector(world, "chief")
    assert (await supervisor.get("/alarms"))["items"] == []
    found = await count(desk, colleague, {BATCH: 3})
    assert (found["is_agreed"], found["variance"]) == (True, {f"{EC}/{BATCH}": 2})
    (alarm,) = (await supervisor.get("/alarms"))["items"]
    assert (alarm["kind"], alarm["post"]) == ("box_variance", "vsu_inspector")
    assert alarm["detail"]["batches"] == {f"{EC}/{BATCH}": [5, 3]}
    assert (await figures(supervisor))[0]["variance"] == 2
    mine = {"product": EC, "batch": BATCH, "quantity": 3}
    opened = await desk.post("/dispensing/counts", {"counted": [mine]})
    assert (await refused(desk.post(f"/dispensing/counts/{opened['id']}/second", {"counted": [mine]})))[0] == 409  # herself
    elsewhere = await world["police"].sign_in("elsewhere", Role.OFFICER, "masaiti_vsu")
    for id_ in (opened["id"], new_id()):
        assert (await refused(elsewhere.post(f"/dispensing/counts/{id_}/second", {"counted": [mine]})))[0] == 404
    await give(desk, *await came(world, desk))  # the book has gone on, and nobody waited for the count
    await stock(desk, 4, "EC-25-001")
    new = {"product": EC, "batch": "EC-25-001", "quantity": 4}
    path = f"/dispensing/counts/{opened['id']}/second"
    assert (await refused(colleague.post(path, {"counted": [{**mine, "quantity": 2}]})))[0] == 409  # a batch is left out
    laid = await colleague.post(path, {"counted": [{**mine, "quantity": 2}, new]})
    assert (laid["is_agreed"], laid["variance"]) == (True, {f"{EC}/{BATCH}": 2})
    assert (await figures(supervisor))[0]["variance"] == 2
