"""After a restore a case waits for what its peers know, and a supervisor who has looked at it lets it go on, by a button."""

import pytest
from agencies import World, consent, open_case, refer
from shift import at_work, nurse
from sqlalchemy import select
from sqlmodel import col
from statements import statements_of
from visitor import Page, Visitor

from shared.casework.accounts.tables import CaseRead
from shared.casework.cases import recovering
from shared.contracts.casework.codes import Role
from shared.exchange.incarnations import open_incarnation

WAITS = "Not yet told what they know of this case: Police, Victim Support Unit."
BUTTON = "I have looked: let it go on"


async def in_charge(world: World, facility: str = "") -> Visitor:
    return await at_work(world, "health", f"in-charge{facility}", Role.SUPERVISOR, facility)


async def restored(world: World, count: int = 1) -> list[tuple[str, str]]:
    """Requests to the clinic, whose database is then restored: at the clinic, (address of the case, address of the request)."""
    desk = await world["police"].sign_in("desk")
    for _ in range(count):
        case_id, incident_id = await open_case(desk)
        await consent(desk, case_id, "health", "needs")
        await refer(desk, case_id, incident_id, "health")
    await world.settle()
    clinic = await world["health"].sign_in("clinic", facility="ndola_clinic")
    received = (await clinic.get("/referrals"))["items"]
    async with world["health"].database.write() as tx:
        await open_incarnation(tx, world["health"].here.peers, "restored")
    return [(f"/cases/{one['case_id']}", f"/referrals/{one['id']}") for one in received]


async def declined(visitor: Visitor, referral: str) -> Page:
    form = (await visitor.open(f"{referral}/decline")).form(f"{referral}/decline")
    return await visitor.send(form, reason_code="no_place")


async def test_a_supervisor_lets_a_case_go_on_that_waits_after_a_restore(world: World) -> None:
    [(case, referral)] = await restored(world)
    visitor, supervisor = await nurse(world), await in_charge(world)
    page = await declined(visitor, referral)
    assert (page.status, "let a supervisor release the case" in page.words) == (422, True)
    page = await visitor.open(case)
    assert (WAITS in page.words, BUTTON in page.words, "a supervisor looks at it" in page.words) == (True, False, True)

    page = await supervisor.open("/alarms")
    assert "After the restore: cases that wait 1" in page.words
    assert WAITS in page.words
    assert "may be decided by what is known here" in page.words  # what the button means
    page = await supervisor.send(page.form(f"{case}/release"))
    assert (page.path, WAITS in page.words) == ("/alarms", False)
    assert (await declined(visitor, referral)).path == referral
    assert "Looked at after a restore, and released" in (await visitor.open(case)).words
    async with world["health"].database.read() as tx:
        assert "list" in (await tx.session.execute(select(col(CaseRead.what)))).scalars().all()  # being listed is a look


async def test_the_same_button_stands_on_the_page_of_the_case_and_is_for_supervisors_alone(world: World) -> None:
    [(case, _referral)] = await restored(world)
    supervisor = await in_charge(world)
    page = await supervisor.open(case)
    assert WAITS in page.words
    form = page.form(f"{case}/release")
    other = await nurse(world)
    csrf = (await other.open(case)).form("/switch").fields["csrf"]
    answer = await other.client.post(form.action, data={"csrf": csrf, "once": "x"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 403
    page = await supervisor.send(form)
    assert (page.path, WAITS in page.words, BUTTON in page.words) == (case, False, False)


async def test_only_cases_of_ones_own_desk_are_listed_and_what_is_left_out_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovering, "CASES_MAX", 1)
    await restored(world, 2)
    page = await (await in_charge(world)).open("/alarms")
    assert "After the restore: cases that wait 2" in page.words
    assert page.text.count('/release"') == 1
    assert "1 more is not shown here" in page.words
    assert "After the restore" not in (await (await in_charge(world, "ndola_hospital")).open("/alarms")).words


async def test_the_list_fetches_no_more_cases_than_it_shows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovering, "CASES_MAX", 1)
    numbers = [case.rpartition("/")[2].replace("-", "") for case, _referral in await restored(world, 3)]
    supervisor = await in_charge(world)
    with statements_of(world["health"]) as said:
        page = await supervisor.open("/alarms")
    assert "2 more are not shown here" in page.words
    named = [str(parameters).replace("-", "") for _statement, parameters in said]
    assert max(sum(number in one for number in numbers) for one in named) == 1


async def test_nothing_is_said_where_nothing_was_restored_or_the_others_have_answered(world: World) -> None:
    [(case, _referral)] = await restored(world)
    await world.settle_restored()
    supervisor = await in_charge(world)
    assert "After the restore" not in (await supervisor.open("/alarms")).words
    assert WAITS not in (await supervisor.open(case)).words
