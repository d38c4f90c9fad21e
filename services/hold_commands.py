"""The commands `refnet hold holder|list|open`."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import typer

from services.terminal import AgencyId, AsJson, Because, say, why
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
def hold_open(
    agency: AgencyId,
    hold_id: HoldId,
    holders: Two,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Where to write it; a file that is there stays.")] = None,
    because: Because = "",
    to: Annotated[str, typer.Option("--to", metavar="KEY", help="The public key of whoever shall read it (age1…).")] = "",
    purpose: Annotated[
        Literal["court_order", "complaint", "she_asked"], typer.Option("--for", help="What it is opened for.")
    ] = "court_order",
    plain: Annotated[bool, typer.Option("--plain", help="Print it in the clear, where no file is to be made.")] = False,
) -> None:
    """Write, as JSON for whoever shall read it, what the database holds of a held case: with the keys of two holders and none of
    this machine's. That it was opened, by which holders and what for, is kept with the case."""
    from services.settings import load_settings
    from shared.casework.exports.commands import Wish
    from shared.casework.exports.domain import SENTENCE_CHARACTERS_MAX, SENTENCE_CHARACTERS_MIN, Purpose
    from shared.kit.files import check_new

    if plain == (file is not None and bool(to)) or (plain and (file or to)):
        raise RefnetError("Name FILE and, with --to, the public key of whoever shall read it; or say --plain, and neither.")
    because = why(because)
    if not SENTENCE_CHARACTERS_MIN <= len(because) <= SENTENCE_CHARACTERS_MAX:
        raise RefnetError("Write in a sentence who asked for it and why; no name of a survivor.")
    if file is not None:
        check_new(file)
    settings = load_settings()
    settings.network_with(agency)
    data = asyncio.run(_opened(settings, agency, hold_id, holders, Wish(Purpose(purpose), because, to), file))
    typer.echo(data.decode() if plain else f"{file} holds what is held, {len(data):,} bytes, for the holder of that key alone.")


async def _opened(settings: Any, agency: str, hold_id: UUID, holders: list[Path], wish: Any, file: Path | None) -> bytes:
    """What leaves, written to `file` where there is one; no such file is left unless it is kept that it was opened."""
    from services.escrow import holders_of, opened_held, read_held
    from services.runtime import DATABASE_ERRORS, why_no_database
    from shared.casework.exports.commands import NoKey
    from shared.kit.db import Database
    from shared.kit.files import write_new

    keys, by = settings.escrow(agency).open(hold_id, holders), holders_of(holders)
    database, is_written = Database(settings.database(agency)), False
    try:
        async with database.read() as tx:  # all that is sealed, which takes its time
            held = await read_held(tx, keys)
        async with database.write() as tx:
            data = await opened_held(tx, held, hold_id, agency, by, wish)
            if file is not None:
                try:
                    write_new(file, data)
                except OSError as error:
                    raise RefnetError(f"{file} cannot be written ({error.strerror}); name another file.") from error
                is_written = True
        is_written = False  # from here on it stays
        return data
    except NoKey as error:
        words = "This is no public key of age; it begins with age1, and whoever shall read the file gives it to you."
        raise RefnetError(words) from error
    except DATABASE_ERRORS as error:
        raise RefnetError(why_no_database(error)) from error
    finally:
        if is_written and file is not None:
            _take_away(file)
        await database.close()


def _take_away(file: Path) -> None:
    file.unlink(missing_ok=True)
