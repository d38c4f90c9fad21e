"""Words that a person typed stay where they were typed: not on a line, not at another agency, not in a log, figure or problem."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from agencies import Desk, Refused, World, consent, purpose_of, refer
from desk_pages import PAGE_1, at_the_desk, fill_page
from fastapi import Request
from sqlalchemy import Connection, event, func, inspect, select, text
from sqlmodel import col

from shared.casework import sharing
from shared.casework.cases.tables import Case, Note
from shared.contracts.casework import codes, events, minimal_data
from shared.contracts.casework.codes import ConsentItem
from shared.exchange.tables import OutboxRow
from shared.kit.ids import new_id
from shared.kit.telemetry import set_up_logs

CANARY = "canary-7Q"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, in the form that operators see, down to the chattiest level."""
    root, kept = logging.getLogger(), io.StringIO()
    before, level = list(root.handlers), root.level
    set_up_logs("json")
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(kept)
    root.setLevel(logging.DEBUG)
    yield kept
    root.handlers[:] = before
    root.setLevel(level)


def everything_in(connection: Connection) -> str:
    tables = inspect(connection).get_table_names()
    return "".join(repr([tuple(map(str, row)) for row in connection.execute(text(f"SELECT * FROM {t}"))]) for t in tables)


async def test_no_word_that_was_typed_leaves_its_agency(world: World, log: io.StringIO) -> None:
    carried, addresses = list[bytes](), list[str]()
    for agency in world.agencies.values():
        agency.relay._send = _recorded(agency, carried)
        agency.client.event_hooks["response"].append(_noted(addresses))
    officer, nurse = await world["police"].sign_in("officer"), await world["health"].sign_in("nurse")
    numbers = iter(range(1_000))

    def word() -> str:
        return f"{CANARY}-{next(numbers)} Synthetic Person, Plot 12"

    case = await officer.post("/cases", {"note": word(), "needs": {"age_band": "10-14", "sex": "female", "language": "bem"}})
    times = {"earliest_at": "2026-01-04T12:00:00Z", "latest_at": "2026-01-04T13:00:00Z"}
    incident = await officer.post(f"/cases/{case['id']}/incidents", {"incident_type": "rape", "note": word(), **times})
    body = {"items": [str(i) for i in ConsentItem], "how": "spoken", "language": "bem"}
    for recipient in ("health", "social_welfare"):
        await officer.post(
            f"/cases/{case['id']}/consents", {"recipient": recipient, "purpose": purpose_of(recipient), "note": word(), **body}
        )
    await officer.post(f"/cases/{case['id']}/docket", {"number": "CANARY-7Q/1"})
    await officer.post(f"/cases/{case['id']}/complaints", {"number": "CANARY-7Q/2"})
    await officer.post(f"/cases/{case['id']}/breaches", {"code": "mediation_attempted", "by_whom": "family"})
    sent = await refer(officer, case["id"], incident["id"], "health", note=word())
    await refer(officer, case["id"], incident["id"], "social_welfare", urgency="urgent", note=word())
    await officer.post(f"/referrals/{sent['id']}/set-out", {"mode": "car", "escort": "officer", "note": word()})
    await officer.post(f"/cases/{case['id']}/progress", {"code": "statement_taken", "note": word()})
    await world.settle()
    await nurse.post("/arrivals", {"note": word(), "facility": "ndola_clinic"})
    for move, more in (("accept", {}), ("arrive", {"feedback": True}), ("start", {}), ("close", {"outcome_code": "served"})):
        await nurse.post(f"/referrals/{sent['id']}/{move}", {**more, "note": word()})
    problems = []
    for path, wrong in (
        ("/cases", {"name": word()}),
        ("/referrals", {"case_id": word()}),
        (f"/referrals/{sent['id']}/cancel", {"reason_code": "x", "who": word()}),
    ):
        with pytest.raises(Refused) as refused:
            await officer.post(path, wrong)
        problems.append(str(refused.value.problem))
    await world.settle()
    assert len(carried) > 10
    assert CANARY.encode() not in b"".join(carried)
    assert CANARY not in "".join(problems)
    assert len(addresses) > 20
    assert CANARY.lower() not in "".join(addresses).lower()
    assert CANARY.lower() not in log.getvalue().lower()
    for agency_id, agency in world.agencies.items():
        assert CANARY not in (await agency.client.get("/metrics")).text
        async with agency.database.engine.connect() as connection:
            held = await connection.run_sync(everything_in)
        assert CANARY not in held  # what is kept lies sealed
        assert bool(await words_at(world, agency_id)) == (agency_id != "social_welfare")  # its own notes, and nothing else anywhere
    police, health = [await words_at(world, a) for a in ("police", "health")]
    assert not police & health


def _noted(addresses: list[str]) -> Any:
    async def note(answer: httpx.Response) -> None:
        addresses.extend([str(answer.request.url), *(answer.headers.get(name, "") for name in ("location", "link"))])

    return note


