"""The commands `refnet carry export` and `refnet carry import`."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from services.terminal import FAILED, AgencyId, AsJson, progress, say_words

carry = typer.Typer(no_args_is_help=True, help="Events by USB stick, for whoever has no line.")

Stick = Annotated[Path, typer.Argument(metavar="FILE", help="The file on the stick.")]


@carry.command("export")
def carry_export(
    agency: AgencyId,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="The file on the stick; with --held, none.")] = None,
    peer: Annotated[str | None, typer.Option("--for", metavar="PEER", help="Only what waits for this agency.")] = None,
    after: Annotated[
        int | None, typer.Option(min=1, help="Go on after a file that was full, with the number that it printed.")
    ] = None,
    held: Annotated[bool, typer.Option("--held", help="Only say what waits here for whom, and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write what other agencies have not confirmed, sealed, and where this one stands. Nothing counts as sent by that."""
    from services.carrying import carry_out, held_here
    from services.settings import load_settings

    if held != (file is None):
        raise typer.BadParameter("name a file, or say --held to be told what waits without writing one.", param_hint="FILE")
    if file is None:
        say_words(asyncio.run(held_here(load_settings(), agency, peer)), as_json)
        return
    with progress("written …") as step:
        said = asyncio.run(carry_out(load_settings(), agency, file, peer, after, step))
    say_words(said, as_json)


@carry.command("import")
def carry_import(agency: AgencyId, file: Stick, as_json: AsJson = False) -> None:
    """Take what a stick brought for this agency. A second time changes nothing."""
    from services.carrying import carry_in
    from services.settings import load_settings

    with progress("read …") as step:
        said = asyncio.run(carry_in(load_settings(), agency, file, step))
    say_words(said, as_json)
    if not said["is_good"]:
        sys.exit(FAILED)
