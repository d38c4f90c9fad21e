"""`refnet verify AGENCY`: the agency's database counted again, against its anchor, its own signatures and its peers'; and
`refnet bundle` and `refnet evidence`: a case's custody bundle, and what other agencies cannot stand by, written for a court."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlmodel import col

from services.runtime import Agency, build, check_database
from services.settings import Settings
from shared.casework.accounts.credentials import is_pin
from shared.casework.accounts.tables import Attempt
from shared.casework.cases.custody import export_bundle, export_evidence, supervisor_named
from shared.casework.exports.commands import NoKey, Wish
from shared.casework.exports.domain import SENTENCE_CHARACTERS_MAX, SENTENCE_CHARACTERS_MIN
from shared.casework.here import Forbidden
from shared.casework.inside import INSIDE
from shared.exchange.anchor import Anchor
from shared.exchange.counting import Verdict
from shared.exchange.directories import recall_lines
from shared.exchange.verify import verify
from shared.kit.errors import RefnetError
from shared.kit.files import check_new, write_new
from shared.kit.ids import new_id

WRONG_PIN = "wrong PIN of a bundle"  # what the log of attempts says of it
WRONG_PINS_MAX, WRONG_PINS_IN = 5, timedelta(hours=1)  # as many as at a locked page; a PIN has a million


async def verify_now(settings: Settings, agency_id: str, progress: Callable[[int], None]) -> Verdict:
    """Recounts; the agency may be at work meanwhile. Raises RefnetError."""
    agency = build(settings, agency_id)
    seal = settings.seal(agency_id, agency.here.network)
    marks = Anchor(settings.anchor(agency_id)).read()
    try:
        await check_database(agency)
        await recall_lines(agency.database, seal)
        return await verify(
            agency.database, agency_id, seal, INSIDE, (marks.incarnation, marks.sizes) if marks is not None else None, progress
        )
    finally:
        await agency.database.close()


async def write_bundle(settings: Settings, agency_id: str, case: str | None, by: str, pin: str, wish: Wish, file: Path) -> int:
    """Writes the bundle of a case, or for no case the evidence against other agencies, encrypted, and returns its size in bytes;
    `pin` shows that it is by's own hand. Raises RefnetError."""
    check_new(file)
    if not SENTENCE_CHARACTERS_MIN <= len(wish.because) <= SENTENCE_CHARACTERS_MAX:
        raise RefnetError("Write in a sentence who asked for it and why; no name of a survivor.")
    agency = build(settings, agency_id)
    seal, is_written = settings.seal(agency_id, agency.here.network), False
    try:
        await check_database(agency)
        await _is_by_own_hand(agency, by, pin)
        await recall_lines(agency.database, seal)
        async with agency.database.write() as tx:
            if case is None:
                data = await export_evidence(tx, agency.here, seal, by, wish)
            else:
                data = await export_bundle(tx, agency.here, seal, case, by, wish)
            try:
                write_new(file, data)
            except OSError as error:
                raise RefnetError(f"{file} cannot be written ({error.strerror}); name another file.") from error
            is_written = True
    except NoKey as error:
        words = "This is no public key of age; it begins with age1, and whoever shall read the file gives it to you."
        raise RefnetError(words) from error
    except BaseException:
        if is_written:  # what was to be kept of it could not be: no such file leaves
            _take_away(file)
        raise
    finally:
        await agency.database.close()
    return len(data)


def _take_away(file: Path) -> None:
    file.unlink(missing_ok=True)


async def _is_by_own_hand(agency: Agency, by: str, pin: str) -> None:
    """Raises Forbidden. Wrong PINs are counted: the PIN opens the pages too."""
    async with agency.database.read() as tx:
        account, now = await supervisor_named(tx, by), tx.clock.now()
        mine = (col(Attempt.account_id) == account.id, col(Attempt.what) == WRONG_PIN, col(Attempt.tried_at) > now - WRONG_PINS_IN)
        wrong = (await tx.session.execute(select(func.count()).where(*mine))).scalar_one()
    if wrong >= WRONG_PINS_MAX:
        raise Forbidden("Too many wrong PINs of “%(name)s”; wait an hour.", name=by)
    if not await is_pin(account.pin_hash, pin, account.id):
        async with agency.database.write() as tx:
            tx.session.add(Attempt(id=new_id(), account_id=account.id, what=WRONG_PIN, about=account.id, tried_at=now))
        raise Forbidden("That is not the PIN of “%(name)s”, or there is none yet: it is chosen on the pages.", name=by)
