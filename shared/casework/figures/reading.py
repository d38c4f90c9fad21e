"""How records are read to be counted: a page at a time, sealed words opened one by one, without whoever has said no to that.
Nothing here opens a case: nobody is shown one, and no look is kept."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlmodel import col

from shared.casework.cases.tables import Case
from shared.kit.db import Transaction
from shared.kit.sealed import as_it_lies, sealed_columns

ROWS = 500  # read at once: opening what they say takes some 10 ms, and others wait no longer for their pages
COUNTED = ~col(Case.not_counted)  # `stat`: asked on the page on which she says who may know


async def rows(tx: Transaction, query: Select[Any], key: Any) -> AsyncIterator[Any]:
    """The rows of a query, read a page at a time, by their key, which stands first."""
    async for page in pages(tx, query, key):
        for row in page:
            yield row


async def pages(tx: Transaction, query: Select[Any], key: Any) -> AsyncIterator[Sequence[Any]]:
    """The same by pages, for what is asked about many rows at once."""
    last: Any = None
    while True:
        page = query.where(key > last) if last is not None else query
        found = (await tx.session.execute(page.order_by(key).limit(ROWS))).all()
        yield found
        if len(found) < ROWS:
            return
        last = found[-1][0]


def of_counted(table: Any, *columns: Any) -> Select[Any]:
    """Columns of a table whose rows are about cases, without those that are not counted."""
    return select(*columns).select_from(table).join(Case, col(Case.id) == table.case_id).where(COUNTED)


def sealed(table: Any, *names: str) -> list[Any]:
    """Sealed columns for such a query, unopened."""
    return [as_it_lies(getattr(table, name)) for name in names]


def said(tx: Transaction, table: Any, row: Any, name: str) -> Any:
    """What a sealed column of a row says; None where it was erased."""
    return sealed_columns(table)[name].read(getattr(row, name), tx.keys)
