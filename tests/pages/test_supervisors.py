"""A supervisor's day: alarms that somebody must take, what waits too long by facility, posts; however much there is of it."""

from datetime import timedelta

from agencies import TestAgency, World, consent, open_case, refer
from signing_in import settled_account, sign_in
from sqlalchemy import select
from statements import statements_of
from visitor import Visitor

from shared.casework.accounts.commands import find_account
from shared.casework.accounts.tables import CaseRead, Duty
from shared.casework.alarms.commands import raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.alarms.views import ALARMS_MAX
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Flag, Role, Urgency
from shared.kit.ids import new_id


async def at_work(world: World, agency: str, name: str, role: Role, facility: str | None = "ndola_clinic") -> Visitor:
    visitor = Visitor(world[agency].app)
    issued = await settled_account(world[agency], name, role)
    async with world[agency].database.write() as tx:
        (await find_account(tx, name)).facility = facility
    await sign_in(visitor, issued, name)
    return visitor


async def raised(agency: TestAgency, count: int, kind: str = "unacknowledged", facility: str = "ndola_clinic") -> None:
    async with agency.database.write() as tx:
        for _ in range(count):
            detail = {"peer": "police"} if kind == "fork" else {}
            await raise_alarm(tx, agency.here, kind, new_id(), facility, Urgency.ACUTE, None, detail)


async def test_whoever_works_with_cases_finds_one_from_her_menu(world: World) -> None:
    nurse = await at_work(world, "health", "nurse-7", Role.CLINICIAN)
    in_charge = await at_work(world, "health", "in-charge", Role.SUPERVISOR)
    for visitor in (nurse, in_charge):
        menu = (await visitor.open("/work")).links
        assert {"/cases", "/look-up"} <= set(menu)
        assert ((await visitor.open("/look-up")).text.count('aria-current="page"')) == 2  # the wide menu's, and the narrow one's
    administrator = await at_work(world, "health", "admin", Role.ADMINISTRATOR, None)
    assert not {"/cases", "/look-up"} & set((await administrator.open("/accounts")).links)


async def test_an_administrator_sees_the_line_that_is_wrong_behind_any_number_of_other_alarms(world: World) -> None:
    clinic = world["health"]
    visitor = await at_work(world, "health", "admin", Role.ADMINISTRATOR, None)
    await raised(clinic, ALARMS_MAX + 1)
    await raised(clinic, 1, "fork")
    page = await visitor.open("/alarms")
    assert "A message came in two versions" in page.words
    assert "Nobody has seen it" not in page.words


async def test_a_bad_day_is_counted_and_says_what_it_leaves_out(world: World) -> None:
    clinic = world["health"]
    visitor = await at_work(world, "health", "in-charge", Role.SUPERVISOR)
    await raised(clinic, ALARMS_MAX + 3)
    await raised(clinic, 2, facility="ndola_hospital")  # somebody else's
    page = await visitor.open("/alarms")
    assert f"Taken by nobody: {ALARMS_MAX + 3}. Taken: 0." in page.words
    assert "3 more are not shown" in page.words
    assert page.words.count("When the next post is told is an assumption, no published figure.") == 1
    assert page.text.count('/take"') == ALARMS_MAX


async def test_more_alarms_are_not_more_questions_to_the_database(world: World) -> None:
    clinic = world["health"]
    visitor = await at_work(world, "health", "in-charge", Role.SUPERVISOR)
    asked = []
    for more in (1, 30):
        await raised(clinic, more)
        await visitor.open("/alarms")  # whatever is done at the first look is done
        with statements_of(clinic) as said:
            await visitor.open("/alarms")
        asked.append(len(said))
    assert asked[0] == asked[1]


async def test_take_names_the_post_and_its_holder_and_a_colleague_comes_too_late(world: World) -> None:
    clinic = world["health"]
    one = await at_work(world, "health", "in-charge", Role.SUPERVISOR)
    await raised(clinic, 1)
    async with clinic.database.write() as tx:
        nurse = await find_account(tx, "in-charge")
        now = tx.clock.now()
        for begun in (1, 3):
            tx.session.add(Duty(id=new_id(), facility="ndola_clinic", post="duty_nurse", account_id=nurse.id, entered_by=nurse.id,
                                from_at=now - timedelta(hours=begun), until_at=now + timedelta(hours=1)))  # fmt: skip
    page = await one.open("/alarms")
    assert "Now: Nurse on duty ( in-charge )" in page.words
    async with clinic.database.read() as tx:
        alarm = (await tx.session.execute(select(Alarm))).scalars().one()
    taken = await one.send(page.form(f"/alarms/{alarm.id}/take"))
    assert "Taken by in-charge" in taken.words
    two = await at_work(world, "health", "matron", Role.SUPERVISOR)
    form = (await two.open("/me")).form("/sign-out")
    form.action = f"/alarms/{alarm.id}/take"
    late = await two.send(form)
    assert (late.status, "Another account has taken this alarm." in late.words) == (409, True)
    resolve = await one.open(f"/alarms/{alarm.id}/resolve")
    empty = await one.send(resolve.form(resolve.path))
    assert (empty.status, "Write in a few words" in empty.words) == (422, True)
    assert (await one.send(resolve.form(resolve.path), note="phoned the desk")).path == "/alarms"
    assert "No alarm is open." in (await one.open("/alarms")).words


