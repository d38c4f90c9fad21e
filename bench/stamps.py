"""Rows made in the database itself from rows that the real handlers made: thousands of cases, referrals and events in seconds.

A pattern row is copied with fresh ids, so its shape is the handlers' own and never a second description of it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bench.payload import referral_data
from shared.casework.cases.tables import Case, Incident
from shared.casework.consents.tables import Consent
from shared.casework.referrals.tables import Referral, ReferralFact
from shared.exchange.tables import Activity, InboxRow, OutboxRow, ReceivedSlot, Subject
from shared.kit.bulk import array_type
from shared.kit.keystore import OWN, Keystore
from shared.kit.sealed import NOBODY, Under, sealed_columns

RAW_BACKLOG = f"""
    WITH fresh AS (INSERT INTO referral SELECT gen_random_uuid(), '{json.dumps(referral_data())}' FROM generate_series(1, $count)
        RETURNING id, data)
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload)
    SELECT gen_random_uuid(), 'backlog', id::text, 'referral.issued', data FROM fresh;
    ANALYZE;
"""

CASES = """
    CREATE TEMPORARY TABLE fresh AS
    SELECT gen_random_uuid() AS case_id, gen_random_uuid() AS incident_id, n FROM generate_series(1, $count) AS n;
    INSERT INTO casework_cases (id, number, circle, circle_version, facility, is_received, told_under, opened_at)
    SELECT case_id, 'B-' || n, gen_random_uuid(), 1, $facility, false, '{}', now() FROM fresh;
    INSERT INTO casework_incidents (id, case_id, recorded_at, recorded_by)
    SELECT incident_id, case_id, now(), gen_random_uuid() FROM fresh;
    INSERT INTO casework_consents
        (id, case_id, recipient, purpose, items, basis, how, interpreter, explained_by, given_at, version)
    SELECT gen_random_uuid(), case_id, $recipient, 'care', '["req", "needs", "fb"]', 'consent', 'spoken', false,
        gen_random_uuid(), now(), 1 FROM fresh;
    DROP TABLE fresh;
"""


async def issue_many_raw(desk: Any, count: int) -> None:
    """Referrals that lie in the raw outbox."""
    await desk.execute(RAW_BACKLOG.replace("$count", str(count)))


async def prepare_cases(desk: Any, facility: str, recipient: str, count: int, keys: Keystore) -> None:
    """Cases with an incident and a consent each, as a desk leaves them before it refers. Each has its key; what all of them say is
    sealed under one of its own: opening it costs the same."""
    now = datetime.now(UTC)
    happened = {"incident_type": "rape", "earliest_at": now - timedelta(hours=9), "latest_at": now - timedelta(hours=8)}
    said: dict[type[Any], dict[str, Any]] = {
        Case: {"needs": referral_data()["needs"]}, Incident: happened, Consent: {"language": "bem"}
    }  # fmt: skip
    statements = CASES
    for name, value in {"$count": str(count), "$facility": f"'{facility}'", "$recipient": f"'{recipient}'"}.items():
        statements = statements.replace(name, value)
    await desk.execute(statements)
    for table, values in said.items():
        about = "id" if table is Case else "case_id"
        rows = await desk.fetch(f"SELECT id, {about} AS about FROM {table.__tablename__}")
        await _write(desk, table, [(row["id"], row["about"], values) for row in rows], keys)
    await desk.execute("ANALYZE")
    await keys.given([row["id"], row["circle"]] for row in await desk.fetch("SELECT id, circle FROM casework_cases"))


async def _write(connection: Any, table: type[Any], rows: Sequence[tuple[Any, UUID, Mapping[str, Any]]], keys: Keystore) -> None:
    """Seals values into rows that are there: each row's key, what it is about, and its values, which have the same names in all."""
    if not rows:
        return
    columns, (key,) = sealed_columns(table), table.__table__.primary_key.columns
    names = list(rows[0][2])
    sealed = [[columns[name].seal(Under(OWN, said[name], about), keys) for _, about, said in rows] for name in names]
    sets = ", ".join(f'"{name}" = v.v{n}' for n, name in enumerate(names))
    arrays = ", ".join(f"${n}::bytea[]" for n in range(2, len(names) + 2))
    named = ", ".join(f"v{n}" for n in range(len(names)))
    await connection.execute(
        f"UPDATE {table.__tablename__} AS t SET {sets} FROM unnest($1::{array_type(key)}, {arrays}) AS v(key, {named})"
        f" WHERE t.{key.name} = v.key",
        [place for place, _, _ in rows], *sealed,
    )  # fmt: skip


