"""The commands `refnet hold holder|list|open`."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from services.terminal import AgencyId, AsJson, say
from shared.kit.errors import RefnetError

hold = typer.Typer(no_args_is_help=True, help="Holds: cases of which a court has forbidden to destroy anything, and their escrow.")

HolderName = Annotated[str, typer.Argument(metavar="HOLDER", help="agency, court or protection_officer.")]
HoldId = Annotated[UUID, typer.Argument(metavar="HOLD", help="The hold's id, from `refnet hold list`.")]
PrivateFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="Where the private half goes: its holder's own, off this machine.")
]
Two = Annotated[list[Path], typer.Option("--with", metavar="FILE", help="A holder's private key; two different ones.")]


@hold.command("holder")
def hold_holder(
    agency: AgencyId,
    holder: HolderName,
    file: PrivateFile,
    anew: Annotated[
        bool, typer.Option("--anew", help="In the place of a key that was lost or stolen, which opens nothing then.")
    ] = False,
) -> None:
    """Make a holder's key of the escrow: any two of the three open what is held."""
    from services.escrow import said_of
    from services.settings import load_settings

    settings = load_settings()
    settings.network_with(agency)
    escrow = settings.escrow(agency)
    count = 0
    if anew and escrow.ids():
        count = _renew_holder(settings, agency, holder, file)
    else:
        escrow.make_holder(holder, file, anew=anew)
    typer.echo(f"{said_of(holder)} has a {'new ' if anew else ''}key now. Hand {file} over, and keep no copy of it.")
    if anew:
        typer.echo(f"The old one opens nothing more: the keys of {count} held cases were shared anew.")
    if lacking := escrow.lacks():
        typer.echo(f"Nothing is brought into escrow before these have one too: {', '.join(lacking)}.")


def _renew_holder(settings: Any, agency: str, holder: str, file: Path) -> int:
    from services.escrow import renew_holder
    from services.runtime import opened

    async def go() -> int:
        async with opened(settings, agency) as made:
            return await renew_holder(made.database, settings.escrow(agency), holder, file)

    return asyncio.run(go())


@hold.command("list")
def hold_list(agency: AgencyId, as_json: AsJson = False) -> None:
    """List the holds in force, and whether their keys are in escrow; what is not yet there is brought."""
    from sqlalchemy import select
    from sqlmodel import col

    from services.escrow import deposit
    from services.runtime import opened
    from services.settings import load_settings
    from shared.casework.cases.tables import Case
    from shared.casework.holds.commands import in_force

    settings = load_settings()
    escrow = settings.escrow(agency)

    async def go() -> list[dict[str, Any]]:
        async with opened(settings, agency) as made:
            await deposit(made.database, escrow)
            async with made.database.read() as tx:
                holds = await in_force(tx)
                query = select(col(Case.id), col(Case.number)).where(col(Case.id).in_([one.case_id for one in holds]))
                numbers = dict((await tx.session.execute(query)).tuples().all())
                return [
                    {"id": str(one.id), "case_id": str(one.case_id), "case": numbers[one.case_id],
                     "placed_at": one.placed_at.isoformat(), "keys_in_escrow": escrow.holds_keys(one.id)}
                    for one in holds
                ]  # fmt: skip

    rows, lacking = asyncio.run(go()), escrow.lacks()
    say({"holds": rows, "holders_without_key": lacking}, as_json, _holds_words)


def _holds_words(said: dict[str, Any]) -> str:
    words = []
    for row in said["holds"]:
        count = row["keys_in_escrow"]
        escrow = f"{count} {'key' if count == 1 else 'keys'} in escrow" if count else "NOT in escrow"
        words.append(f"{row['id']}  case {row['case']}, held since {row['placed_at'][:10]}, {escrow}")
    if words and said["holders_without_key"]:
        words.append(f"Nothing more is brought into escrow before these have a key: {', '.join(said['holders_without_key'])}.")
    return "\n".join(words) or "No case is held."


@hold.command("open")
def hold_open(agency: AgencyId, hold_id: HoldId, holders: Two) -> None:
    """Print, as JSON, what the database holds of a held case, with the keys of two holders and none of this machine's."""
    from services.escrow import read_held
    from services.runtime import DATABASE_ERRORS, why_no_database
    from services.settings import load_settings
    from shared.kit.db import Database

    settings = load_settings()
    settings.network_with(agency)
    keys = settings.escrow(agency).open(hold_id, holders)

    async def go() -> list[dict[str, Any]]:
        database = Database(settings.database(agency))
        try:
            async with database.read() as tx:
                return await read_held(tx, keys)
        except DATABASE_ERRORS as error:
            raise RefnetError(why_no_database(error)) from error
        finally:
            await database.close()

    typer.echo(json.dumps({"held": asyncio.run(go())}))
