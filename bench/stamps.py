"""Rows made in the database itself from rows that the real handlers made: thousands of cases, referrals and events in seconds.

A pattern row is copied with fresh ids, so its shape is the handlers' own and never a second description of it.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bench.payload import referral_data
from shared.casework.cases.tables import Case, Incident
from shared.casework.consents.tables import Consent
from shared.casework.referrals.tables import Referral, ReferralFact
from shared.exchange.tables import Activity, InboxRow, OutboxRow, ReceivedSlot, Subject
from shared.kit.keystore import OWN, Keystore
from shared.kit.sealed import Under, sealed_columns

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
    INSERT INTO casework_cases (id, number, circle, circle_version, facility, is_received, needs, told_under, opened_at)
    SELECT case_id, 'B-' || n, gen_random_uuid(), 1, $facility, false, $needs, '{}', now() FROM fresh;
    INSERT INTO casework_incidents (id, case_id, incident_type, contexts, earliest_at, latest_at, given, recorded_at, recorded_by)
    SELECT incident_id, case_id, $type, $none, $earliest, $latest, $none, now(), gen_random_uuid() FROM fresh;
    INSERT INTO casework_consents
        (id, case_id, recipient, purpose, items, basis, how, language, interpreter, explained_by, given_at, version)
    SELECT gen_random_uuid(), case_id, $recipient, 'care', '["req", "needs", "fb"]', 'consent', 'spoken', $language, false,
        gen_random_uuid(), now(), 1 FROM fresh;
    DROP TABLE fresh;
    ANALYZE;
"""


async def issue_many_raw(desk: Any, count: int) -> None:
    """Referrals that lie in the raw outbox."""
    await desk.execute(RAW_BACKLOG.replace("$count", str(count)))


async def prepare_cases(desk: Any, facility: str, recipient: str, count: int, keys: Keystore) -> None:
    """Cases with an incident and a consent each, as a desk leaves them before it refers. Each has its key; what all of them say is
    sealed once, under one of its own, and copied: opening it costs the same."""
    now = datetime.now(UTC)

    def sealed(table: Any, name: str, value: Any) -> str:
        held = sealed_columns(table)[name].seal(Under(OWN, value), keys)
        assert held is not None
        return f"'\\x{held.hex()}'"

    values = {
        "$count": str(count), "$facility": f"'{facility}'", "$recipient": f"'{recipient}'",
        "$needs": sealed(Case, "needs", referral_data()["needs"]), "$type": sealed(Incident, "incident_type", "rape"),
        "$none": "NULL", "$earliest": sealed(Incident, "earliest_at", now - timedelta(hours=9)),
        "$latest": sealed(Incident, "latest_at", now - timedelta(hours=8)), "$language": sealed(Consent, "language", "bem"),
    }  # fmt: skip
    statements = CASES
    for name, value in values.items():
        statements = statements.replace(name, value)
    await desk.execute(statements)
    await keys.given([row["id"], row["circle"]] for row in await desk.fetch("SELECT id, circle FROM casework_cases"))


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
    await desk.execute(FRESH.format(first=1, last=count))
    for table, (where, own) in ISSUED.items():
        await desk.execute(_copies(table, where, own))
    said = sealed_columns(OutboxRow)["data"]
    first = await desk.fetchval("SELECT data FROM exchange_outbox WHERE type = 'referral.issued' ORDER BY position LIMIT 1")
    fresh = await desk.fetch("SELECT event, case_id, circle, pairwise FROM fresh ORDER BY n")
    await keys.given([row["case_id"], row["circle"]] for row in fresh)
    own = {"circle": "circle", "pairwise_code": "pairwise"}
    words = [{**said.open(first, keys), **{name: str(row[column]) for name, column in own.items()}} for row in fresh]
    sealed = [said.seal(Under(row["circle"], word), keys) for row, word in zip(fresh, words, strict=True)]
    await desk.execute(SAY, [row["event"] for row in fresh], sealed)
    await desk.execute("DROP TABLE fresh; ANALYZE")


def _copies(table: type[Any], where: str, own: Mapping[str, str]) -> str:
    """An INSERT of a copy of each pattern row for each row of `fresh`; `own` has the expressions that are not the pattern's."""
    names = [column.name for column in table.__table__.columns if column.identity is None]
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(own.get(name, f'p."{name}"') for name in names)
    source = f"(SELECT * FROM {table.__tablename__} WHERE {where}) AS p, fresh AS f"
    return f"INSERT INTO {table.__tablename__} ({columns}) SELECT {values} FROM {source} ORDER BY f.n"


FEED_STEP = 64  # more numbers of the feed than one story takes
STEP = "interval '10 minutes'"  # between referrals: a million of them are nineteen years


async def copy_stories(connection: Any, referral: UUID, count: int, total: int, after: int = 0) -> tuple[UUID, UUID]:
    """Copies a referral's whole story, with its case, diary and events, at both ends of its lines.

    They are the `after`-th and following of `total`, which end now; returns (referral, case) of the last.
    """
    case = await connection.fetchval("SELECT case_id FROM casework_referrals WHERE id = $1", referral)
    await connection.execute(FRESH.format(first=after + 1, last=after + count))
    for table, (where, own) in _story(str(referral), str(case)).items():
        times = {c.name: f"p.{c.name} - ({total} - f.n) * {STEP}" for c in table.__table__.columns if c.name.endswith("_at")}
        await connection.execute(_copies(table, where, {**times, **own}))
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
