"""A database of the version before case keys is migrated: everything reads as it did, and nothing of it lies in the clear."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from alembic import command
from sqlalchemy import Connection, MetaData, insert, select, text
from sqlmodel import col

from services.health.care.tables import CareGiven
from services.kinds import parts_of
from services.police.dispensing.tables import SafetyReport
from services.police.dockets.tables import Docket
from shared.casework.accounts.tables import KeptAnswer
from shared.casework.alarms.tables import Alarm
from shared.casework.breaches.tables import Breach
from shared.casework.cases.tables import Case, Incident, Note
from shared.casework.circles.commands import let_days_pass
from shared.casework.circles.tables import Progress
from shared.casework.consents.tables import Consent, Refusal
from shared.casework.messages.tables import Message
from shared.casework.migrate import config_on, is_migrated, migrate
from shared.casework.referrals.tables import DraftedReferral, Referral, ReferralFact, WalkIn
from shared.contracts.casework.codes import AgencyKind
from shared.exchange.erasing import received_key
from shared.exchange.tables import Activity, InboxRow, OutboxRow
from shared.kit.db import Database
from shared.kit.errors import RefnetError
from shared.kit.keystore import Keystore
from shared.kit.sealed import Sealed, Under

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
CANARY = "canary-at-rest"
NOTES = 1_205  # more than one step of the migration
OLD = {"police": ("0016_known_lines", "0001_police"), "health": ("0016_known_lines", "0002_care_of_walk_ins")}
SAID = {"age_band": CANARY, "nested": [CANARY]}


def fill(connection: Connection, kind: str) -> dict[str, UUID]:
    """One row in every table with a column that is sealed now, as the earlier version wrote them; returns the ids by table."""
    tables, ids = MetaData(), {}
    tables.reflect(connection)
    is_sqlite = connection.dialect.name == "sqlite"

    def plain(value: Any) -> Any:
        if is_sqlite and isinstance(value, UUID):
            return value.hex
        return value.replace(tzinfo=None) if is_sqlite and isinstance(value, datetime) else value

    def any_of(column: Any) -> Any:
        kinds = {
            "BOOLEAN": False,
            "DATETIME": NOW,
            "TIMESTAMP": NOW,
            "JSON": {},
            "JSONB": {},
            "BLOB": b"",
            "BYTEA": b"",
            "UUID": uuid4(),
        }
        name = str(column.type).split("(")[0]
        return uuid4() if name == "CHAR" else kinds.get(name, 1 if "INT" in name else "x")

    def put(table: str, **given: Any) -> None:
        needed = {c.name: any_of(c) for c in tables.tables[table].columns if not c.nullable and c.name not in {"position"}}
        values = {name: plain(value) for name, value in {**needed, **given}.items()}
        connection.execute(insert(tables.tables[table]).values(values))
        ids[table] = given.get("id", given.get("case_id"))

    def new(table: str, **given: Any) -> UUID:
        id_ = uuid4()
        put(table, id=id_, **given)
        return id_

    parts = dict.fromkeys(("needs", "child", "safety", "relay", "dependants"), SAID)
    case = new("casework_cases", circle=(circle := uuid4()), circle_version=1, came_with=CANARY, **parts)
    incident = new(
        "casework_incidents", case_id=case, incident_type=CANARY, contexts=[CANARY], earliest_at=NOW, latest_at=NOW, given=[SAID],
        urgent_mental_health=True, hurt_now=False,
    )  # fmt: skip
    for _ in range(NOTES):
        new("casework_notes", case_id=case, text=CANARY)
    consent = new("casework_consents", case_id=case, basis="consent", version=1, language=CANARY, items=["req"])
    new("casework_refusals", case_id=case, language=CANARY)
    referral = new(
        "casework_referrals", case_id=case, incident_id=incident, direction="in", urgency="acute", state="issued", services=[],
        said=SAID, arrival_code=CANARY, flags=[], consent_id=consent, standing={}, told={},
    )  # fmt: skip
    put("casework_referral_facts", referral_id=referral, data=SAID, type="x")
    put("casework_drafted_referrals", case_id=case, page="refer", answers=SAID)
    walk_in = new("casework_walk_ins", case_id=case, outcome=CANARY)
    new("casework_alarms", kind="fork", about=uuid4(), resolution=CANARY)
    new("casework_messages", referral_id=referral, case_id=case, direction="in", code=CANARY, on_at=NOW)
    put("casework_idempotency", account_id=uuid4(), answer=CANARY.encode())
    put("exchange_activity", case_id=case, detail=SAID)
    put("exchange_outbox", subject=referral, lane_key=circle, data=SAID, inner=CANARY.encode(), seq=1, leaf=b"l", recipient="x")
    put("exchange_inbox", subject=referral, inner=CANARY.encode(), state="applied", event_id=uuid4())
    if kind == "police":
        put("police_dockets", case_id=case, number=CANARY)
    else:
        new("health_care_given", walk_in_id=walk_in, care=CANARY, result="given")
        new("health_care_given", referral_id=referral, care=CANARY, result="refused")
    return {"case": case, "circle": circle, "referral": referral}


async def old_one(url: str, kind: str, keys: Keystore) -> tuple[Database, dict[str, UUID], Any]:
    parts = parts_of(kind)  # type: ignore[arg-type]
    own = (parts.migrations, f"{parts.kind}_")

    def make(connection: Connection) -> dict[str, UUID]:
        for revision in OLD[kind]:
            command.upgrade(config_on(connection, *own), revision)
        return fill(connection, kind)

    database = Database(url, keys=keys)
    async with database.engine.connect() as connection:
        await connection.execution_options(write=True)
        made = await connection.run_sync(make)
        await connection.commit()
    return database, made, own


async def everything(database: Database, kind: str) -> dict[str, Any]:
    """What the columns say that are sealed now."""
    own: Any = Docket.number if kind == "police" else CareGiven.care
    columns: dict[str, Any] = {
        "parts": Case.needs, "came": Case.came_with, "type": Incident.incident_type, "at": Incident.earliest_at,
        "given": Incident.given, "hurt": Incident.hurt_now, "text": Note.text, "language": Consent.language, "no": Refusal.language,
        "said": Referral.said, "code": Referral.arrival_code, "fact": ReferralFact.data, "answers": DraftedReferral.answers,
        "outcome": WalkIn.outcome, "resolution": Alarm.resolution, "message": Message.code, "on": Message.on_at,
        "answer": KeptAnswer.answer, "detail": Activity.detail, "data": OutboxRow.data, "inner": OutboxRow.inner,
        "heard": InboxRow.inner, "own": own,
    }  # fmt: skip
    found = {}
    async with database.read() as tx:
        for name, column in columns.items():
            values = list((await tx.session.execute(select(column))).scalars())
            found[name] = values[0]
            assert all(value == values[0] for value in values)
    return found


@pytest.mark.parametrize("kind", ["police", "health"])
async def test_rows_read_as_they_did_and_lie_sealed(database_url: str, kind: str, tmp_path: Path) -> None:
    keys = Keystore.in_memory()
    database, ids, own = await old_one(database_url, kind, keys)
    file = Path(database_url.removeprefix("sqlite:///"))
    if database.dialect == "sqlite":
        assert CANARY.encode() in await asyncio.to_thread(lambda: file.read_bytes() + Path(f"{file}-wal").read_bytes())
    await migrate(database, *own)
    assert await is_migrated(database, own[0])
    said = await everything(database, kind)
    json_said = {"parts", "said", "fact", "answers", "detail", "data"}
    assert {name: said.pop(name) for name in json_said} == dict.fromkeys(json_said, SAID)
    assert (said.pop("given"), said.pop("hurt")) == ([SAID], False)
    assert {said.pop("at"), said.pop("on")} == {NOW}
    assert {value.decode() if isinstance(value, bytes) else value for value in said.values()} == {CANARY}
    async with database.engine.connect() as connection:
        assert CANARY not in await connection.run_sync(dumped)
        await connection.run_sync(lambda c: command.check(config_on(c, *own)))
    if database.dialect == "sqlite":  # nor in what the file has given up
        assert CANARY.encode() not in await asyncio.to_thread(file.read_bytes)
        assert not await asyncio.to_thread(lambda: Path(f"{file}-wal").exists() and Path(f"{file}-wal").read_bytes())
        with closing(sqlite3.connect(file)) as looking:
            assert looking.execute("PRAGMA foreign_key_check").fetchall() == []
    await database.close()
    # One key for all of a case: destroyed, nothing of it is read any more, in tables, outbox and inbox.
    keys.destroy(ids.values(), NOW)
    database = Database(database_url, keys=keys)
    columns: list[Any] = [Note.text, Case.needs, Referral.said, ReferralFact.data, OutboxRow.inner, InboxRow.inner, Activity.detail]
    for column in columns:
        async with database.read() as tx:
            assert not any((await tx.session.execute(select(column))).scalars().all())
    await database.close()


async def test_rows_are_not_sealed_without_a_keystore_and_stay_as_they_were(database_url: str) -> None:
    database, _, own = await old_one(database_url, "police", Keystore.in_memory())
    await database.close()
    bare = Database(database_url)
    with pytest.raises(RefnetError, match="keystore is not here"):
        await migrate(bare, *own)
    async with bare.read() as tx:
        texts = (await tx.session.execute(text("SELECT DISTINCT text FROM casework_notes"))).scalars().all()
    assert texts == [CANARY]
    await bare.close()


async def test_breaches_of_the_police_lie_with_those_of_every_agency_and_read_as_they_did(database_url: str) -> None:
    keys, parts = Keystore.in_memory(), parts_of(AgencyKind.POLICE)
    own, database = (parts.migrations, "police_"), Database(database_url, keys=keys)
    case, gone = uuid4(), uuid4()
    for one in (case, gone):
        keys.give([[one]])

    def make(connection: Connection) -> None:
        for revision in ("0027_care_goes_on", "0006_complaints"):
            command.upgrade(config_on(connection, *own), revision)
        tables = MetaData()
        tables.reflect(connection, only=["casework_cases", "police_breaches"])
        is_sqlite = connection.dialect.name == "sqlite"
        now = NOW.replace(tzinfo=None) if is_sqlite else NOW

        def plain(id_: UUID) -> Any:
            return id_.hex if is_sqlite else id_

        for one in (case, gone):
            row = {"id": plain(one), "number": str(one)[:8], "circle": plain(uuid4()), "circle_version": 1, "facility": "x",
                   "is_received": False, "opened_at": now, "told_under": "{}", "not_counted": False}  # fmt: skip
            known = tables.tables["casework_cases"].columns.keys()
            connection.execute(insert(tables.tables["casework_cases"]).values({k: v for k, v in row.items() if k in known}))
            said = {
                name: Sealed(f"police_breaches.{name}", "case_id", of="").seal(Under(one, CANARY), keys)
                for name in ("code", "by_whom")
            }
            breach = {"id": plain(uuid4()), "case_id": plain(one), "facility": "x", "occurred_at": now, "recorded_at": now,
                      "recorded_by": plain(uuid4()), **said}  # fmt: skip
            connection.execute(insert(tables.tables["police_breaches"]).values(breach))

    async with database.engine.connect() as connection:
        await connection.execution_options(write=True)
        await connection.run_sync(make)
        await connection.commit()
    keys.destroy([gone], NOW)
    await migrate(database, *own)
    async with database.read() as tx:
        found = {row.case_id: (row.code, row.by_whom) for row in (await tx.session.execute(select(Breach))).scalars()}
    assert found == {case: (CANARY, CANARY), gone: (None, None)}
    await database.close()


async def test_days_lie_sealed_and_what_was_told_goes_with_its_consent(database_url: str) -> None:
    keys, parts = Keystore.in_memory(), parts_of(AgencyKind.POLICE)
    own, database = (parts.migrations, "police_"), Database(database_url, keys=keys)
    case, consent, gone = uuid4(), uuid4(), uuid4()
    moment, day = datetime(2031, 5, 4, 3, 2, 1, 987654, tzinfo=UTC), date(2031, 7, 13)

    def make(connection: Connection) -> None:
        for revision in ("0039_case_numbers", "0016_tellings_outlive"):
            command.upgrade(config_on(connection, *own), revision)
        tables = MetaData()
        tables.reflect(connection, only=["casework_cases", "casework_referrals", "casework_progress"])
        is_sqlite = connection.dialect.name == "sqlite"

        def plain(value: Any) -> Any:
            if is_sqlite and isinstance(value, UUID):
                return value.hex
            return value.replace(tzinfo=None) if is_sqlite and isinstance(value, datetime) else value

        def put(table: str, **row: Any) -> None:
            connection.execute(insert(tables.tables[table]).values({name: plain(value) for name, value in row.items()}))

        put("casework_cases", id=case, number="1", circle=uuid4(), circle_version=1, facility="x", is_received=False, opened_at=NOW,
            told_under={}, not_counted=False)  # fmt: skip
        request = {"case_id": case, "desk": "x", "from_facility": "x", "to_facility": "x", "services": [], "urgency": "acute",
                   "issued_event_id": uuid4(), "state": "issued", "is_open": True, "standing": {}, "told": {}, "flags": [],
                   "feedback_agreed": False, "respond_by": NOW, "issued_at": NOW, "moved_at": NOW, "version": 1}  # fmt: skip
        step = {"case_id": case, "code": "hearing_date", "occurred_at": NOW, "recorded_at": NOW}
        for issuer, direction, under in (("police", "out", consent), ("health", "in", consent), ("gone", "in", gone)):
            put("casework_referrals", id=uuid4(), issuer=issuer, recipient="police", direction=direction, consent_id=under,
                expected_at=moment, **request)  # fmt: skip
            told = {"agency": issuer, "consent_id": under if direction == "in" else None}
            put("casework_progress", on_date=day, **told, **step)
            put("casework_progress", was_on=day, **told, **step)

    async with database.engine.connect() as connection:
        await connection.execution_options(write=True)
        await connection.run_sync(make)
        await connection.commit()
    keys.destroy([received_key("gone", gone)], NOW)
    await migrate(database, *own)

    async def days() -> dict[str, list[Any]]:
        async with database.read() as tx:
            requests = (await tx.session.execute(select(Referral))).scalars()
            found: dict[str, list[Any]] = {row.issuer: [row.expected_at] for row in requests}
            for row in (await tx.session.execute(select(Progress).order_by(col(Progress.position)))).scalars():
                found[row.agency] += [(row.on_date, row.was_on, row.is_ahead)]
            return found

    read: list[Any] = [moment, (day, None, True), (None, day, False)]
    erased: list[Any] = [None, (None, None, True), (None, None, False)]
    assert await days() == {"police": read, "health": read, "gone": erased}
    async with database.engine.connect() as connection:
        held = await connection.run_sync(dumped)
    assert [one for one in ("2031-05-04", "2031-07-13") if one in held] == []
    keys.destroy([received_key("health", consent)], NOW)
    assert await days() == {"police": read, "health": erased, "gone": erased}
    async with database.write() as tx:
        await let_days_pass(tx, day)
        assert (await days())["police"] == read
        await let_days_pass(tx, day + timedelta(days=1))
    assert [row[-1] for rows in (await days()).values() for row in rows[1:]] == [False] * 6
    await database.close()


async def test_what_a_safety_report_says_is_sealed_and_its_alarm_leads_to_it_no_more(tmp_path: Path) -> None:
    own = parts_of(AgencyKind.POLICE).migrations, "police_"
    keys = Keystore.in_memory()
    database = Database(f"sqlite:///{tmp_path}/police.db", keys=keys)
    case, report, alarm = uuid4(), uuid4(), uuid4()

    def make(connection: Connection) -> None:
        for revision in ("0032_conferences", "0011_seats"):
            command.upgrade(config_on(connection, *own), revision)
        tables = MetaData()
        tables.reflect(connection, only=["casework_cases", "police_safety_reports", "casework_alarms"])
        now = NOW.replace(tzinfo=None)
        for table, row in {
            "casework_cases": {"id": case.hex, "number": "1", "circle": uuid4().hex, "circle_version": 1, "facility": "x",
                               "is_received": False, "opened_at": now, "told_under": "{}", "not_counted": False},
            "police_safety_reports": {"id": report.hex, "case_id": case.hex, "facility": "x", "product": CANARY, "batch": CANARY,
                                      "is_misuse": False, "recorded_at": now, "recorded_by": uuid4().hex},
            "casework_alarms": {"id": alarm.hex, "kind": "dose_adverse", "about": report.hex, "facility": "x", "post": "x",
                                "level": 0, "is_acute": False, "detail": "{}", "raised_at": now},
        }.items():  # fmt: skip
            connection.execute(insert(tables.tables[table]).values(row))

    async with database.engine.connect() as connection:
        await connection.execution_options(write=True)
        await connection.run_sync(make)
        await connection.commit()
    await migrate(database, *own)
    async with database.read() as tx:
        (row,) = (await tx.session.execute(select(SafetyReport))).scalars()
        about = (await tx.session.execute(select(Alarm.about))).scalar_one()  # type: ignore[call-overload]
        assert CANARY not in await (await tx.session.connection()).run_sync(dumped)
    assert (row.product, row.batch, about != report) == (CANARY, CANARY, True)
    await database.close()


def dumped(connection: Connection) -> str:
    tables = MetaData()
    tables.reflect(connection)
    rows = [row for t in tables.tables for row in connection.execute(text(f"SELECT * FROM {t}"))]
    return json.dumps([[bytes(v).decode("latin-1") if isinstance(v, bytes | memoryview) else str(v) for v in row] for row in rows])
