"""Evidence against another agency leaves encrypted, for a supervisor of the whole agency alone, and it is kept that it left."""

import hashlib
from pathlib import Path

import pyrage
import pytest
from agencies import World, consent, refer
from sqlalchemy import select
from sqlmodel import col

from shared.casework.cases.custody import export_evidence
from shared.casework.exports.commands import Wish
from shared.casework.exports.domain import Purpose
from shared.casework.exports.tables import Export
from shared.casework.here import Forbidden
from shared.contracts.casework.codes import Role
from shared.contracts.wire.envelope import Header, unframe
from shared.exchange.evidence import check_evidence_file
from shared.exchange.tables import OutboxRow
from shared.kit.errors import RefnetError


async def test_a_second_word_of_the_desks_is_handed_to_whoever_shall_judge(world: World, tmp_path: Path) -> None:
    desk, clinic = world["police"], world["health"]
    officer = await desk.sign_in("officer")
    case = await officer.post("/cases")
    await consent(officer, case["id"], "health")
    times = {"earliest_at": "2026-01-04T12:00:00Z", "latest_at": "2026-01-04T13:00:00Z"}
    incident = await officer.post(f"/cases/{case['id']}/incidents", {"incident_type": "rape", **times})
    await refer(officer, case["id"], incident["id"], "health")
    await world.settle()
    async with desk.database.read() as tx:
        said = select(OutboxRow).where(col(OutboxRow.recipient) == "health", col(OutboxRow.seq) == 1)
        first = (await tx.session.execute(said)).scalar_one()
    assert first.inner is not None
    inner = unframe(first.inner)
    header = Header(**{**inner.header.model_dump(), "salt": b"other" * 3 + b"!"})
    await clinic.hear("police", [desk.seal.seal(desk.seal.sign(header, inner.content), "health")])

    judge = pyrage.x25519.Identity.generate()
    wish = Wish(Purpose.COMPLAINT, "The desk asked what it had signed", str(judge.to_public()))
    await clinic.sign_in("nurse")
    await clinic.sign_in("of-one-place", Role.SUPERVISOR, "ndola_clinic")
    await clinic.sign_in("of-all", Role.SUPERVISOR)
    for name in ("nurse", "of-one-place"):
        with pytest.raises(Forbidden):
            async with clinic.database.write() as tx:
                await export_evidence(tx, clinic.here, clinic.seal, name, wish)
    async with clinic.database.write() as tx:
        data = await export_evidence(tx, clinic.here, clinic.seal, "of-all", wish)
    async with clinic.database.read() as tx:
        (export,) = (await tx.session.execute(select(Export))).scalars()
    assert (export.what, export.case_id, export.digest) == ("evidence", None, hashlib.sha256(data).hexdigest())
    assert first.type.encode() not in data

    file, key = tmp_path / "evidence", tmp_path / "judge.key"
    file.write_bytes(data)
    key.write_text(f"{judge}\n")
    with pytest.raises(RefnetError, match="name that person's age key"):
        check_evidence_file(file)
    check = check_evidence_file(file, key)
    assert check.is_good, check.words
    assert "it signed two words for one place, and cannot have meant both" in check.words
    assert "handed out by of-all" in check.words
    await desk.sign_in("chief", Role.SUPERVISOR)
    with pytest.raises(RefnetError, match="nothing to show"):
        async with desk.database.write() as tx:
            await export_evidence(tx, desk.here, desk.seal, "chief", wish)
