"""What holds for every form of every page: it is its session's own, it is done once, it names its page, and an error loses nothing.

A form that asks something names the page that it stands on: there it is shown again when it is refused, hidden or sent too late.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from agencies import World, consent, open_case, refer
from box import BATCH, CLINIC, EC, EXPIRES, STATION, certified, certify, inspector, stock
from centre import keeps_as_a_centre
from coast import OFFICE, ask, at, coast_world, complaint
from hotline import answered_at_every_unit
from seats import posted_at_every_unit
from shift import at_work
from signing_in import PIN, hide_of
from visitor import Form, Page, Visitor

from services.police.dispensing.tables import Resupply
from services.social_welfare.returns.domain import Question
from shared.casework.alarms.commands import raise_alarm
from shared.casework.cases.commands import NOTE_CHARACTERS_MAX
from shared.casework.pages import visits
from shared.casework.stock.commands import tell
from shared.contracts.casework import events
from shared.contracts.casework.codes import CareProduct, Role, SupplyReason, Urgency
from shared.kit.ids import new_id

ROOT = Path(__file__).parents[2]
NO_SESSION_YET = {"/sign-in", "/locked", "/demo/sign-in"}  # refused by their site instead
SECRETS = {"/sign-in", "/sign-in/code", "/locked", "/me/secrets"}  # nothing of these is ever kept
ASKS = re.compile(r"[pc]\.(field|select|choice|radios|checks|when)\(|<(textarea|select)\b|<input(?![^>]*type=.hidden)")
FORM = re.compile(r"<form method=\"post\"([^>]*)>(.*?)</form>", re.DOTALL)
INCLUDE = re.compile(r"{% include \"(\w+)/(\w+\.html)\" %}")


@dataclass(frozen=True)
class Written:
    """A form as a template writes it."""

    template: str
    action: str
    inside: str

    @property
    def asks(self) -> bool:
        """Whether somebody answers something in it; else it is a button."""
        return ASKS.search(self.inside) is not None


PASSWORD_FIELDS = (re.compile(r'p\.field\("(\w+)"[^}]*type="password"'), re.compile(r'<input[^>]*name="(\w+)"[^>]*type="password"'))


def test_no_draft_keeps_what_a_password_field_asks_for() -> None:
    texts = [path.read_text() for folder in ("shared/casework", "services") for path in (ROOT / folder).rglob("templates/*.html")]
    asked = {name for text in texts for pattern in PASSWORD_FIELDS for name in pattern.findall(text)}
    assert {"password", "pin", "own_pin"} <= asked  # else nothing was looked at
    assert asked - visits.SECRETS == set()


def written_forms() -> list[Written]:
    found = []
    for folder in ("shared/casework", "services"):
        for path in sorted((ROOT / folder).rglob("templates/*.html")):
            if path.name == "base.html" or path.parents[1].name == "demo":  # the demo's start page belongs to no agency
                continue
            text = re.sub(r"{#.*?#}", "", path.read_text(), flags=re.DOTALL)
            for attributes, inside in FORM.findall(text):
                action = re.search(r'action="([^"]*)"', attributes)
                assert action, path
                inside = INCLUDE.sub(lambda m: (ROOT / "shared/casework" / m[1] / "templates" / m[2]).read_text(), inside)
                found.append(Written(f"{path.parents[1].name}/{path.name}", action[1], inside))
    return found


def test_every_form_is_of_its_session_is_done_once_and_names_its_page() -> None:
    forms = written_forms()
    assert len([form for form in forms if form.asks]) >= 20
    for form in forms:
        place = f"{form.template}: {form.action}"
        if form.action not in NO_SESSION_YET:
            assert re.search(r'csrf\(\)|name="csrf"', form.inside), place
        if form.asks and form.action not in SECRETS:
            assert "p.once()" in form.inside, place
            assert 'name="page" value="' in form.inside, place


@dataclass
class Mistake:
    """A page, one of its forms, and an answer to it that is wrong."""

    template: str
    who: str
    path: str
    action: str
    wrong: dict[str, Any]
    way: str = ""  # which of two forms to one address
    is_offered: bool = True  # else the list has changed since the page was opened

    def form(self, page: Page) -> Form:
        """The form on the page; it names the page itself."""
        found = [
            f
            for f in page.forms
            if f.action == self.action and (not self.way or self.way in (*f.choices, *f.fields.get("way", ())))
        ]
        assert len(found) == 1, (self.template, page.status, [f.action for f in page.forms])
        assert found[0].fields.get("page") == [self.path], self.template
        return found[0]


async def mistakes(world: World) -> list[Mistake]:
    answered_at_every_unit(world)
    keeps_as_a_centre(world)
    posted_at_every_unit(world)
    desk, clinic = await world["police"].sign_in("desk"), world["health"]
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "fb", "needs", "relay")
    rid = (await refer(desk, case_id, incident_id, "health"))["id"]
    body = {"case_id": case_id, "to_agency": "health", "to_facility": "masaiti_clinic", "services": ["follow_up_care"],
            "urgency": "routine"}  # fmt: skip
    on_paper = (await desk.post("/referrals", body))["id"]
    await world.settle()
    about = new_id()
    async with clinic.database.write() as tx:
        await raise_alarm(tx, clinic.here, "stalled", about, "ndola_clinic", Urgency.ACUTE)
    nurse = await clinic.sign_in("nurse-2", facility="ndola_clinic")
    alarm = next(a["id"] for a in (await nurse.get("/alarms"))["items"] if a["about"] == str(about))
    came = (await nurse.post("/arrivals"))["arrival_id"]
    hold = f"/cases/{(await nurse.get(f'/referrals/{rid}'))['case_id']}/hold"
    second = await open_case(desk)
    await consent(desk, second[0], "health", "needs")
    is_here = f"/referrals/{(await refer(desk, *second, 'health'))['id']}"
    await world.settle()
    await nurse.post(f"{is_here}/arrive")
    box_ = await a_box(world)
    held = f"/cases/{(await nurse.get(is_here))['case_id']}"
    chief = await clinic.sign_in("chief", Role.SUPERVISOR, facility="ndola_clinic")
    lift = f"{held}/holds/{(await chief.post(f'{held}/holds', {'order': 'A synthetic order, 12 of 2026'}))['id']}/lift"
    told = {"channel": "voice", "what": "report", "district": "ndola", "need": "protection", "facility": "ndola_central_vsu"}
    call = f"/hotline/calls/{[(await desk.post('/calls', told))['id'] for _ in range(2)][1]}"
    await desk.post("/hotline/desk", {"facility": "ndola_central_vsu", "assets": ["interview_room"]})
    await desk.post(f"/cases/{case_id}/complaints", {"number": "FIR/1/26"})
    warned = {"who": "Synthetic Mwamba", "what": "warned", "on": "2026-01-05", "facility": STATION}
    offender = f"/offenders/{(await desk.post('/offenders', warned))['id']}"
    ring = {"kind": "jewellery", "post": "duty_officer", "name": "S. Synthetic"}
    thing = f"/property/{(await desk.post(f'/cases/{case_id}/property', ring))['id']}/returned"
    paper = f"/reports/{(await nurse.post(f'/referrals/{rid}/report'))['id']}/steps"
    planned = (await nurse.post(f"{held}/follow-ups", {"which": "other", "due_on": "2026-01-20"}))["id"]
    paper_of = f"{held}/medical-certificates"
    sample = f"/specimens/{(await nurse.post(f'{held}/specimens', {'kind': 'blood', 'post': 'duty_nurse'}))['id']}"
    at_office = await social_work(world)
    match, case, referral, there = f"/arrivals/{came}/match", f"/cases/{case_id}", f"/referrals/{rid}", f"/referrals/{on_paper}"
    return [
        *at_office,
        Mistake("cases/new.html", "officer", "/cases/new", "/cases/new", {"age_band": "10-14", "at_least": "x"}),
        Mistake("cases/again.html", "officer", f"{case}/again", f"{case}/again", {"hurt_now": "yes"}),
        Mistake("cases/case.html", "officer", case, f"{case}/progress", {"on_date": "2026-03-03"}),
        Mistake("consents/ask.html", "officer", f"{case}/consent", f"{case}/consent", {"how": "thumb", "answer_health": "yes"}),
        Mistake("referrals/refer.html", "officer", f"{case}/refer", f"{case}/refer", {"mode": "on_foot", "expected": "late"}),
        Mistake("hotline/new.html", "officer", "/hotline/new", "/hotline/new", {"what": "report", "district": "ndola"}),
        Mistake("hotline/call.html", "officer", call, f"{call}/merge", {}),
        Mistake("hotline/desk.html", "officer", "/hotline/desk", "/hotline/desk", {"has": "helicopter"}, is_offered=False),
        Mistake("police/docket.html", "officer", f"{case}/docket", f"{case}/docket", {"number": "?!"}),
        Mistake("dispensing/dispense.html", "officer", f"{case}/dispense", f"{case}/dispense", {"on_date": "2026-03-03"}),
        Mistake("dispensing/report.html", "officer", "/dispensing/report", "/dispensing/report", {"batch": "??"}),
        Mistake("dispensing/entry.html", "officer", "/dispensing/entry", "/dispensing/entry", {"batch": "??", "quantity": "many"}),
        Mistake("dispensing/count.html", "officer", "/dispensing/count", "/dispensing/count", {f"{EC}/{BATCH}": "many"}),
        Mistake("dispensing/second.html", "officer", box_["count"], box_["count"], {f"{EC}/{BATCH}": "few"}),
        Mistake("dispensing/ask.html", "officer", "/dispensing/ask", "/dispensing/ask", {"quantity": "lots"}),
        Mistake("dispensing/request.html", "officer", box_["sent"], box_["sent"], {"batch_0": "??"}),
        Mistake("dispensing/certificates.html", "lead", "/certificates", "/certificates", {"trained_on": "soon"}),
        Mistake("supplies/store.html", "nurse", "/supplies", "/supplies", {"batch": "??", "quantity": "many"}),
        Mistake("supplies/request.html", "nurse", box_["asked"], box_["asked"], {"batch_0": "??"}),
        Mistake("supplies/stations.html", "in-charge", "/supplies/stations", "/supplies/stations", {"quantity_0": "many"}),
        *(
            Mistake(f"complaints/{name}.html", "officer", f"{case}/{path}", f"{case}/{path}", wrong)
            for name, path, wrong in (
                ("register", "complaint/register", {"number": "?!"}),
                ("step", "complaint/step", {"code": "charged", "hearing_on": "2026-03-03"}),
                ("withdraw", "complaint/withdraw", {"asked_by": "family", "asked_alone": "yes"}),
                ("reopen", "complaint/reopen", {"told_now": "yes"}),
                ("explained", "complaint/explained", {"interpreter": "no"}),
            )
        ),
        Mistake("offenders/register.html", "officer", "/offenders", "/offenders", {"who": "Synthetic Mwamba", "on": "soon"}),
        Mistake("offenders/offender.html", "officer", offender, offender, {"on": "soon"}),
        Mistake("stays/act.html", "officer", f"{case}/stay/admit", f"{case}/stay/admit", {"with_0_9": "many"}),
        Mistake("property/things.html", "officer", f"{case}/property", f"{case}/property", {"note": "A ring."}),
        Mistake("property/entry.html", "officer", thing, thing, {"name": "X"}),
        Mistake("enquiries/word.html", "officer", f"{case}/own-word", f"{case}/own-word", {"phone_is_safe": "yes"}),
        Mistake("enquiries/enquiry.html", "officer", "/enquiry", "/enquiry", {"number": "P-2026-1"}),
        Mistake("counselling/counselling.html", "officer", f"{case}/counselling", f"{case}/counselling", {"note": "A note."}),
        Mistake("registers/register.html", "officer", f"{case}/registers/tide_log", f"{case}/registers/tide_log",
                {"r_came_by": "boat", "r_people": "many"}),
        Mistake("seats/seats.html", "officer", "/seats", "/seats", {"on": "soon"}),
        Mistake("custody/of_case.html", "nurse", f"{held}/specimens", f"{held}/specimens", {"name": "X"}),
        Mistake("custody/book.html", "nurse", sample, sample, {"act": "sealed", "post": "duty_nurse"}),
        Mistake("certificates/of_case.html", "nurse", paper_of, paper_of, {"number": "?"}),
        Mistake("follow_ups/move.html", "nurse", f"/follow-ups/{planned}/move", f"/follow-ups/{planned}/move", {"due_on": "soon"}),
        Mistake("follow_ups/plan.html", "nurse", f"{held}/follow-ups", f"{held}/follow-ups", {"due_on": "soon"}),
        Mistake("breaches/breach.html", "nurse", f"{held}/breach", f"{held}/breach", {"code": "fee_demanded"}),
        Mistake("reports/of_case.html", "officer", f"{case}/reports", f"{case}/reports", {"form_version": "the newest"}),
        Mistake("reports/step.html", "nurse", f"{paper}/collected", f"{paper}/collected", {"other_name": "X", "how": "thumb"}),
        Mistake("referrals/act.html", "nurse", f"{referral}/close", f"{referral}/close", {"feedback": "yes"}),
        Mistake("referrals/received.html", "nurse", there, f"{there}/entered", {"at_time": "10:00"}),
        Mistake("messages/new.html", "nurse", f"{referral}/messages/new", f"{referral}/messages/new",
                {"code": "come_on", "time": "10:00"}),
        Mistake("referrals/asked_again.html", "nurse", f"{is_here}/asked/again", f"{is_here}/asked/again", {"how": "thumb"}),
        Mistake("health/care.html", "nurse", f"/care/{rid}", f"/care/{rid}", {"care_pep": "given", "next_visit": "soon"}),
        Mistake("arrivals/new.html", "nurse", "/arrivals/new", "/arrivals/new", {"code": "1" * 21}),
        Mistake("arrivals/match.html", "nurse", match, match, {"code": "271828"}, way="said"),
        Mistake("arrivals/match.html", "nurse", match, match, {}, way="list"),
        Mistake("paper/paper.html", "nurse", "/paper", "/paper/enter", {"feedback": "no", "at_time": "04:10"}),
        Mistake("paper/print.html", "nurse", "/paper/print", "/paper/print", {"count": "a few", "kind": "visit"}),
        Mistake("lines/directory.html", "nurse", "/directory", "/directory/ours", {"staff": "3", "waiting": "many"}),
        Mistake("following/list.html", "nurse", "/following", "/following", {"facility": "closed_clinic"}, way="facility",
                is_offered=False),
        Mistake("eyes/look_up.html", "officer", "/look-up", "/look-up", {"number": "P-2026-00001"}),
        Mistake("eyes/eyes.html", "in-charge", "/eyes", "/eyes/barred", {"number": "x" * 21}),
        Mistake("eyes/eyes.html", "in-charge", "/eyes", "/eyes/decoys", {"age_band": "nobody"}, is_offered=False),
        Mistake("work/hand_over.html", "roaming", "/hand-over", "/hand-over", {"facility": ""}),
        Mistake("alarms/posts.html", "in-charge", "/posts", "/posts", {"day": "2026-03-03", "from_time": "six"}),
        Mistake("alarms/resolve.html", "in-charge", f"/alarms/{alarm}/resolve", f"/alarms/{alarm}/resolve", {"note": "x" * 301}),
        Mistake("holds/hold.html", "in-charge", hold, hold, {"order": "x" * (NOTE_CHARACTERS_MAX + 1)}),
        Mistake("holds/lift.html", "in-charge", lift, lift, {"order": "13 of 2026"}),
        Mistake("exports/take.html", "in-charge", "/figures/2025-12/export", "/figures/2025-12/export",
                {"because": "short", "recipient_key": "age1nobody"}),
        Mistake("accounts/new.html", "in-charge", "/accounts/new", "/accounts/new", {"name": "nurse-9"}),
    ]  # fmt: skip


async def a_box(world: World) -> dict[str, str]:
    """A box with doses that were counted once, a parcel on its way to it, and a request that waits at the clinic."""
    dispenser, clinic = await certified(world, "dispenser"), await world["health"].sign_in("pharmacist", facility=CLINIC)
    await stock(dispenser)
    counted = [{"product": EC, "batch": BATCH, "quantity": 9}]
    counting = (await dispenser.post("/dispensing/counts", {"counted": counted}))["id"]
    asked = {}
    for product in (EC, "pep_starter"):
        async with world["police"].database.write() as tx:  # the programme's police give one product; the page is the same for two
            row = Resupply(id=new_id(), facility=STATION, agency="health", to_facility=CLINIC, product=product, quantity=5,
                           reason="low", state="asked", asked_at=tx.clock.now())  # fmt: skip
            tx.session.add(row)
            await tx.session.flush()
            word = events.SuppliesRequested(
                facility=STATION, to_facility=CLINIC, request=row.id, product=CareProduct(product), quantity=5,
                reason_code=SupplyReason.LOW,
            )  # fmt: skip
            await tell(tx, world["police"].here, "health", word)
        asked[product] = str(row.id)
    await world.settle()
    await clinic.post(
        "/supplies/entries", {"product": EC, "batch": BATCH, "expires_on": EXPIRES, "kind": "received", "quantity": 9}
    )
    parcel = [{"batch": BATCH, "expires_on": EXPIRES, "quantity": 5}]
    await clinic.post(f"/supplies/requests/{asked[EC]}/send", {"batches": parcel})
    await world.settle()
    return {
        "count": f"/dispensing/counts/{counting}", "sent": f"/dispensing/requests/{asked[EC]}",
        "asked": f"/supplies/requests/{asked['pep_starter']}",
    }  # fmt: skip


COAST = ("hand_overs/of_case.html", "proceedings/of_case.html", "examinations/of_case.html")  # of programmes with justice
# Of agencies that are not in this network: tests/pages/test_stations.py and tests/journeys/test_oversight.py make the mistakes in
# them.
TRIED_ELSEWHERE = {"stations/register.html", "stations/stated.html", "protocols/new.html", "protocols/one.html"}


async def social_work(world: World) -> list[Mistake]:
    """Two cases at the office: of one the plan waits for her answer, of the other it is carried out."""
    worker = await world["social_welfare"].sign_in("worker-2")
    new, old = [f"/cases/{(await worker.post('/cases'))['id']}" for _ in range(2)]
    await consent(worker, old.rpartition("/")[2], "police", "needs")
    asked = {"on_date": "2026-01-20", "part": "morning", "agenda": ["needs"], "agencies": ["police"]}
    conference = f"/conferences/{(await worker.post(f'{old}/conferences', asked))['id']}"
    plan = {"needs": ["safety"], "review_on": "2026-02-01", "steps": [{"what": "talk", "who": "worker"}]}
    for case in (new, old):
        await worker.post(f"{case}/plan", plan)
    await worker.post(f"{old}/plan/answer", {"number": 1, "agrees": True, "how": "spoken", "language": "bem"})
    today = world["social_welfare"].here.day_of(world.clock.now()).isoformat()
    visit = f"/visits/{(await worker.post(f'{old}/visits', {'due_on': today}))['id']}"
    await worker.post(f"{old}/returns", {"where": "family", "answers": {str(one): "no" for one in Question}})
    return [
        Mistake(f"{template}.html", "worker", path, action, wrong)
        for template, path, action, wrong in (
            ("conferences/of_case", f"{old}/conferences", f"{old}/conferences", {"on_date": "soon", "part": "morning"}),
            ("conferences/conference", conference, conference, {"outcome": "held", "code_0": "legal_aid"}),
            ("plans/plan", f"{new}/plan", f"{new}/plan/answer", {"agrees": "yes"}),
            ("plans/change", f"{old}/plan/change", f"{old}/plan/change", {"step_what_2": "talk", "review_on": "2026-02-02"}),
            ("plans/close", f"{old}/plan/close", f"{old}/plan/close", {"why": "she_asks"}),
            ("visits/plan", f"{old}/visits", f"{old}/visits", {"kind": "home", "due_on": "2026-02-01"}),
            ("visits/word", f"{old}/visiting", f"{old}/visiting", {"is_safe": "yes", "hours": "morning"}),
            ("visits/visit", visit, f"{visit}/answer", {"state": "kept"}),
            ("returns/return", f"{old}/return", f"{old}/return/answer", {"agrees": "yes"}),
            ("returns/return", f"{new}/return", f"{new}/return", {"threats_since": "yes"}),
            ("outreach/outreach", "/outreach", "/outreach", {"female_10-14": "many"}),
        )
    ]


PEOPLE = {
    "worker": ("social_welfare", Role.SOCIAL_WORKER, ""),
    "officer": ("police", Role.OFFICER, ""), "nurse": ("health", Role.CLINICIAN, ""), "in-charge": ("health", Role.SUPERVISOR, ""),
    "lead": ("police", Role.SUPERVISOR, STATION), "roaming": ("health", Role.CLINICIAN, None),
}  # fmt: skip


@pytest.fixture
async def people(world: World) -> dict[str, Visitor]:
    return {name: await at_work(world, agency, name, role, place) for name, (agency, role, place) in PEOPLE.items()}


def stands(page: Page, mistake: Mistake) -> None:
    """What was answered stands in the form."""
    again = mistake.form(page).fields
    expected = mistake.wrong if mistake.is_offered else {}
    assert {name: again.get(name) for name in expected} == {name: [value] for name, value in expected.items()}, mistake.template


def heading(page: Page) -> str:
    found = re.search(r"<h1[^>]*>(.*?)</h1>", page.text, re.DOTALL)
    assert found
    return found[1]


def says_it_beside_the_field(page: Page, mistake: Mistake) -> None:
    errors = re.findall(r'<li><a href="#([^"]*)">', page.text)
    assert errors, mistake.template
    for name in errors:
        assert f'id="{name}"' in page.text, (mistake.template, name)
        assert f'id="{name}-error"' in page.text, (mistake.template, name)
    assert "http-equiv" not in page.text, mistake.template  # it does not fetch itself from an address that only takes forms


async def hidden_and_back(visitor: Visitor, mistake: Mistake, page: Page) -> Page:
    form = mistake.form(page)
    if any(action == "/hide" for _name, _value, action in form.buttons):
        form = hide_of(form)
    else:  # the page's Hide takes another form, or none; what is sent too late is kept all the same
        form = Form("/hide", "post", form.fields, form.choices)
    await visitor.send(form)
    return await visitor.send((await visitor.open("/locked")).form("/locked"), pin=PIN)


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)  # pages are the same on both
async def test_an_error_stands_beside_its_field_on_the_forms_own_page_and_nothing_is_lost(world: World, tmp_path: Path) -> None:
    found = await mistakes(world)
    asked = Counter(
        form.template
        for form in written_forms()
        if form.asks and form.action not in SECRETS and form.template not in TRIED_ELSEWHERE
    )
    on_the_coast = Counter({template: asked.pop(template) for template in COAST})
    assert Counter(one.template for one in found) == asked, "every form that asks something is tried here"
    people = {name: await at_work(world, agency, name, role, place) for name, (agency, role, place) in PEOPLE.items()}
    await certify(world, await inspector(world, "chief"), "officer")
    await each_loses_nothing(people, found)
    async with coast_world(tmp_path / "coast") as coast:
        found = await mistakes_on_the_coast(coast)
        assert Counter(one.template for one in found) == on_the_coast
        people = {
            "desk": await at_work(coast, "police", "a-desk", Role.OFFICER, STATION),
            "clerk": await at_work(coast, "justice", "a-clerk", Role.OFFICER, OFFICE),
        }
        await each_loses_nothing(people, found)


async def mistakes_on_the_coast(coast: World) -> list[Mistake]:
    """Of the pages that only a programme with justice has."""
    desk, clerk = await at(coast, "police", STATION), await at(coast, "justice", OFFICE)
    case_id, incident_id, _complaint = await complaint(desk)
    sent = await ask(desk, case_id, incident_id, f"justice/{OFFICE}", "prosecution")
    await coast.settle()
    sent_id = sent["id"]
    there = f"/cases/{(await clerk.get(f'/referrals/{sent_id}'))['case_id']}"
    begun = await clerk.post(f"{there}/examinations", {"agreed": True, "post": "clerk"})
    to_office, court, examined = f"/cases/{case_id}/prosecutor", f"{there}/proceedings", f"{there}/examinations"
    return [
        Mistake("hand_overs/of_case.html", "desk", to_office, to_office, {"place": ""}),
        Mistake("proceedings/of_case.html", "clerk", court, f"{there}/hearings", {"hearing_on": "2020-01-01"}),
        Mistake("proceedings/of_case.html", "clerk", court, f"{there}/verdicts", {"outcome": "other", "at_time": "04:10"}),
        Mistake("examinations/of_case.html", "clerk", examined, examined, {"order_number": "X!"}),
        Mistake("examinations/of_case.html", "clerk", examined, f"/examinations/{begun['id']}/order-came", {"came_number": "X!"}),
    ]


async def each_loses_nothing(people: dict[str, Visitor], found: list[Mistake]) -> None:
    """An error stands beside its field, and what was answered stands in the form, also after Hide."""
    for one in found:
        visitor = people[one.who]
        opened = await visitor.open(one.path)
        form = one.form(opened)
        if not one.is_offered:
            form.choices.clear()
        page = await visitor.send(form, **one.wrong)
        assert (page.status, heading(page)) == (422, heading(opened)), (one.template, page.words)
        says_it_beside_the_field(page, one)
        stands(page, one)
        if any(one.wrong.values()):
            page = await hidden_and_back(visitor, one, page)
            assert page.path == f"{one.path}?kept=1", one.template
            stands(page, one)


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_a_refusal_that_no_field_is_to_blame_for_leads_back_to_the_form_as_it_stood(world: World) -> None:
    visitor = await at_work(world, "police", "officer", Role.OFFICER)
    case_id, _incident = await open_case(await world["police"].sign_in("desk"))
    page = await visitor.open(f"/cases/{case_id}")
    form = page.form(f"/cases/{case_id}/progress")
    form.choices.clear()  # a page that was opened before the list changed
    page = await visitor.send(form, code="next_clinic_date", on_date="2026-03-03")
    assert (page.status, "not for this agency to record" in page.words) == (409, True)
    page = await visitor.open(next(link for link in page.links if link.endswith("?kept=1")))
    assert page.path.startswith(f"/cases/{case_id}?")
    assert page.form(f"/cases/{case_id}/progress").fields["on_date"] == ["2026-03-03"]
