"""What every part of a recount uses: findings, pages of rows, and statements of peers that are kept as evidence."""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from sqlmodel import SQLModel

from shared.contracts.wire.envelope import Unopenable
from shared.contracts.wire.statements import Cosigned, Head, Receipt, Statement
from shared.exchange.seal import Seal
from shared.kit.db import Transaction
from shared.kit.keystore import ValueNotOpened
from shared.kit.sealed import sealed_columns

PAGE = 500  # rows read at once, with their words: half a megabyte, of the largest events 32 MB
FINDINGS_MAX = 1_000  # named one by one; whoever changed more has left no doubt
INSIDE = "inside"

Progress = Callable[[int], None]
Said = TypeVar("Said", Head, Receipt, Cosigned)


@dataclass(frozen=True, slots=True)
class Finding:
    """A row that is not what was said, or is not there: its table, its stream, its place there, and what is wrong with it."""

    table: str
    stream: str
    position: int | None
    words: str

    def __str__(self) -> str:
        place = f", place {self.position}" if self.position is not None else ""
        return f"{self.table}, {self.stream}{place}: {self.words}"


@dataclass(slots=True)
class Verdict:
    """What a recount came to. `refused` are heads of peers that do not extend what they said before: theirs to explain."""

    agency: str
    findings: list[Finding] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    rows: int = 0
    streams: int = 0
    signatures: int = 0
    beyond: int = 0  # findings that are not named any more

    def add(self, table: str, stream: str, position: int | None, words: str) -> None:
        """One more finding."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(table, stream, position, words))
        else:
            self.beyond += 1

    @property
    def is_good(self) -> bool:
        """Whether every row is what its leaf, its roots and all signatures say."""
        return not self.findings

    @property
    def words(self) -> str:
        """For a terminal: what is wrong, then what was counted."""
        lines = [str(one) for one in self.findings]
        lines += [f"… and {self.beyond} more."] if self.beyond else []
        lines += [f"Refused: {one}" for one in self.refused]
        counted = f"{self.rows:,} rows of {self.streams} streams and {self.signatures} signatures of peers were counted again"
        found = "nothing was changed" if self.is_good else f"{len(self.findings) + self.beyond} things are not as they were signed"
        return "\n".join([*lines, f"{self.agency}: {counted}; {found}."])


@dataclass(frozen=True, slots=True)
class Signed:
    """A peer's signature under a stream up to a place; `own_root` is ours where it is not simply that of all rows up to there."""

    peer: str
    upto: int
    root: bytes
    own_root: bytes | None = None


def place_of(said: Head | Receipt | Cosigned) -> tuple[int, bytes]:
    """How far a part of a statement goes, and the root there."""
    return (said.upto if isinstance(said, Receipt) else said.size), said.root


def rows_words(first: int, last: int) -> str:
    return f"the row {first} was" if first == last else f"the rows {first} to {last} were"


class Counting:
    """A part of a recount."""

    def __init__(self, tx: Transaction, agency: str, seal: Seal, verdict: Verdict, progress: Progress) -> None:
        self._tx, self._agency, self._seal, self.verdict, self._progress = tx, agency, seal, verdict, progress

    async def _all(self, query: Any) -> list[Any]:
        return list((await self._tx.session.execute(query)).scalars())

    def _opened(self, table: type[SQLModel], name: str, held: Any) -> Any:
        """The value of a sealed column, `held` as it lies there; None where its key is gone. Raises Unopenable, KeystoreAway."""
        if held is None:
            return None
        if not isinstance(held, bytes):
            raise Unopenable("what lies there was never sealed")
        try:
            return sealed_columns(table)[name].read(held, self._tx.keys)
        except ValueNotOpened as error:
            raise Unopenable("what lies there is not what was sealed") from error

    def _counted(self, rows: int) -> None:
        self.verdict.rows += rows
        self._progress(self.verdict.rows)

    async def _paged(self, query: Callable[[int], Any]) -> AsyncIterator[Any]:
        """Rows of a stream in order, by pages; `query` takes the place above which to go on, a row's first column."""
        above = 0
        while True:
            page = (await self._tx.session.execute(query(above).limit(PAGE))).all()
            for row in page:
                yield row
            self._counted(len(page))
            if len(page) < PAGE:
                return
            above = int(page[-1][0])

    def _statement(self, table: str, name: str, position: int, raw: bytes, peer: str) -> Statement | None:
        """A statement of a peer's that is kept; None, and named, where it is not the peer's."""
        self.verdict.signatures += 1
        try:
            return Statement.of(self._seal.signed(raw, peer, self._agency))
        except Unopenable as error:
            self.verdict.add(table, name, position, f"what is kept as a signature of {peer}'s is none: {error}.")
            return None

    def _signed_for(
        self, table: str, name: str, peer: str, kept: tuple[UUID, int, bytes, bytes], part: Callable[[Statement], Iterable[Said]]
    ) -> Said | None:
        """What a kept signature of a peer's says of a life: `kept` is the life, the place and the root as they stand beside it, and
        the signed statement, `part` where in it that is said. Named where it is not the peer's, or says something else."""
        life, size, root, raw = kept
        statement = self._statement(table, name, size, raw, peer)
        if statement is None:
            return None
        said = next((one for one in part(statement) if one.incarnation == life), None)
        if said is None or place_of(said) != (size, root):
            self.verdict.add(table, name, size, f"{peer} signed something else than stands here.")
        return said
