"""The commands `refnet carry export` and `refnet carry import`."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

carry = typer.Typer(no_args_is_help=True, help="Events by USB stick, for whoever has no line.")

AgencyId = Annotated[str, typer.Argument(metavar="AGENCY", help="An agency's id in the network file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Stick = Annotated[Path, typer.Argument(metavar="FILE", help="The file on the stick.")]
PROGRESS_AFTER_S = 2.0  # what takes longer says how far it is
PROGRESS_EVERY_S = 0.5


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
        _say(asyncio.run(held_here(load_settings(), agency, peer)), as_json)
        return
    with _progress("written") as step:
        said = asyncio.run(carry_out(load_settings(), agency, file, peer, after, step))
    _say(said, as_json)


@carry.command("import")
def carry_import(agency: AgencyId, file: Stick, as_json: AsJson = False) -> None:
    """Take what a stick brought for this agency. A second time changes nothing."""
    from services.carrying import carry_in
    from services.settings import load_settings

    with _progress("read") as step:
        said = asyncio.run(carry_in(load_settings(), agency, file, step))
    _say(said, as_json)
    if not said["is_good"]:
        sys.exit(1)


def _say(said: dict[str, Any], as_json: bool) -> None:
    words = said.pop("words")
    typer.echo(json.dumps(said, default=str) if as_json else words)


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[int], None]]:
    """Says on a terminal how far it is, once it takes longer than two seconds."""
    begun, told = time.monotonic(), 0.0

    def step(count: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - begun > PROGRESS_AFTER_S and now - told > PROGRESS_EVERY_S:
            told = now
            sys.stderr.write(f"\r{count:,} {what} …")
            sys.stderr.flush()

    yield step if sys.stderr.isatty() else lambda _count: None
    if told:
        sys.stderr.write("\r\033[K")
