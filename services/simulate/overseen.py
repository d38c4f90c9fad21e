"""What an oversight body holds after a replay: counts, and nothing of any case. Its whole database is read, opened, and searched
for every id and number that the records of the others hold.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import inspect, select, text
from sqlmodel import SQLModel

from shared.kit.db import Database

A_UUID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")
NOBODY = UUID(int=0).hex
# Of the agencies' tables, what speaks of no case: the same words stand at the oversight body.
OF_NO_CASE = frozenset({"casework_protocols", "casework_adoptions", "casework_figure_releases", "casework_alarms"})
OF_ITSELF = frozenset({"casework_accounts", "casework_alarms", "casework_tokens", "casework_idempotency"})  # that have rows there
HEARD = frozenset({"protocol.adopted", "figures.released"})  # the only words that it has an ear for
SMALL = range(1, 10)  # counts that nobody may publish (domain guide, 5)

Tables = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Overseen:
    """What one holds. `told` are releases, and `numbers` the counts in them; `untold` names agencies that worked and told it
    nothing of the last quarter; `searched` is how many ids and numbers of the others were looked for, `found` what is there and
    no count."""

    agency: str
    told: int
    numbers: int
    untold: tuple[str, ...]
    searched: int
    found: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether it was told, by everybody who worked, and holds counts only."""
        return bool(self.numbers) and bool(self.searched) and not self.untold and not self.found


async def tables_of(database: Database, *prefixes: str) -> Tables:
    """Every row of each table whose name begins so, opened with the keys that are there; of all tables where nothing is said."""
    found: dict[str, list[dict[str, Any]]] = {}
    async with database.read() as tx:
        names = await (await tx.session.connection()).run_sync(lambda connection: inspect(connection).get_table_names())
        for name in sorted(one for one in names if not prefixes or one.startswith(prefixes)):
            known = SQLModel.metadata.tables.get(name)
            query = select(known) if known is not None else text(f'SELECT * FROM "{name}"')  # noqa: S608 — the database's own name
            found[name] = [dict(row) for row in (await tx.session.execute(query)).mappings()]
    return found


def ids_in(words: str) -> set[str]:
    """Every id that is written there, without its dashes."""
    return {found.replace("-", "") for found in A_UUID.findall(words)}


def of_cases(*several: Tables) -> set[str]:
    """Every id that agencies' own records hold, and the numbers of their cases. What is exchanged is left out, because both ends
    hold the ids of the same words, and so are the lives of databases, which peers know of one another."""
    found, lives = set[str](), {NOBODY}
    for held in several:
        own = {name: rows for name, rows in held.items() if not name.startswith("exchange_") and name not in OF_NO_CASE}
        found |= ids_in(repr(own)) | {str(row["number"]) for row in own.get("casework_cases", ())}
        lives |= {row["id"].hex for row in held.get("exchange_incarnations", ())}
    return found - lives


def beside_counts(held: Tables, searched: Iterable[str]) -> list[str]:
    """What an oversight body holds that is no count: rows of the tables of cases, words that it has no ear for, a number that is
    too small to be published, and whatever of the others' records is searched for."""
    full = {name for name, rows in held.items() if rows and name.startswith("casework_")} - OF_ITSELF
    found = [f"rows in {name}" for name in sorted(full)]
    found += [f"the word {one}" for one in sorted({row["type"] for row in held.get("exchange_inbox", ())} - HEARD)]
    found += [f"a count of {number}" for number in numbers_of(held) if number in SMALL]
    words = repr(held)
    ids = ids_in(words)
    return found + [f"{one} of another's records" for one in sorted(searched) if one in ids or (len(one) < 32 and one in words)]


def numbers_of(held: Tables) -> list[int]:
    """Every number that it was told."""
    cubes = [cube for row in held.get("oversight_figures", ()) for cube in row["shown"].values() if cube]
    return [number for cube in cubes for number in cube["values"].values() if number is not None]


async def look(agency: str, own: Database, others: Mapping[str, Database], untold: Iterable[str]) -> Overseen:
    """Reads it whole, and the records of the others."""
    searched = of_cases(*[await tables_of(database) for database in others.values()])
    held = await tables_of(own)
    found = beside_counts(held, searched)
    told = len(held.get("oversight_figures", ()))
    return Overseen(agency, told, len(numbers_of(held)), tuple(sorted(untold)), len(searched), tuple(found))
