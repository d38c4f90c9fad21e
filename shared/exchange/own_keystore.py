"""Whether the keystore that is here has the keys that the database needs: tied once, looked at whenever a process is asked."""

from sqlalchemy import inspect, select
from sqlmodel import col

from shared.exchange.outbox import insert_if_absent
from shared.exchange.tables import Activity, KeystoreOfThis
from shared.kit.db import MACHINE, Database, Transaction
from shared.kit.keystore import KeystoreAway


async def tie(tx: Transaction) -> None:
    """A database that names no keystore yet names the one that is here. Raises KeystoreAway."""
    await tx.session.execute(insert_if_absent(tx, KeystoreOfThis), [{"id": 1, "keystore": tx.keys.id}])


async def is_named(database: Database) -> bool:
    """Whether a database names its keystore, which must not be made anew then; one of an earlier version does not."""
    async with database.read() as tx:
        connection = await tx.session.connection()
        if not await connection.run_sync(lambda c: inspect(c).has_table(str(KeystoreOfThis.__tablename__))):
            return False
        return (await tx.session.execute(select(col(KeystoreOfThis.id)))).first() is not None


async def trouble(tx: Transaction) -> str | None:
    """What is wrong with the keystore, in one sentence that says what to do; None where it fits. It opens what was written last."""
    keys = tx.keys
    try:
        tied = (await tx.session.execute(select(col(KeystoreOfThis.keystore)))).scalar_one_or_none()
        if tied is not None and tied != keys.id:
            return f"The keystore {keys.file} belongs to another database; restore the one of this with `refnet restore --keys`."
        await _open_newest(tx)
    except KeystoreAway as error:
        return str(error)
    return None


async def _open_newest(tx: Transaction) -> None:
    await tx.tell(MACHINE)  # nobody who asks whether this process is ready is shown a line
    newest = select(col(Activity.detail)).order_by(col(Activity.position).desc()).limit(1)
    await tx.session.execute(newest)
