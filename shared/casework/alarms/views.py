"""Alarms as posts see them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import ColumnElement
from sqlmodel import col

from shared.casework.alarms.commands import LINE_TROUBLES
from shared.casework.alarms.tables import Alarm
from shared.casework.here import Actor
from shared.casework.timeline.views import page_by_opening
from shared.contracts.casework.codes import Role
from shared.kit.db import Transaction


class AlarmView(BaseModel):
    """An alarm: what, about what, to which post, and how far up the ladder."""

    id: UUID
    kind: str
    about: UUID
    case_id: UUID | None
    facility: str
    post: str
    level: int
    is_acute: bool
    detail: dict[str, Any]
    raised_at: datetime
    climbs_at: datetime | None
    taken_at: datetime | None
    resolved_at: datetime | None


def alarm_view(alarm: Alarm) -> AlarmView:
    """An alarm as it is shown."""
    return AlarmView.model_validate(alarm.model_dump(include=set(AlarmView.model_fields)))


async def alarms_page(
    tx: Transaction, by: Actor, cursor: str | None, limit: int, *, is_open: bool
) -> tuple[list[AlarmView], str | None]:
    """The alarms that the account may see, newest first."""
    conditions: list[ColumnElement[bool]] = []
    if by.role is Role.ADMINISTRATOR:
        conditions.append(col(Alarm.kind).in_(LINE_TROUBLES))
    elif by.role is not Role.SUPERVISOR:
        conditions.append(col(Alarm.kind).not_in(LINE_TROUBLES))
    if by.facility is not None:
        conditions.append(col(Alarm.facility).in_(by.desks))
    if is_open:
        conditions.append(col(Alarm.resolved_at).is_(None))
    rows, following = await page_by_opening(tx, Alarm, "alarm.raised", cursor, limit, *conditions)
    return [alarm_view(row) for row in rows], following
