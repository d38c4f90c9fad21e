"""Recounting what is done inside: the rows that the log is over, its leaves and roots, and what peers signed of it unread."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from shared.contracts.wire.merkle import Frontier, completed, leaf_of
from shared.exchange.counting import INSIDE, PAGE, Counting, Signed, rows_words
from shared.exchange.inside import ABANDONED, Source, content_of, ended_logs
from shared.exchange.tables import InsideHead, InsideRow, InsideSignature


class InsideCount(Counting):
    """The log of each life of the database."""

    async def inside(self, sources: Sequence[Source]) -> None:
        """The log of what is done inside: the rows that it is over, its leaves and roots, and what peers signed of it unread."""
        by_name = {source.name: source for source in sources}
        heads = {head.incarnation: head for head in await self._all(select(InsideHead))}
        lives = set((await self._tx.session.execute(select(col(InsideRow.incarnation)).distinct())).scalars())
        signed = set((await self._tx.session.execute(select(col(InsideSignature.incarnation)).distinct())).scalars())
        for life in sorted({*heads, *lives, *signed}):
            await self._inside_life(heads.get(life) or InsideHead(incarnation=life), by_name)
        for source in sources:
            await self._added_rows(source, sorted(lives))

    async def _inside_life(self, head: InsideHead, sources: dict[str, Source]) -> None:
        name, life, last, frontier = f"{INSIDE} {head.incarnation}", head.incarnation, 0, Frontier()
        self.verdict.streams += 1
        signed = await self._cosigned(name, head)
        while True:
            query = select(InsideRow).where(col(InsideRow.incarnation) == life, col(InsideRow.seq) > last)
            page = await self._all(query.order_by(col(InsideRow.seq)).limit(PAGE))
            contents = await self._contents(page, sources)
            for row in page:
                while signed and signed[0].upto < row.seq:
                    self._compare_cosigned(name, signed.pop(0), frontier)
                if row.seq > last + 1:
                    self.verdict.add("exchange_inside", name, last + 1, f"{rows_words(last + 1, row.seq - 1)} deleted.")
                frontier, last = self._inside_row(name, row, contents.get((row.source, row.row_key)), frontier), row.seq
            self._counted(len(page))
            self._tx.session.expunge_all()
            if len(page) < PAGE:
                break
        for one in signed:
            self._compare_cosigned(name, one, frontier)
        if last < head.size:
            self.verdict.add("exchange_inside", name, last + 1, f"{rows_words(last + 1, head.size)} deleted.")
        if (frontier.size, frontier.to_bytes()) != (head.size, head.frontier):
            words = f"the head is over {head.size} leaves, and they are not the {frontier.size} that are here."
            self.verdict.add("exchange_inside_heads", name, head.size, words)

    def _inside_row(self, name: str, row: InsideRow, content: bytes | None, frontier: Frontier) -> Frontier:
        if content is None:
            self.verdict.add(row.source, name, row.seq, f"the row {row.row_key} was deleted.")
        elif leaf_of(content, row.salt) != row.leaf:
            self.verdict.add(
                row.source, name, row.seq, f"the row {row.row_key} is not what was logged: it, or its leaf, was changed."
            )
        frontier, made = completed(frontier, row.leaf)
        if b"".join(root for _, root in made[1:]) != row.nodes:
            self.verdict.add(
                "exchange_inside", name, row.seq, "its roots do not follow from the leaves: it, or one before, was changed."
            )
        return frontier

    async def _contents(self, page: Sequence[InsideRow], sources: dict[str, Source]) -> dict[tuple[str, str], bytes]:
        """What the rows that a page of leaves is over say now."""
        found: dict[tuple[str, str], bytes] = {}
        for row in page:
            if row.source == ABANDONED:
                ended = await ended_logs(self._tx, row.incarnation)
                found[row.source, row.row_key] = content_of(ABANDONED, {"ended": ended})
        for name, source in sources.items():
            keys = [UUID(row.row_key) for row in page if row.source == name]
            for kept in await self._all(select(source.table).where(source.key.in_(keys))) if keys else ():
                found[name, str(getattr(kept, source.columns[0]))] = source.content(kept)
        return found

    async def _cosigned(self, name: str, head: InsideHead) -> list[Signed]:
        found = []
        for row in await self._all(select(InsideSignature).where(col(InsideSignature.incarnation) == head.incarnation)):
            kept = (row.incarnation, row.size, row.root, row.signed)
            said = self._signed_for("exchange_inside_signatures", name, row.peer, kept, lambda one: one.cosigned)
            if said is not None:
                found.append(Signed(row.peer, said.size, said.root))
        return sorted(found, key=lambda one: one.upto)

    def _compare_cosigned(self, name: str, signed: Signed, frontier: Frontier) -> None:
        if frontier.size != signed.upto or frontier.root() != signed.root:
            words = f"{signed.peer} signed another log up to here; a row up to here was changed, deleted or swapped since."
            self.verdict.add("exchange_inside", name, signed.upto, words)

    async def _added_rows(self, source: Source, lives: Sequence[UUID]) -> None:
        """Rows that say that they have a leaf and have none."""
        key, place, above = source.key, source.table.inside_seq, None  # type: ignore[attr-defined]
        while True:
            here = select(key, place).where(place.is_not(None)).order_by(key).limit(PAGE)
            page = (await self._tx.session.execute(here if above is None else here.where(key > above))).tuples().all()
            leaves = select(col(InsideRow.row_key)).where(
                col(InsideRow.incarnation).in_(lives), col(InsideRow.seq).in_({seq for _, seq in page}),
                col(InsideRow.source) == source.name,
            )  # fmt: skip
            known = set((await self._tx.session.execute(leaves)).scalars()) if page else set()
            for id_, seq in page:
                if str(id_) not in known:
                    self.verdict.add(
                        source.name, INSIDE, seq, f"the row {id_} says that it was logged here, and was not: it was added."
                    )
            if len(page) < PAGE:
                return
            above = page[-1][0]
