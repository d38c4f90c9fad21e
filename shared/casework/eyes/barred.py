"""Whom a case may never be shown: an officer who is named in it, a relative, a neighbour.

Each account holds its own list, sealed, and all are written anew whenever one of them changes: whoever reads the table cannot tell
who is barred from anything, and nobody is shown a list.
"""

from uuid import UUID

from sqlalchemy import delete, select
from sqlmodel import col

from shared.casework.accounts.barred import BARRED_MAX, kept, never_of
from shared.casework.accounts.tables import Account, KeptAnswer
from shared.casework.here import Actor
from shared.kit.db import Transaction
from shared.kit.errors import Conflict


async def bar(tx: Transaction, account: Account, case_id: UUID, by: Actor, *, is_barred: bool = True) -> None:
    """From now on an account never sees a case, or may see it again. The answer is the same whether it was so before: a list cannot
    be read by trying. Raises Conflict."""
    by.may_supervise()
    if account.id == by.account_id:
        raise Conflict("Nobody keeps a case from herself, or lets herself see it again; another supervisor does.")
    query = select(Account).order_by(col(Account.id)).with_for_update()
    for one in (await tx.session.execute(query.execution_options(populate_existing=True))).scalars():
        never = never_of(one.never)
        if one.id == account.id:
            never = never | {case_id} if is_barred else never - {case_id}
        if len(never) > BARRED_MAX:
            raise Conflict("This account is kept from too many cases to work here; disable it.")
        one.never = kept(never)
    # A request that she repeats is looked at anew: what it was answered before may tell of the case.
    await tx.session.execute(delete(KeptAnswer).where(col(KeptAnswer.account_id) == account.id))
    await tx.session.flush()
