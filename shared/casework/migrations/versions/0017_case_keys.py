"""What is about a person lies sealed under the key of her case: rows that are there are sealed here."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.sealing import ROWS, Column, give_names, seal
from shared.contracts.wire.envelope import Event, Kind, unframe
from shared.kit.columns import UtcDateTime, json_column

revision = "0017_case_keys"
down_revision = "0016_known_lines"
branch_labels = None
depends_on = None

ID = [("id", sa.Uuid())]
POSITION = [("position", sa.BigInteger())]
TIME, TEXT, BYTES, FLAG = UtcDateTime(), sa.String(), sa.LargeBinary(), sa.Boolean()


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "exchange_keystore",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("keystore", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _keys_of_cases()
    said = json_column()
    parts: list[Column] = [(name, said, "json") for name in ("needs", "child", "safety", "relay", "dependants")]
    seal("casework_cases", ID, [*parts, ("came_with", TEXT, "json")], "t.id")
    seal(
        "casework_incidents", ID,
        [("incident_type", TEXT, "json"), ("contexts", said, "json"), ("earliest_at", TIME, "time"), ("latest_at", TIME, "time"),
         ("given", said, "json"), ("urgent_mental_health", FLAG, "json"), ("hurt_now", FLAG, "json")],
        "t.case_id", unchecked=["ck_casework_incidents_range"],
    )  # fmt: skip
    for table in ("casework_consents", "casework_refusals"):
        seal(table, ID, [("language", TEXT, "json")], "t.case_id")
    seal("casework_notes", ID, [("text", TEXT, "json")], "t.case_id")
    seal("casework_referrals", ID, [("said", said, "json"), ("arrival_code", TEXT, "json")], "t.case_id")
    of_referral = "JOIN casework_referrals AS r ON r.id = t.referral_id"
    seal("casework_referral_facts", POSITION, [("data", said, "json")], "r.case_id", join=of_referral)
    key = [("case_id", sa.Uuid()), ("page", TEXT)]
    seal("casework_drafted_referrals", key, [("answers", said, "json")], "t.case_id")
    seal("casework_walk_ins", ID, [("outcome", TEXT, "json")], "t.case_id")
    seal("casework_alarms", ID, [("resolution", TEXT, "json")], "t.case_id")
    seal("casework_messages", ID, [("code", TEXT, "json"), ("on_at", TIME, "time")], "t.case_id")
    key = [("account_id", sa.Uuid()), ("route", TEXT), ("key", TEXT)]
    seal("casework_idempotency", key, [("answer", BYTES, "bytes")], "t.account_id")
    seal("exchange_activity", POSITION, [("detail", said, "json")], "t.case_id")
    seal("exchange_outbox", POSITION, [("data", said, "json"), ("inner", BYTES, "bytes")], "t.lane_key")
    key = [("sender", TEXT), ("event_id", sa.Uuid())]
    seal("exchange_inbox", key, [("inner", BYTES, "bytes")], "t.subject")
    seal("exchange_forks", ID, [("inner", BYTES, "bytes")], "NULL", derive=_subject)
    for table, column in (("casework_idempotency", "answer"), ("exchange_forks", "inner")):
        with op.batch_alter_table(table, schema=None) as batch:
            batch.alter_column(column, existing_type=sa.LargeBinary(), nullable=True)


def _keys_of_cases() -> None:
    """One key for all that a case is called: its own id, her circle's, and those of its referrals."""
    connection, last = op.get_bind(), UUID(int=0)
    cases = sa.table("casework_cases", sa.column("id", sa.Uuid()), sa.column("circle", sa.Uuid()))
    query = sa.select(cases).where(cases.c.id > sa.bindparam("last", type_=sa.Uuid())).order_by(cases.c.id).limit(ROWS)
    referrals = sa.table("casework_referrals", sa.column("id", sa.Uuid()), sa.column("case_id", sa.Uuid()))
    while rows := connection.execute(query, {"last": last}).all():
        names: dict[UUID, list[UUID]] = {row.id: [row.id, row.circle] for row in rows}
        theirs = sa.select(referrals).where(referrals.c.case_id.in_(names))
        for row in connection.execute(theirs).all():
            names[row.case_id].append(row.id)
        give_names(names.values())
        last = rows[-1].id


def _subject(row: Any) -> UUID | None:
    """What a fork's event is about; None of a statement."""
    signed = unframe(row.inner)
    return Event.model_validate_json(signed.content).subject if signed.header.kind is Kind.EVENT else None
