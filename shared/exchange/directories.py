"""Peers' directories of keys on their way: by letter over the broker, by question over the direct line, kept in the database.

A line needs no trust in whoever brings it: the root that was pinned in person has signed it. What a letter tells is kept before it
is learnt, also where this process knows it: another of the agency may not.
"""

from collections import defaultdict

from pydantic import ValidationError
from sqlalchemy import delete, select, update
from sqlmodel import col

from shared.contracts.wire.directory import Lines, Told
from shared.contracts.wire.envelope import Unopenable
from shared.exchange.seal import Seal
from shared.exchange.tables import DirectoryLine, MissingSlot, UnopenableRecord
from shared.kit.bulk import insert_many
from shared.kit.db import Database


async def take_lines(database: Database, seal: Seal, sender: str, content: bytes) -> int:
    """Takes lines of `sender`'s own directory in and returns how many were new; raises Unopenable or DatabaseAway.

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
    lines, known = seal.verified(told), seal.knows(sender)
    async with database.write() as tx:
        numbers = select(col(DirectoryLine.number)).where(
            col(DirectoryLine.agency) == sender, col(DirectoryLine.number).between(told.first, told.first + len(lines) - 1)
        )
        kept = set((await tx.session.execute(numbers)).scalars())
        rows = [
            {"agency": sender, "number": number, "signed": line.signed, "digest": line.digest, "heard_at": tx.clock.now()}
            for number, line in enumerate(lines, told.first)
            if number not in kept
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
    kept: dict[str, list[DirectoryLine]] = defaultdict(list)
    for row in rows:
        if row.number > seal.knows(row.agency):
            kept[row.agency].append(row)
    for agency, lines in kept.items():
        for line in lines:
            if line.number != seal.knows(agency) + 1:
                break
            seal.learn(Lines(agency=agency, first=line.number, lines=(Told(signed=line.signed, digest=line.digest),)))
