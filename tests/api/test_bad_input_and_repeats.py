"""Bad input gets a precise problem and writes nothing; repeats are answered alike; nobody sees what is not theirs."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from agencies import Desk, Refused, TestAgency, World, consent, database_at, open_case, refer
from keystores import lose
from sqlalchemy import select

from shared.casework.accounts.commands import answers_key, forget_old_answers
from shared.casework.accounts.tables import KeptAnswer
from shared.contracts.casework.codes import Role
from shared.kit import db
from shared.kit.ids import new_id
from shared.kit.sealed import Under
from shared.kit.web import BODY_BYTES_MAX


@pytest.fixture
async def officer(world: World) -> Desk:
    return await world["police"].sign_in("officer", facility="ndola_central_vsu")


async def raw(desk: Desk, method: str, path: str, content: Any, **headers: str) -> Any:
    given = {"Authorization": f"Bearer {desk.token}", "Content-Type": "application/json", **headers}
    return await desk.client.request(method, f"/api/v1{path}", content=content, headers=given)


def is_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail"} <= problem.keys()
    assert problem["status"] == status
    assert "Traceback" not in answer.text
    return problem


async def test_an_unknown_field_is_named_and_its_content_is_never_repeated(officer: Desk) -> None:
    answer = await raw(officer, "POST", "/cases", b'{"name": "Canary Person"}')
    problem = is_problem(answer, 422)
    assert problem["errors"][0]["field"] == "name"
    assert "Canary" not in answer.text
    assert (await officer.get("/cases"))["items"] == []


async def test_a_body_that_is_not_utf8_or_not_json_is_refused_in_words(officer: Desk) -> None:
    assert "UTF-8" in is_problem(await raw(officer, "POST", "/cases", b'{"note": "\xff\xfe"}'), 400)["detail"]
    is_problem(await raw(officer, "POST", "/cases", b"{"), 400)


async def test_a_body_above_the_limit_is_refused_whole_or_in_pieces(officer: Desk) -> None:
    problem = is_problem(await raw(officer, "POST", "/cases", b" " * (BODY_BYTES_MAX + 1)), 413)
    assert "64 KiB" in problem["detail"]

    async def pieces() -> Any:
        for _ in range(BODY_BYTES_MAX // 1024 + 1):
            yield b" " * 1024

    is_problem(await raw(officer, "POST", "/cases", pieces()), 413)


async def test_a_foreign_id_and_one_out_of_scope_look_the_same(world: World, officer: Desk) -> None:
    case_id, incident_id = await open_case(officer)
    await consent(officer, case_id, "health")
    sent = await refer(officer, case_id, incident_id, "health")
    elsewhere = await world["police"].sign_in("elsewhere", facility="masaiti_vsu")
    admin = await world["police"].sign_in("admin", role=Role.ADMINISTRATOR)
    for desk in (elsewhere, admin):
        for path in (f"/cases/{case_id}", f"/cases/{case_id}/timeline", f"/cases/{case_id}/consents", f"/referrals/{sent['id']}"):
            theirs, nobodys = await desk.ask("GET", path), await desk.ask("GET", path.replace(path.split("/")[2], str(new_id())))
            assert is_problem(theirs, 404) == is_problem(nobodys, 404)
    assert (await elsewhere.get("/cases"))["items"] == (await elsewhere.get("/referrals"))["items"] == []
    is_problem(await officer.ask("GET", "/cases/not-an-id"), 422)
    is_problem(await officer.ask("GET", "/parked"), 403)
    supervisor = await world["police"].sign_in("supervisor", role=Role.SUPERVISOR)
    assert (await supervisor.get(f"/cases/{case_id}"))["id"] == case_id


async def test_a_transition_of_the_other_side_or_of_another_moment_is_a_conflict_that_names_what_stands(
    world: World, officer: Desk
) -> None:
    case_id, incident_id = await open_case(officer)
    await consent(officer, case_id, "health")
    sent = await refer(officer, case_id, incident_id, "health")
    assert "received it" in is_problem(await officer.ask("POST", f"/referrals/{sent['id']}/accept", {}), 409)["detail"]
    await world.settle()
    nurse = await world["health"].sign_in("nurse", facility="ndola_clinic")
    assert "issued" in is_problem(await nurse.ask("POST", f"/referrals/{sent['id']}/start", {}), 409)["detail"]
    missing = is_problem(await nurse.ask("POST", f"/referrals/{sent['id']}/decline", {}), 422)
    assert missing["errors"][0]["field"] == "reason_code"
    is_problem(await nurse.ask("POST", f"/referrals/{sent['id']}/accept", {"occurred_at": "2027-01-01T00:00:00Z"}), 422)


async def test_a_repeated_request_is_done_once_and_answered_alike(world: World, officer: Desk) -> None:
    case_id, incident_id = await open_case(officer)
    await consent(officer, case_id, "health")
    body = {"case_id": case_id, "incident_id": incident_id, "to_agency": "health", "to_facility": "ndola_clinic",
            "services": ["acute_care"], "urgency": "acute"}  # fmt: skip
    is_problem(await officer.ask("POST", "/referrals", body), 400)
    key = {"Idempotency-Key": "once"}
    answers = await asyncio.gather(*(officer.ask("POST", "/referrals", body, **key) for _ in range(5)))
    assert {a.status_code for a in answers} <= {201, 409}
    first = next(a for a in answers if a.status_code == 201)
    again = await officer.ask("POST", "/referrals", body, **key)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    is_problem(await officer.ask("POST", "/referrals", body | {"urgency": "routine"}, **key), 422)
    assert len((await officer.get("/referrals"))["items"]) == 1
    world.clock.advance(timedelta(hours=25))
    assert "open already" in is_problem(await officer.ask("POST", "/referrals", body, **key), 409)["detail"]


async def test_a_clock_that_was_days_ahead_and_is_put_right_keeps_no_desk_from_working(world: World) -> None:
    """Meanwhile the keys of the answers of "old" days were destroyed."""
    world.clock.advance(timedelta(days=1_000))  # all worlds of a process share a keystore: days of other tests keep their keys
    officer = await world["police"].sign_in("officer", facility="ndola_central_vsu")
    await officer.post("/cases")  # answered, and the answer is kept under the key of tomorrow
    world.clock.advance(timedelta(days=5))
    async with world["police"].database.write() as tx:
        await forget_old_answers(tx)
        assert tx.keys.gone([answers_key(tx.clock.now() - timedelta(days=4))])
    world.clock.advance(-timedelta(days=5))
    case_id, _ = await open_case(officer)
    body = {"recipient": "health", "purpose": "care", "items": ["req"], "how": "spoken", "language": "en"}
    answers = [await officer.ask("POST", f"/cases/{case_id}/consents", body, **{"Idempotency-Key": "once"}) for _ in range(2)]
    assert answers[0].status_code == 201
    assert answers[1].content == answers[0].content


async def test_two_desks_that_issue_for_one_incident_at_once_make_one_referral(world: World, officer: Desk) -> None:
    case_id, incident_id = await open_case(officer)
    await consent(officer, case_id, "health")
    desks = [officer, await world["police"].sign_in("colleague", facility="ndola_central_vsu")]

    async def attempt(desk: Desk) -> int:
        try:
            await refer(desk, case_id, incident_id, "health")
        except Refused as refused:
            return refused.status
        return 201

    assert sorted(await asyncio.gather(*map(attempt, desks * 2))) == [201, 409, 409, 409]


async def test_consent_taken_back_while_it_is_being_used_leaves_nothing_open(world: World, officer: Desk) -> None:
    case_id, _ = await open_case(officer)
    given = await consent(officer, case_id, "health")

    async def issue(number: int) -> None:
        times = {"earliest_at": "2026-01-04T12:00:00Z", "latest_at": "2026-01-04T13:00:00Z"}
        incident = await officer.post(f"/cases/{case_id}/incidents", {"incident_type": "rape", **times})
        try:
            await refer(officer, case_id, incident["id"], "health")
        except Refused as refused:
            assert refused.status == 422, (number, refused)  # noqa: PT017 — one of two answers that are right

    await asyncio.gather(*map(issue, range(6)), officer.take_back(case_id, given))
    assert {r["status"] for r in (await officer.get("/referrals"))["items"]} <= {"cancelled"}
    await world.settle()
    nurse = await world["health"].sign_in("nurse")
    assert {r["status"] for r in (await nurse.get("/referrals"))["items"]} <= {"cancelled"}


async def test_a_version_is_needed_to_take_a_consent_back_and_a_stale_one_is_refused(officer: Desk) -> None:
    case_id, _ = await open_case(officer)
    given = await consent(officer, case_id, "health")
    path = f"/cases/{case_id}/consents/{given['id']}"
    is_problem(await officer.ask("DELETE", path), 428)
    is_problem(await officer.ask("DELETE", path, **{"If-Match": '"7"'}), 412)
    assert (await officer.ask("DELETE", path, **{"If-Match": '"1"'})).headers["ETag"] == '"2"'


async def test_without_a_token_that_is_valid_nothing_is_answered(world: World, officer: Desk) -> None:
    answer = await officer.client.get("/api/v1/cases")
    assert is_problem(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    world.clock.advance(timedelta(days=91))
    is_problem(await officer.ask("GET", "/cases"), 401)


async def test_every_item_is_on_exactly_one_page_also_while_new_ones_come(world: World, officer: Desk) -> None:
    made = [(await open_case(officer))[0] for _ in range(7)]
    await world["police"].flush()
    seen: list[str] = []
    cursor = ""
    while True:
        page = await officer.get(f"/cases?limit=2{cursor}")
        seen += [case["id"] for case in page["items"]]
        await open_case(officer)
        await world["police"].flush()
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made[::-1]
    is_problem(await officer.ask("GET", "/cases?limit=0"), 422)
    is_problem(await officer.ask("GET", "/cases?cursor=x"), 422)


async def test_whoever_asks_without_a_token_whether_all_is_well_hears_of_a_lost_key(
    world: World, officer: Desk, tmp_path: Path
) -> None:
    case = (await officer.post("/cases"))["id"]
    police = world["police"]
    assert (await police.client.get("/health/ready")).status_code == 200
    assert police.database.keys is not None
    lose(police.database.keys, UUID(case), tmp_path / "copy")
    answer = await police.client.get("/health/ready")
    assert (answer.status_code, "lacks a key" in answer.text) == (503, True)


async def test_where_every_connection_is_taken_a_request_is_told_so_and_not_kept_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"POOL_SIZE": 1, "POOL_OVERFLOW": 1, "POOL_TIMEOUT_S": 0.1}.items():
        monkeypatch.setattr(db, name, value)
        monkeypatch.setattr(db, f"SQLITE_{name}", value)
    former = world["police"]
    await former.close()
    police = TestAgency(former.here, former.parts, database_at(former.database.url, world.clock))
    world.agencies["police"] = police
    desk = await police.sign_in("officer")
    async with AsyncExitStack() as held:
        for _ in range(db.POOL_SIZE + db.POOL_OVERFLOW):
            await held.enter_async_context(police.database.read())
        problem = is_problem(await desk.ask("POST", "/cases", {}, **{"Idempotency-Key": str(new_id())}), 503)
        assert "nothing was written" in problem["detail"]
    assert (await desk.get("/cases"))["items"] == []
    await desk.post("/cases")


async def test_what_a_command_answers_of_a_case_is_a_look_and_so_is_the_answer_given_again(world: World, officer: Desk) -> None:
    case_id, incident_id = await open_case(officer)
    await consent(officer, case_id, "health", "needs")
    rid = (await refer(officer, case_id, incident_id, "health"))["id"]
    await world.settle()
    nurse = await world["health"].sign_in("nurse", facility="ndola_clinic")
    there = (await nurse.get(f"/referrals/{rid}"))["case_id"]

    async def looks() -> list[str]:
        return [one["what"] for one in (await nurse.get(f"/cases/{there}/access-log"))["items"] if one["account"] == "nurse"]

    assert await looks() == ["referral"]
    key = {"Idempotency-Key": str(new_id())}
    first = await raw(nurse, "POST", f"/referrals/{rid}/acknowledge", b"{}", **key)
    assert first.json()["content"]["needs"]
    assert await looks() == ["referral"] * 2
    again = await raw(nurse, "POST", f"/referrals/{rid}/acknowledge", b"{}", **key)
    assert (again.text, again.headers["Idempotent-Replayed"]) == (first.text, "true")
    assert await looks() == ["referral"] * 3
    # One kept by the version before, whose answers said less: nothing is done again, and nothing is shown that no look tells of.
    async with world["health"].database.write() as tx:
        (kept,) = (await tx.session.execute(select(KeptAnswer))).scalars()
        kept.answer = Under(None, b'{"id": "before"}')  # type: ignore[assignment]  # read again it is what it was
    before = await raw(nurse, "POST", f"/referrals/{rid}/acknowledge", b"{}", **key)
    assert (before.status_code, "a newer version" in before.json()["detail"]) == (422, True)
    assert await looks() == ["referral"] * 3
