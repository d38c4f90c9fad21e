"""Routes: the medical certificates of a case."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.health.certificates import commands
from services.health.certificates.commands import GiveCertificate, IssueCertificate
from services.health.certificates.tables import MedicalCertificate
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["health"])


class CertificateView(OfACase):
    """That one was issued; what it says is on paper."""

    look: ClassVar[str] = "medical_certificate"

    id: UUID
    case_id: UUID
    number: str | None
    post: str
    name: str | None
    copy_kept: bool
    issued_at: datetime
    given_at: datetime | None


def _view(row: MedicalCertificate) -> CertificateView:
    return CertificateView.model_validate(row.model_dump())


@router.post("/cases/{case_id}/medical-certificates", status_code=201, response_model=CertificateView)
async def post_certificate(
    case_id: UUID, body: IssueCertificate, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """One was issued."""

    async def work(tx: Transaction) -> CertificateView:
        return _view(await commands.issue(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/cases/{case_id}/medical-certificates")
async def get_certificates(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """The certificates of a case."""
    by.may_work()
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, "medical_certificate")
        return Page(items=[_view(row) for row in await commands.certificates_of(tx, case.id)])


@router.post("/medical-certificates/{medical_certificate_id}/given", response_model=CertificateView)
async def post_given(
    medical_certificate_id: UUID, body: GiveCertificate, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """It was given into her hand."""

    async def work(tx: Transaction) -> CertificateView:
        return _view(await commands.give(medical_certificate_id, body, tx, by))

    return await command(request, edge, by, work, key=key)