async def test_overdue_counts_by_the_place_that_has_it_now(world: World) -> None:
    police = world["police"]
    desk = await police.sign_in("desk")
    for _ in range(3):
        case_id, incident_id = await open_case(desk)
        await consent(desk, case_id, "health")
        await refer(desk, case_id, incident_id, "health")
    async with police.database.write() as tx:
        rows = list((await tx.session.execute(select(Referral))).scalars())
        rows[0].flags, rows[0].urgency = [Flag.UNACKNOWLEDGED, Flag.UNDELIVERED], "acute"
        rows[1].flags, rows[1].urgency = [Flag.UNACKNOWLEDGED, Flag.LAPSED], "urgent"
        rows[2].flags = [Flag.LAPSED]
        rows[2].standing = {**rows[2].standing, "facility": "ndola_hospital"}
    visitor = await at_work(world, "police", "inspector", Role.SUPERVISOR, "ndola_central_vsu")
    for path in ("/overdue", "/alarms"):
        page = await visitor.open(path)
        table = page.words.split("Overdue, by facility", 1)[1]
        assert "in red after 10 minutes. An assumption, no published figure." in table
        names = [f.name for f in world["health"].here.entry.facilities.values()]
        clinic, hospital = (world["health"].here.entry.facilities[id_].name for id_ in ("ndola_clinic", "ndola_hospital"))
        after = {name: table.split(name, 1)[1].split()[:6] for name in names}
        assert after[clinic][:4] == ["2", "(1", "acute)", "1"], table
        assert after[hospital][:2] == ["0", "1"], table
    stranger = await at_work(world, "police", "other", Role.SUPERVISOR, "masaiti_vsu")
    assert "acute)" not in (await stranger.open("/overdue")).words


async def test_a_list_of_alarms_is_a_look_at_its_cases(world: World) -> None:
    clinic, desk = world["health"], await world["police"].sign_in("desk")
    nurse = await clinic.sign_in("nurse-0", facility="ndola_clinic")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "fb")
    issued = await refer(desk, case_id, incident_id, "health")
    await world.settle()
    await nurse.post(f"/referrals/{issued['id']}/decline", {"reason_code": "no_place"})  # without a next place: an alarm
    visitor = await at_work(world, "health", "in-charge", Role.SUPERVISOR)
    assert "no next place was named" in (await visitor.open("/alarms")).words
    async with clinic.database.read() as tx:
        account = await find_account(tx, "in-charge")
        looks = (await tx.session.execute(select(CaseRead).where(CaseRead.account_id == account.id))).scalars().all()  # type: ignore[arg-type]
    assert [look.what for look in looks] == ["list"]


async def test_overdue_names_our_own_places_too(world: World) -> None:
    desk = await world["police"].sign_in("desk")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "fb", "needs")
    await refer(desk, case_id, incident_id, "health")
    await world.settle()
    world.clock.advance(timedelta(hours=6))
    await world["health"].watcher.tick()
    page = await (await at_work(world, "health", "in-charge", Role.SUPERVISOR)).open("/overdue")
    row = page.words.split("Overdue, by facility", 1)[1].split("Ndola one-stop clinic")[1]
    assert row.split()[:3] == ["1", "(1", "acute)"], row[:60]


async def test_a_day_that_does_not_exist_is_asked_for_again_and_nothing_is_lost(world: World) -> None:
    visitor = await at_work(world, "health", "in-charge", Role.SUPERVISOR)
    form = (await visitor.open("/posts")).form("/posts")
    page = await visitor.send(form, day="2026-02-31", from_time="06:00", until_time="14:00")
    assert (page.status, page.form("/posts").fields["from_time"]) == (422, ["06:00"])
    assert "Type the day: year, month, day." in page.words


async def test_words_under_a_key_that_was_revoked_are_named_by_log_and_place(world: World) -> None:
    clinic, life = world["health"], new_id()
    async with clinic.database.write() as tx:
        detail = {"incarnation": str(life), "slots": "5–7, 9", "event_id": str(new_id())}
        await clinic.hooks.trouble("key_given_up", "police", detail, tx)
    page = await (await at_work(world, "health", "in-charge", Role.SUPERVISOR)).open("/alarms")
    assert "signed with a key that had been revoked" in page.words
    assert f"Places 5–7, 9 in its messages to us, log {life}." in page.words
    nurse = await (await at_work(world, "health", "nurse-9", Role.CLINICIAN)).open("/alarms")
    assert str(life) not in nurse.text
