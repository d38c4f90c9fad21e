"""Routes: the plan of a case with its versions, her answers, its steps, and its end."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.social_welfare.plans import commands
from services.social_welfare.plans.commands import AnswerVersion, ClosePlan, MarkStep, Whole, WriteVersion
from services.social_welfare.plans.domain import states
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["social welfare"])


class VersionView(Body):
    """A version: what it says, what it changed, and what she said of it."""

    number: int
    content: dict[str, Any] | None
    changed: list[str] | None
    written_at: datetime
    written_by: UUID
    answer: dict[str, Any] | None
    answered_at: datetime | None


class PlanView(OfACase):
    """A plan. `in_force` is the number of the newest version that she agreed to."""

    look: ClassVar[str] = "plan"

    id: UUID
    case_id: UUID
    state: str
    in_force: int | None
    open_steps: list[str]
    steps: dict[str, str]
    versions: list[VersionView]
    closing: dict[str, Any] | None


def _view(whole: Whole) -> PlanView:
    versions = []
    for one in whole.versions:
        answer = whole.answers.get(one.id)
        versions.append(
            VersionView(
                number=one.number, content=one.content, changed=one.changed, written_at=one.recorded_at, written_by=one.recorded_by,
                answer=answer.said if answer else None, answered_at=answer.occurred_at if answer else None,
            )
        )  # fmt: skip
    force, plan = whole.in_force, whole.plan
    stand = states(((force or whole.last).content or {}).get("steps", []), whole.marks)
    return PlanView(
        id=plan.id, case_id=plan.case_id, state=plan.state, in_force=force.number if force else None, open_steps=whole.open_steps,
        steps={id_: str(state) for id_, state in stand.items()}, versions=versions, closing=plan.closing,
    )  # fmt: skip


@router.get("/cases/{case_id}/plans")
async def get_plans(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """Every plan of a case, the newest first."""
    by.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, "plan")
        return Page(items=[_view(whole) for whole in await commands.plans_of(tx, case.id)])


@router.post("/cases/{case_id}/plan", status_code=201, response_model=PlanView)
async def post_version(
    case_id: UUID, body: WriteVersion, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Writes a version; the first one opens the plan."""

    async def work(tx: Transaction) -> PlanView:
        return _view(await commands.write_version(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/cases/{case_id}/plan/answer", response_model=PlanView)
async def post_answer(
    case_id: UUID, body: AnswerVersion, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Keeps what she says of the newest version, and how."""

    async def work(tx: Transaction) -> PlanView:
        return _view(await commands.answer_version(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.post("/cases/{case_id}/plan/steps", response_model=PlanView)
async def post_step(
    case_id: UUID, body: MarkStep, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Says what became of a step."""

    async def work(tx: Transaction) -> PlanView:
        return _view(await commands.mark_step(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.post("/cases/{case_id}/plan/close", response_model=PlanView)
async def post_close(
    case_id: UUID, body: ClosePlan, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Closes the plan; each open step is asked about. The case stays open."""

    async def work(tx: Transaction) -> PlanView:
        return _view(await commands.close_plan(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)