async def test_a_handler_that_fails_with_her_words_in_hand_tells_nobody_of_them(world: World, log: io.StringIO) -> None:
    """Over the API and on a page: answer and log have the kind of the error and the place in the program, and no more."""
    officer, nurse = await world["police"].sign_in("officer"), await world["health"].sign_in("nurse")
    visitor = await at_the_desk(world)
    form = await visitor.open("/cases/new")

    def fails(_mapper: object, _connection: object, row: Case) -> None:
        raise ValueError(f"{CANARY} Synthetic Person cannot be put into {row.facility}")

    event.listen(Case, "before_insert", fails)
    try:
        answers = [
            await officer.ask("POST", "/cases", {"note": f"{CANARY} a note"}, **{"Idempotency-Key": str(new_id())}),
            await nurse.ask(
                "POST", "/arrivals", {"note": f"{CANARY} a note", "facility": "ndola_clinic"}, **{"Idempotency-Key": str(new_id())}
            ),
        ]
        page = await fill_page(visitor, form, **PAGE_1)
        with pytest.raises(ValueError, match=CANARY) as error:  # what is left to the server, which writes it down
            async with httpx.AsyncClient(transport=httpx.ASGITransport(world["police"].app), base_url="http://agency") as raw:
                await Desk(raw, officer.token).ask("POST", "/cases", {}, **{"Idempotency-Key": str(new_id())})
        logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=error.value)
    finally:
        event.remove(Case, "before_insert", fails)
    assert [answer.status_code for answer in answers] + [page.status] == [500] * 3
    assert CANARY not in "".join([*(answer.text for answer in answers), page.text])
    entries = [json.loads(line) for line in log.getvalue().splitlines()]
    failed = [entry for entry in entries if entry["event"] in {"request_failed", "Exception in ASGI application\n"}]
    assert [entry["because"] for entry in failed] == ["ValueError"] * 5
    assert CANARY.lower() not in log.getvalue().lower()


def _recorded(agency: Any, carried: list[bytes]) -> Any:
    async def send(outbound: Any) -> None:
        carried.extend(one.envelope for one in outbound)
        agency.line += outbound

    return send


async def words_at(world: World, agency: str) -> set[str]:
    """The words that an agency's own keys open."""
    async with world[agency].database.read() as tx:
        held = "".join([f"{text} " for text in (await tx.session.execute(select(col(Note.text)))).scalars()])
    return {f"{CANARY}-{n} " for n in range(1_000) if f"{CANARY}-{n} " in held}


FULL: dict[str, Any] = {
    "windows": [{"care": "pep", "until": "2026-01-07T12:00:00Z"}],
    "needs": {"age_band": "10-14", "sex": "female", "language": "bem"},
    "child": {"assent": "yes", "safe_adult_present": "yes"},
    "incident_class": "rape",
    "given": [{"product": "pep_starter", "given_at": "2026-01-05T08:00:00Z"}],
    "travel": {"mode": "car", "escort": "officer"},
    "dependants": {"age_bands": ["0-9"]},
    "safety": {"safe_to_return": "no", "alone_on_phone": "no"},
    "relay": {"safe_hours": "morning"},
    "report_form": {"form": "zp_form_32", "form_version": 1},
    "urgent_mental_health": True,
}


@pytest.mark.parametrize("item", list(ConsentItem))
@pytest.mark.parametrize(
    ("sender", "recipient"),
    [(a, b) for a in ("police", "health", "social_welfare") for b in ("police", "health", "social_welfare") if a != b],
)
def test_a_field_crosses_only_in_a_listed_direction_and_under_its_own_item(sender: str, recipient: str, item: ConsentItem) -> None:
    from agencies import SECRET, network

    from shared.casework.here import Here
    from shared.programmes.profile import load_programme

    here = Here(sender, network(), load_programme("zm-vsu-ec"), SECRET)
    direction = (here.kind, here.kind_of(recipient))
    services = [str(s) for s in codes.PROVIDED_BY[direction[1]]]
    request = {
        "circle": new_id(), "pairwise_code": new_id(), "from_facility": "a_place", "to_facility": "b_place", "services": services,
        "urgency": "acute", "respond_by": "2026-01-05T09:00:00Z", "feedback_agreed": False,
    }  # fmt: skip
    items, purpose = frozenset({ConsentItem.REQ, item}), sharing.THERE_FOR[direction[1]]
    release = sharing.Released(new_id(), codes.Basis.CONSENT, items, None, purpose)
    said = events.data_of(sharing.project(here, recipient, release, request, FULL))
    listed = minimal_data.CROSSES.get(direction, {})
    crossed = said.keys() & minimal_data.FIELD_CLASS.keys()
    allowed = {field for field, needs in listed.items() if needs in {ConsentItem.REQ, item}}
    if direction in minimal_data.CHILD_NEEDS_LEGAL_BASIS:
        allowed.discard("child")
    assert crossed == allowed
    if direction[1] is not codes.AgencyKind.HEALTH and "incident_class" in said:
        assert said["incident_class"] == "gbv"


