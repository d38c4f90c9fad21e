"""`refnet verify AGENCY`: the agency's database counted again, against its anchor, its own signatures and its peers'; and
`refnet bundle`: a case's custody bundle, written for a court."""

from collections.abc import Callable
from pathlib import Path

from services.runtime import build, check_database
from services.settings import Settings
from shared.casework.accounts.credentials import is_pin
from shared.casework.cases.custody import export_bundle, supervisor_named
from shared.casework.exports.commands import NoKey, Wish
from shared.casework.here import Forbidden
from shared.casework.inside import INSIDE
from shared.exchange.anchor import Anchor
from shared.exchange.counting import Verdict
from shared.exchange.directories import recall_lines
from shared.exchange.verify import verify
from shared.kit.errors import RefnetError
from shared.kit.files import check_new, write_new


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


async def write_bundle(settings: Settings, agency_id: str, case: str, by: str, pin: str, wish: Wish, file: Path) -> int:
    """Writes the bundle, encrypted, and returns its size in bytes; `pin` shows that it is by's own hand. Raises RefnetError."""
    check_new(file)
    agency = build(settings, agency_id)
    seal = settings.seal(agency_id, agency.here.network)
    try:
        await check_database(agency)
        async with agency.database.read() as tx:
            account = await supervisor_named(tx, by)
        if not await is_pin(account.pin_hash, pin, account.id):
            raise Forbidden("That is not the PIN of “%(name)s”, or there is none yet: it is chosen on the pages.", name=by)
        await recall_lines(agency.database, seal)
        async with agency.database.write() as tx:
            data = await export_bundle(tx, agency.here, seal, case, by, wish)
            try:
                write_new(file, data)
            except OSError as error:
                raise RefnetError(f"{file} cannot be written ({error.strerror}); name another file.") from error
    except NoKey as error:
        raise RefnetError(
            "This is no public key of age; it begins with age1, and whoever shall read the file gives it to you."
        ) from error
    finally:
        await agency.database.close()
    return len(data)