# What of a row is its own, in a copy of a referral that was just issued: everything else is the pattern's.
ISSUED: dict[type[Any], tuple[str, dict[str, str]]] = {
    Case: (
        "id IN (SELECT case_id FROM casework_referrals LIMIT 1)",
        {"id": "f.case_id", "number": "'S-' || f.n", "circle": "f.circle"},
    ),
    Referral: (
        "id IN (SELECT id FROM casework_referrals LIMIT 1)",
        {
            "id": "f.referral", "case_id": "f.case_id", "incident_id": "NULL", "consent_id": "f.consent",
            "issued_event_id": "f.event", "sent_at": "NULL", "delivered_at": "NULL",
        },
    ),
    ReferralFact: (
        "position IN (SELECT position FROM casework_referral_facts WHERE type = 'referral.issued' LIMIT 1)",
        {"referral_id": "f.referral", "event_id": "f.event"},
    ),
    OutboxRow: (
        "position IN (SELECT position FROM exchange_outbox WHERE type = 'referral.issued' LIMIT 1)",
        {
            "event_id": "f.event", "subject": "f.referral", "lane_key": "f.circle", "consent_id": "f.consent", "after": "NULL",
            "incarnation": "NULL", "seq": "NULL", "leaf": "NULL", "root_after": "NULL", "inner": "NULL", "is_due": "false",
            "sent_at": "NULL", "delivered_at": "NULL",
        },
    ),
}  # fmt: skip
FRESH = """
    CREATE TEMPORARY TABLE fresh AS
    SELECT gen_random_uuid() AS case_id, gen_random_uuid() AS referral, gen_random_uuid() AS circle, gen_random_uuid() AS event,
        gen_random_uuid() AS consent, gen_random_uuid() AS pairwise, n FROM generate_series({first}, {last}) AS n
"""


SAY = """
    UPDATE exchange_outbox AS o SET data = v.data FROM unnest($1::uuid[], $2::bytea[]) AS v(event, data) WHERE o.event_id = v.event
"""


async def issue_many(desk: Any, count: int, keys: Keystore) -> None:
    """Referrals that were issued and not numbered yet, each on a case of its own with its key; one has been issued before."""
    said = sealed_columns(OutboxRow)["data"]
    first = await desk.fetchval(
        "SELECT uuid_send(event_id) || data FROM exchange_outbox WHERE type = 'referral.issued' ORDER BY position LIMIT 1"
    )
    await desk.execute(FRESH.format(first=1, last=count))
    for table, (where, own) in ISSUED.items():
        await _copy(desk, table, where, own, keys)
    fresh = await desk.fetch("SELECT event, case_id, circle, pairwise FROM fresh ORDER BY n")
    await keys.given([row["case_id"], row["circle"]] for row in fresh)
    own = {"circle": "circle", "pairwise_code": "pairwise"}
    words = [{**said.open(first, keys), **{name: str(row[column]) for name, column in own.items()}} for row in fresh]
    sealed = [said.seal(Under(row["circle"], word, row["event"]), keys) for row, word in zip(fresh, words, strict=True)]
    await desk.execute(SAY, [row["event"] for row in fresh], sealed)
    await desk.execute("DROP TABLE fresh; ANALYZE")


async def _copy(connection: Any, table: type[Any], where: str, own: Mapping[str, str], keys: Keystore) -> None:
    """Copies pattern rows; what was sealed for them is sealed anew for the copies, in which it would not open."""
    columns, key = {name: one for name, one in sealed_columns(table).items() if one.of}, list(table.__table__.primary_key.columns)
    if not columns:
        await connection.execute(_copies(table, where, own))
        return
    (of,) = {one.of for one in columns.values()}
    quoted = ", ".join(f'"{name}"' for name in columns)
    rows = f"SELECT {key[0].name} AS key, {of} AS about, {quoted} FROM {table.__tablename__}"
    patterns = await connection.fetch(f"{rows} WHERE {where}")
    said = {
        row[name]: column.open((row["about"] or NOBODY).bytes + row[name], keys)
        for row in patterns
        for name, column in columns.items()
        if row[name] is not None
    }
    before = {row["key"] for row in patterns}
    await connection.execute(_copies(table, where, own))
    for name in columns:
        async with connection.transaction():
            found = await connection.cursor(f'{rows} WHERE "{name}" = ANY($1)', list(said))
            while page := await found.fetch(COPIES):
                copies = [row for row in page if row["key"] not in before]
                await _write(connection, table, [(r["key"], r["about"] or NOBODY, {name: said[r[name]]}) for r in copies], keys)


