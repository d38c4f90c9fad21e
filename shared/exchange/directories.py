"""Peers' directories of keys on their way: by letter over the broker, by question over the direct line, kept in the database.

A line needs no trust in whoever brings it: the root that was pinned in person has signed it. That a line is told as its digest only
does (`Seal.vouched`). What a letter tells is kept before it
is learnt, also where this process knows it: another of the agency may not.
"""

import contextlib
from collections import defaultdict
from collections.abc import Mapping
from itertools import takewhile

from pydantic import ValidationError
from sqlalchemy import delete, select, update
from sqlmodel import col

from shared.contracts.wire.directory import TOLD_MAX, Lines, Told
from shared.contracts.wire.envelope import Inner, Unopenable
from shared.exchange.seal import Seal
from shared.exchange.tables import DirectoryLine, MissingSlot, UnopenableRecord
from shared.kit.bulk import insert_many
from shared.kit.db import Database


async def take_lines(database: Database, seal: Seal, sender: str, content: bytes, letter: Inner | None = None) -> int:
    """Takes lines of `sender`'s own directory in and returns how many were new; raises Unopenable or DatabaseAway.

    `letter`: the one that brought them, which anybody may have sealed; without one the sender itself has told them.
    Where any was not kept here yet, what could not be verified without them is asked for again at once.
    """
    if not content:
        return 0
    try:
        told = Lines.model_validate_json(content)
    except ValidationError as error:
        raise Unopenable("its content is no lines of a directory") from error
    if told.agency != sender:
        raise Unopenable("it is another's directory")
    told = seal.vouched(told, letter) if letter is not None else told
    lines, known = seal.verified(told), seal.knows(sender)
    async with database.write() as tx:
        ours = col(DirectoryLine.agency) == sender
        stretch = col(DirectoryLine.number).between(told.first, told.first + len(lines) - 1)
        found = (await tx.session.execute(select(DirectoryLine).where(ours, stretch))).scalars()
        kept = {row.number: (row.signed, row.digest) for row in found}
        differ = [n for n, line in enumerate(lines, told.first) if n in kept and kept[n] != (line.signed, line.digest)]
        if differ:  # they were a former root's, or say as a digest what is told in full now; what follows on them is told again
            await tx.session.execute(delete(DirectoryLine).where(ours, col(DirectoryLine.number) >= differ[0]))
        rows = [
            {"agency": sender, "number": number, "signed": line.signed, "digest": line.digest, "heard_at": tx.clock.now()}
            for number, line in enumerate(lines, told.first)
            if number not in kept or (differ and number >= differ[0])
        ]
        await insert_many(tx, DirectoryLine, rows, absent_only=True)
        if rows:
            # What could not be opened so far tells nothing of what can be opened now.
            await tx.session.execute(delete(MissingSlot).where(col(MissingSlot.sender) == sender))
            await tx.session.execute(update(UnopenableRecord).where(col(UnopenableRecord.sender) == sender).values(is_settled=True))
    await recall_lines(database, seal)
    return seal.knows(sender) - known


async def recall_lines(database: Database, seal: Seal) -> None:
    """Gives the seal what letters to this agency's processes have told; lines that do not follow on its files are left out."""
    async with database.read() as tx:
        query = select(DirectoryLine).order_by(col(DirectoryLine.agency), col(DirectoryLine.number))
        rows = list((await tx.session.execute(query)).scalars())
    kept: dict[str, dict[int, Told]] = defaultdict(dict)
    for row in rows:
        kept[row.agency][row.number] = Told(signed=row.signed, digest=row.digest)
    for agency, lines in kept.items():
        with contextlib.suppress(Unopenable):  # a former root's, or an agency's that has left; nobody else's wait for that
            for number in sorted(n for n in lines if n <= seal.knows(agency)):  # known as its digest, it may have come in full
                seal.learn(Lines(agency=agency, first=number, lines=(lines[number],)))
            while seal.learn(_next(agency, lines, seal.knows(agency) + 1)):
                pass


def _next(agency: str, kept: Mapping[int, Told], first: int) -> Lines:
    """What one letter holds of the lines from a number on, without a gap."""
    following = takewhile(kept.__contains__, range(first, first + TOLD_MAX))
    return Lines(agency=agency, first=first, lines=tuple(kept[number] for number in following))
