"""What stood in a form is never lost to a lock, and never turns up before another person."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from agencies import World, consent, open_case, refer
from signing_in import PIN, hide_of, settled_account, sign_in
from visitor import OWN_PAGE, Page, Visitor

from shared.casework.accounts.sessions import IDLE_LOCK
from shared.casework.alarms.commands import raise_alarm
from shared.contracts.casework.codes import Role, Urgency
from shared.kit.ids import new_id

ROOT = Path(__file__).parents[2]
FIRST_PAGE: dict[str, Any] = {"hurt_now": "no", "age_band": "18-24", "sex": "female", "at_least": 1, "at_most": 3,
                              "language": "bem", "came_with": "nobody"}  # fmt: skip
ANSWERS: dict[str, Any] = {
    "answer_health": "yes",
    "answer_social_welfare": "no",
    "answer_back": "yes",
    "how": "spoken",
    "language": "bem",
}


async def officer(world: World) -> Visitor:
    visitor = Visitor(world["police"].app)
    await sign_in(visitor, await settled_account(world["police"], "officer-1", Role.OFFICER), "officer-1")
    return visitor


async def unlocked(visitor: Visitor, page: Page | None = None) -> Page:
    page = page if page is not None and page.path.startswith("/locked") else await visitor.open("/locked")
    return await visitor.send(page.form("/locked"), pin=PIN)


async def test_a_conversation_longer_than_the_lock_loses_no_answer(world: World) -> None:
    visitor = await officer(world)
    page = await visitor.send((await visitor.open("/cases/new")).form("/cases/new"), **FIRST_PAGE)
    asked, path = page.form(page.path), page.path
    assert path.endswith("/consent")
    world.clock.advance(IDLE_LOCK + timedelta(minutes=1))
    page = await visitor.send(asked, **ANSWERS)
    assert page.path.startswith("/locked")
    page = await unlocked(visitor, page)
    assert page.path == f"{path}?kept=1"
    again = page.form(path)
    assert {name: again.fields[name] for name in ANSWERS} == {name: [value] for name, value in ANSWERS.items()}
    assert (await visitor.send(again)).path.endswith("/refer")
    assert "hidden at" not in (await visitor.open(path)).words  # sent: nothing of it is kept


async def test_a_locked_session_keeps_only_its_own_forms(world: World) -> None:
    visitor = await officer(world)
    form = (await visitor.open("/cases/new")).form("/cases/new")
    world.clock.advance(IDLE_LOCK)
    for data, headers in (({**form.fields, "csrf": "guess"}, OWN_PAGE), (form.fields, {"Sec-Fetch-Site": "cross-site"})):
        answer = await visitor.client.post("/cases/new", data=data, headers=headers)
        assert answer.status_code == 403
    page = await unlocked(visitor)
    assert page.path == "/work"
    assert "stands here again" not in (await visitor.open("/cases/new?kept=1")).words


async def test_somebody_who_types_is_not_idle(world: World) -> None:
    visitor = await officer(world)
    form = (await visitor.open("/cases/new")).form("/cases/new")
    for _ in range(3):
        world.clock.advance(IDLE_LOCK - timedelta(minutes=1))
        answer = await visitor.client.post("/touch", data={"csrf": form.fields["csrf"]}, headers=OWN_PAGE)
        assert (answer.status_code, str(answer.url.path)) == (204, "/touch")
    assert (await visitor.client.post("/touch", headers=OWN_PAGE)).status_code == 403
    page = await visitor.send(form, **FIRST_PAGE)
    assert page.path.endswith("/consent")


async def test_the_next_person_never_gets_the_last_ones_answers(world: World) -> None:
    visitor = await officer(world)
    girl = hide_of((await visitor.open("/cases/new")).form("/cases/new"))
    await visitor.send(girl, age_band="10-14", sex="female", hurt_now="yes")
    page = await unlocked(visitor)
    assert page.form("/cases/new").fields["age_band"] == ["10-14"]  # hers again, right after the PIN

    inbox = await visitor.open("/work")  # the form was left; another page is hidden
    await visitor.send(next(form for form in inbox.forms if form.action == "/hide"))
    assert (await unlocked(visitor)).path == "/work"

    fresh = await visitor.open("/cases/new")
    assert "age_band" not in fresh.form("/cases/new").fields  # empty, with an offer
    assert "Something was written here" in fresh.words
    offered = await visitor.open(next(link for link in fresh.links if link.endswith("?kept=1")))
    assert offered.form("/cases/new").fields["age_band"] == ["10-14"]
    gone = await visitor.send(offered.form("/drafts/forget"))
    assert (gone.path, "Something was written" in gone.words) == ("/cases/new", False)


async def test_a_form_that_is_sent_elsewhere_than_it_stands_is_forgotten_too(world: World) -> None:
    visitor = Visitor(world["health"].app)
    await sign_in(visitor, await settled_account(world["health"]))
    page = await visitor.open("/paper")
    printed = await visitor.send(page.form("/paper/print"), facility="masaiti_clinic", kind="visit", count=1)
    number = next(word for word in printed.words.split() if word.startswith("V-"))
    await visitor.send(hide_of((await visitor.open("/paper")).form("/paper/enter")), number=number)
    page = await unlocked(visitor)
    form = page.form("/paper/enter")
    assert form.fields["number"] == [number]
    assert (await visitor.send(form, on_date="2026-01-05", at_time="04:10")).status == 200
    assert "Something was written here" not in (await visitor.open("/paper")).words


async def pages_with_a_form(world: World) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """By template: who opens the page, its address, and an answer that can be given there."""
    desk, clinic = await world["police"].sign_in("desk"), world["health"]
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "fb", "needs", "relay")
    rid = (await refer(desk, case_id, incident_id, "health"))["id"]
    await world.settle()
    alarm_about = new_id()
    async with clinic.database.write() as tx:
        await raise_alarm(tx, clinic.here, "stalled", alarm_about, "ndola_clinic", Urgency.ACUTE)
    nurse = await clinic.sign_in("nurse-2", facility="ndola_clinic")
    alarm = next(a for a in (await nurse.get("/alarms"))["items"] if a["about"] == str(alarm_about))
    return {
        "cases/new.html": ("officer", "/cases/new", {"age_band": "10-14"}),
        "cases/again.html": ("officer", f"/cases/{case_id}/again", {"hurt_now": "yes"}),
        "consents/ask.html": ("officer", f"/cases/{case_id}/consent", {"how": "thumb"}),
        "referrals/refer.html": ("officer", f"/cases/{case_id}/refer", {"mode": "on_foot"}),
        "referrals/act.html": ("nurse", f"/referrals/{rid}/decline", {"reason_code": "no_place"}),
        "messages/new.html": ("nurse", f"/referrals/{rid}/messages/new", {"code": "bring_card"}),
        "work/arrival.html": ("nurse", "/arrivals/new", {}),
        "paper/paper.html": ("nurse", "/paper", {"feedback": "no"}),
        "care.html": ("nurse", f"/care/{rid}", {"feedback": "no"}),
        "alarms/posts.html": ("in-charge", "/posts", {"day": "2026-03-03"}),
        "alarms/resolve.html": ("in-charge", f"/alarms/{alarm['id']}/resolve", {"note": "a few words"}),
        "accounts/new.html": ("in-charge", "/accounts/new", {"name": "nurse-9"}),
        "following/list.html": ("nurse", "/following", {}),
        "directory.html": ("nurse", "/directory", {"staff": "3"}),
    }


async def test_hide_loses_the_form_on_no_page(world: World) -> None:
    people = {"officer": ("police", Role.OFFICER), "nurse": ("health", Role.CLINICIAN), "in-charge": ("health", Role.SUPERVISOR)}
    visitors = {}
    for name, (agency, role) in people.items():
        visitors[name] = Visitor(world[agency].app)
        await sign_in(visitors[name], await settled_account(world[agency], name, role), name)
    for template, (who, path, answer) in (await pages_with_a_form(world)).items():
        if not answer:
            continue
        page = await visitors[who].open(path)
        form = next(f for f in page.forms if f.fields.get("page") == [path])
        await visitors[who].send(hide_of(form), **answer)
        page = await unlocked(visitors[who])
        assert page.path == f"{path}?kept=1", template
        again = next(f for f in page.forms if f.fields.get("page") == [path] and f.action != "/drafts/forget")
        assert {name: again.fields.get(name) for name in answer} == {name: [value] for name, value in answer.items()}, template


@pytest.fixture
def templates() -> list[Path]:
    return [path for folder in ("shared/casework", "services") for path in (ROOT / folder).rglob("templates/*.html")]


def test_every_form_that_hide_keeps_says_which_page_it_stands_on(templates: list[Path]) -> None:
    kept = [path for path in templates if re.search(r"block form_id %}\w", path.read_text())]
    assert len(kept) >= 10
    lacking = [path.name for path in kept if 'name="page" value=' not in path.read_text()]
    assert not lacking