async def test_a_line_follows_an_account_and_resumes_where_it_was(world: World) -> None:
    from shared.casework.accounts.commands import actor_of
    from shared.casework.following.web import _lines

    officer = await world["police"].sign_in("officer", facility="ndola_central_vsu")
    other = await world["police"].sign_in("other", facility="masaiti_vsu")
    case = await officer.post("/cases")
    await consent(officer, case["id"], "health")
    await world["police"].flush()

    class Open(Request):
        async def is_disconnected(self) -> bool:
            return False

    async def first(desk: Any, count: int, after: int) -> list[int]:
        async with world["police"].database.read() as tx:
            actor = await actor_of(tx, world["police"].here, desk.token)
        assert actor is not None
        headers = [(b"authorization", f"Bearer {desk.token}".encode())]
        request = Open({"type": "http", "method": "GET", "path": "/api/v1/events/stream", "headers": headers, "query_string": b""})
        lines = _lines(request, world["police"].edge, actor, after, following=False)
        found = [int((await anext(lines))["id"]) for _ in range(count)]
        await lines.aclose()  # type: ignore[attr-defined]
        return found

    both = await first(officer, 2, 0)
    assert both == sorted(both)
    assert await first(officer, 1, both[0]) == both[1:]
    mine = await other.post("/cases")
    await world["police"].flush()
    assert mine["facility"] == "masaiti_vsu"
    assert (await first(other, 1, 0))[0] > both[-1]


ASKED_FOR = [item for item in ConsentItem if item not in {ConsentItem.REQ, ConsentItem.MLR, ConsentItem.STAT}]


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_whatever_is_said_on_the_way_stands_under_an_item_that_she_agreed_to(world: World) -> None:
    """A whole way for each item alone: each field that any agency says of it is looked up in the minimal data set."""
    officer, nurse = await world["police"].sign_in("officer"), await world["health"].sign_in("nurse")
    worker = await world["social_welfare"].sign_in("worker")
    seen: set[ConsentItem | None] = set()
    for item in (None, *ASKED_FOR):
        since = {agency: await last_said(world, agency) for agency in world.agencies}
        await whole_way(world, officer, nurse, worker, item)
        for agency, position in since.items():
            for kind, under in await said_since(world, agency, position):
                assert under in {None, ConsentItem.REQ, item}, f"{agency} says {kind} under {under}, agreed was {item}"
                seen.add(under)
    assert seen == {ConsentItem.REQ, *ASKED_FOR}  # each of them did let something pass


async def whole_way(world: World, officer: Any, nurse: Any, worker: Any, item: ConsentItem | None) -> None:
    given = [{"product": "pep_starter", "given_at": "2026-01-05T07:00:00Z"}]
    person = {"needs": FULL["needs"], "child": FULL["child"], "safety": FULL["safety"], "relay": FULL["relay"],
              "dependants": FULL["dependants"]}  # fmt: skip
    case = (await officer.post("/cases", person))["id"]
    times = {"earliest_at": "2026-01-04T12:00:00Z", "latest_at": "2026-01-04T13:00:00Z", "given": given}
    incident = (await officer.post(f"/cases/{case}/incidents", {"incident_type": "rape", **times}))["id"]
    for to in ("health", "social_welfare"):
        await consent(officer, case, to, *([str(item)] if item else []))
    for to, desk in (("health", nurse), ("social_welfare", worker)):
        sent = await refer(officer, case, incident, to, urgency="urgent", travel=FULL["travel"])
        await officer.post(f"/referrals/{sent['id']}/set-out", {"mode": "car", "escort": "officer"})
        await officer.post(f"/cases/{case}/progress", {"code": "statement_taken"})
        await world.settle()
        await desk.post(f"/referrals/{sent['id']}/accept")
        if item is ConsentItem.RELAY:
            await desk.post(f"/referrals/{sent['id']}/messages", {"code": "bring_card"})
        for move in ("arrive", "hold", "resume", "start"):
            more = {"feedback": item is ConsentItem.FB} if move == "arrive" else {}
            await desk.post(f"/referrals/{sent['id']}/{move}", {**more, **({"reason_code": "she_asked"} if move == "hold" else {})})
        await desk.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served"})
        await world.settle()


async def last_said(world: World, agency: str) -> int:
    async with world[agency].database.read() as tx:
        return (await tx.session.execute(select(func.max(col(OutboxRow.position))))).scalar_one() or 0


async def said_since(world: World, agency: str, position: int) -> list[tuple[str, ConsentItem | None]]:
    """What an agency has said since: each field's path with the item that the minimal data set asks for."""
    async with world[agency].database.read() as tx:
        rows = (await tx.session.execute(select(OutboxRow).where(col(OutboxRow.position) > position))).scalars().all()
    found = []
    for row in rows:
        listed = minimal_data.SAID[row.type]
        said = paths_of(row.data or {})
        found += [(f"{row.type}: {path}", listed[path][1]) for path in (said | {""} if "" in listed else said)]
    return found


def paths_of(data: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for name, value in data.items():
        if value == []:
            continue  # nobody and nothing is named
        inner = value if isinstance(value, list) else [value]
        deeper = {f"{name}.{path}" for one in inner if isinstance(one, dict) for path in paths_of(one)}
        found |= deeper or {name}
    return found
