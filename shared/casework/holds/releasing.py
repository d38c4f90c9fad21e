"""What a hold had kept back is destroyed once it is lifted: not before that is committed, and again where a process died then."""

import contextlib
import logging
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import defer
from sqlmodel import col

from shared.casework.consents.handlers import destroy_copy
from shared.casework.here import Here
from shared.casework.holds.commands import add_to_holds, is_held
from shared.casework.holds.tables import HeldCopy, Hold
from shared.exchange import outbox
from shared.kit.db import Database
from shared.kit.errors import DatabaseAway
from shared.kit.keystore import CANNOT_OPEN, KeyHeld

log = logging.getLogger(__name__)


async def destroy_released(database: Database, here: Here, case_id: UUID | None = None) -> int:
    """Destroys the copies that no hold in force keeps back any more, of one case or of all; how many. Each in a transaction of its
    own, which asks again under the locks that placing a hold takes. What one kept is not opened for it; one that fails all the
    same, because a key that it needs is not here, is said in the log and keeps no other from going. Raises DatabaseAway."""
    async with database.read() as tx:
        if case_id is None:
            await add_to_holds(tx)  # a process may have died before the keystore let go of what the records did
        is_kept = exists().where(col(Hold.case_id) == col(HeldCopy.case_id), col(Hold.lifted_at).is_(None))
        query = select(HeldCopy.sender, HeldCopy.consent_id, HeldCopy.circle).where(~is_kept)  # type: ignore[call-overload]
        if case_id is not None:
            query = query.where(col(HeldCopy.case_id) == case_id)
        released = (await tx.session.execute(query.order_by(col(HeldCopy.consent_id)))).all()
    count = 0
    for sender, consent_id, circle in released:
        try:
            async with database.write() as tx:
                await outbox.lock_subjects(tx, [consent_id, circle])
                copy = await tx.session.get(HeldCopy, (sender, consent_id), populate_existing=True, options=[defer(HeldCopy.kept)])  # type: ignore[arg-type]
                if copy is not None and not await is_held(tx, copy.case_id):
                    await destroy_copy(tx, here, copy)
                    count += 1
        except KeyHeld:  # another hold, which only the keystore remembers yet
            pass
        except CANNOT_OPEN as error:
            log.warning("held_copy_not_destroyed", extra={"consent": str(consent_id), "because": type(error).__name__})
    return count


async def destroy_soon(database: Database, here: Here, case_id: UUID) -> None:
    """The same, for whoever has just lifted a hold: what fails now the worker does within a minute."""
    with contextlib.suppress(DatabaseAway):
        await destroy_released(database, here, case_id)