def _copies(table: type[Any], where: str, own: Mapping[str, str]) -> str:
    """An INSERT of a copy of each pattern row for each row of `fresh`; `own` has the expressions that are not the pattern's."""
    names = [column.name for column in table.__table__.columns if column.identity is None]
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(own.get(name, f'p."{name}"') for name in names)
    source = f"(SELECT * FROM {table.__tablename__} WHERE {where}) AS p, fresh AS f"
    return f"INSERT INTO {table.__tablename__} ({columns}) SELECT {values} FROM {source} ORDER BY f.n"


COPIES = 10_000  # rows sealed anew at once
FEED_STEP = 64  # more numbers of the feed than one story takes
STEP = "interval '10 minutes'"  # between referrals: a million of them are nineteen years


async def copy_stories(
    connection: Any, referral: UUID, count: int, total: int, keys: Keystore, after: int = 0
) -> tuple[UUID, UUID]:
    """Copies a referral's whole story, with its case, diary and events, at both ends of its lines.

    They are the `after`-th and following of `total`, which end now; returns (referral, case) of the last.
    """
    case = await connection.fetchval("SELECT case_id FROM casework_referrals WHERE id = $1", referral)
    await connection.execute(FRESH.format(first=after + 1, last=after + count))
    for table, (where, own) in _story(str(referral), str(case)).items():
        open_times = [c.name for c in table.__table__.columns if c.name.endswith("_at") and c.name not in sealed_columns(table)]
        times = {name: f"p.{name} - ({total} - f.n) * {STEP}" for name in open_times}
        await _copy(connection, table, where, {**times, **own}, keys)
    last = await connection.fetchrow("SELECT referral, case_id FROM fresh ORDER BY n DESC LIMIT 1")
    await connection.execute(
        "DROP TABLE fresh; UPDATE exchange_feed SET last = greatest(last, (SELECT max(feed_seq) FROM exchange_activity))"
    )
    return last["referral"], last["case_id"]


def _story(referral: str, case: str) -> dict[type[Any], tuple[str, dict[str, str]]]:
    event = {"event_id": "md5(p.event_id::text || f.n)::uuid"}  # the same in every table that names the event
    after = {"after": "md5(p.after::text || f.n)::uuid"}
    slot = {"seq": f"p.seq + f.n * {FEED_STEP}"}
    about = f"subject = '{referral}'"
    return {
        Subject: (f"id = '{referral}'", {"id": "f.referral"}),
        Case: (f"id = '{case}'", {"id": "f.case_id", "number": "'S-' || f.n", "circle": "f.circle"}),
        Referral: (
            f"id = '{referral}'",
            {
                "id": "f.referral", "case_id": "f.case_id", "consent_id": "f.consent",
                "issued_event_id": "md5(p.issued_event_id::text || f.n)::uuid",
            },
        ),
        ReferralFact: (f"referral_id = '{referral}'", {"referral_id": "f.referral", **event}),
        Activity: (
            f"case_id = '{case}'",
            {
                "subject": f"CASE WHEN p.subject = '{case}' THEN f.case_id ELSE f.referral END", "case_id": "f.case_id",
                "feed_seq": f"p.feed_seq + f.n * {FEED_STEP}", **event,
            },
        ),
        OutboxRow: (about, {"subject": "f.referral", "lane_key": "f.circle", **event, **after, **slot}),
        InboxRow: (about, {"subject": "f.referral", **event, **after}),
        ReceivedSlot: (f"event_id IN (SELECT event_id FROM exchange_inbox WHERE {about})", {**event, **slot}),
    }  # fmt: skip
