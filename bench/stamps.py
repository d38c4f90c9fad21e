"""Rows made in the database itself from rows that the real handlers made: thousands of cases, referrals and events in seconds.

A pattern row is copied with fresh ids, so its shape is the handlers' own and never a second description of it.
"""

import json
from collections.abc import Mapping
from typing import Any

from bench.payload import referral_data
from shared.casework.cases.tables import Case
from shared.casework.referrals.tables import Referral, ReferralFact
from shared.exchange.tables import Activity, OutboxRow

RAW_BACKLOG = f"""
    WITH fresh AS (INSERT INTO referral SELECT gen_random_uuid(), '{json.dumps(referral_data())}' FROM generate_series(1, $count)
        RETURNING id, data)
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload)
    SELECT gen_random_uuid(), 'backlog', id::text, 'referral.issued', data FROM fresh;
    ANALYZE;
"""

NEEDS = json.dumps(referral_data()["needs"])
SAFETY = json.dumps(referral_data()["safety"])
CASES = f"""
    CREATE TEMPORARY TABLE fresh AS
    SELECT gen_random_uuid() AS case_id, gen_random_uuid() AS incident_id, n FROM generate_series(1, $count) AS n;
    INSERT INTO casework_cases (id, number, circle, circle_version, facility, is_received, needs, safety, told_under, opened_at)
    SELECT case_id, 'B-' || n, gen_random_uuid(), 1, $facility, false, '{NEEDS}', '{SAFETY}', '{{}}', now() FROM fresh;
    INSERT INTO casework_incidents (id, case_id, incident_type, contexts, earliest_at, latest_at, given, recorded_at, recorded_by)
    SELECT incident_id, case_id, 'rape', '[]', now() - interval '9 hours', now() - interval '8 hours', '[]', now(),
        gen_random_uuid() FROM fresh;
    INSERT INTO casework_consents
        (id, case_id, recipient, purpose, items, basis, how, language, interpreter, explained_by, given_at, version)
    SELECT gen_random_uuid(), case_id, $recipient, 'care', '["req", "needs", "safety", "fb"]', 'consent', 'spoken', 'bem', false,
        gen_random_uuid(), now(), 1 FROM fresh;
    DROP TABLE fresh;
    ANALYZE;
"""


async def issue_many_raw(desk: Any, count: int) -> None:
    """Referrals that lie in the raw outbox."""
    await desk.execute(RAW_BACKLOG.replace("$count", str(count)))


async def prepare_cases(desk: Any, facility: str, recipient: str, count: int) -> None:
    """Cases with an incident and a consent each, as a desk leaves them before it refers."""
    values = {"$count": str(count), "$facility": f"'{facility}'", "$recipient": f"'{recipient}'"}
    statements = CASES
    for name, value in values.items():
        statements = statements.replace(name, value)
    await desk.execute(statements)


# What of a row is its own: everything else is the pattern's.
OWN: dict[type[Any], dict[str, str]] = {
    Case: {"id": "f.case_id", "number": "'S-' || f.n", "circle": "f.circle"},
    Referral: {
        "id": "f.referral", "case_id": "f.case_id", "incident_id": "NULL", "consent_id": "f.consent", "issued_event_id": "f.event",
        "sent_at": "NULL", "delivered_at": "NULL",
        "said": "p.said || jsonb_build_object('circle', f.circle, 'pairwise_code', f.pairwise)",
    },
    ReferralFact: {"referral_id": "f.referral", "event_id": "f.event"},
    Activity: {"subject": "f.referral", "case_id": "f.case_id", "event_id": "f.event"},
    OutboxRow: {
        "event_id": "f.event", "subject": "f.referral", "lane_key": "f.circle", "consent_id": "f.consent", "after": "NULL",
        "incarnation": "NULL", "seq": "NULL", "leaf": "NULL", "root_after": "NULL", '"inner"': "NULL", "is_due": "false",
        "sent_at": "NULL", "delivered_at": "NULL",
        "data": "p.data || jsonb_build_object('circle', f.circle, 'pairwise_code', f.pairwise)",
    },
}  # fmt: skip
ISSUED = "type = 'referral.issued'"
PATTERNS = {
    Case: "id IN (SELECT case_id FROM casework_referrals)",
    Referral: "true",
    ReferralFact: ISSUED,
    OutboxRow: ISSUED,
}


def copy_of(table: type[Any], where: str, own: Mapping[str, str], fresh: str = "fresh") -> str:
    """An INSERT of one copy of a pattern row for each row of `fresh`, with its own values where `own` gives an expression."""
    columns = [column.name for column in table.__table__.columns if column.identity is None]
    names = [f'"{name}"' if name == "inner" else name for name in columns]
    values = [own.get(name, f"p.{name}") for name in names]
    source = f"(SELECT * FROM {table.__tablename__} WHERE {where} LIMIT 1) AS p, {fresh} AS f"
    return f"INSERT INTO {table.__tablename__} ({', '.join(names)}) SELECT {', '.join(values)} FROM {source}"


FRESH_REFERRALS = """
    CREATE TEMPORARY TABLE fresh AS
    SELECT gen_random_uuid() AS case_id, gen_random_uuid() AS referral, gen_random_uuid() AS circle, gen_random_uuid() AS event,
        gen_random_uuid() AS consent, gen_random_uuid() AS pairwise, n FROM generate_series(1, {count}) AS n
"""


async def issue_many(desk: Any, count: int) -> None:
    """Referrals that were issued and not numbered yet, each on a case of its own."""
    await desk.execute(FRESH_REFERRALS.format(count=count))
    for table, where in PATTERNS.items():
        await desk.execute(copy_of(table, where, OWN[table]))
    await desk.execute("DROP TABLE fresh; ANALYZE")
