"""The commands `refnet station install|held|revoke`."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from services.terminal import AsJson, say_words
from shared.kit.errors import RefnetError

station = typer.Typer(no_args_is_help=True, help="Mobile and outlying stations, which are usually offline.")

Name = Annotated[str, typer.Argument(metavar="STATION", help="The station's id in the network file.")]


@station.command("install")
def station_install(
    name: Name,
    network: Annotated[Path, typer.Option("--network", metavar="FILE", help="The network file, from the mother station.")],
    account: Annotated[str, typer.Option("--account", help="The first account's sign-in name, a supervisor's.")] = "supervisor",
    root: Annotated[
        Path | None, typer.Option("--root", metavar="FILE", help="Where the root of its keys goes: a stick, off this machine.")
    ] = None,
    directories: Annotated[
        Path | None, typer.Option("--directories", metavar="FOLDER", help="The peers' directories of keys.")
    ] = None,
    broker: Annotated[
        str | None, typer.Option("--broker", metavar="HOST:PORT", help="The broker, for when there is a line; left out, sticks.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a station in REFNET_HOME: keys under a passphrase, database, first account; it says what to do next."""
    from services.keeper import PASSPHRASE as ROOT_PASSPHRASE
    from services.locks import PASSPHRASE
    from services.settings import load_settings
    from services.stations import Order, install

    order = Order(
        name, network, account, root, directories, broker, _asked(PASSPHRASE, "A new passphrase for this station"),
        _asked(ROOT_PASSPHRASE, "A new passphrase for the root of its keys") if root is not None else None,
    )  # fmt: skip
    said = install(load_settings().home, order, datetime.now(UTC))
    say_words(said, as_json)


@station.command("held")
def station_held(
    agency: Annotated[str, typer.Argument(metavar="AGENCY", help="The agency whose database is asked.")], name: Name,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """How far this agency holds what a station said: its mother station asks for it when the station is stolen."""
    from services.settings import load_settings
    from services.stations import held_of

    say_words(asyncio.run(held_of(load_settings(), agency, name)), as_json)


@station.command("revoke")
def station_revoke(
    name: Name,
    root: Annotated[Path, typer.Option("--root", metavar="FILE", help="The root of its keys, on its stick.")],
    held: Annotated[
        list[str] | None, typer.Option("--held", metavar="AGENCY=LIFE:N", help="As `refnet station held` printed it there.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give up the keys of a station that was stolen: what peers hold of it stands, and nothing after."""
    from services.keeper import PASSPHRASE as ROOT_PASSPHRASE
    from services.settings import load_settings
    from services.stations import revoke

    reached: dict[str, dict[UUID, int]] = {}
    for said in held or ():
        agency, life, upto = _one_held(said)
        reached.setdefault(agency, {})[life] = upto
    settings = load_settings()
    passphrase = _asked(ROOT_PASSPHRASE, f"Passphrase of the root of {name}").encode()
    say_words(revoke(settings, name, root, passphrase or None, reached, datetime.now(UTC)), as_json)


def _one_held(said: str) -> tuple[str, UUID, int]:
    agency, equals, rest = said.partition("=")
    life, colon, upto = rest.partition(":")
    try:
        if equals and colon and upto.isascii() and upto.isdigit() and len(upto) <= 18:
            return agency, UUID(life), int(upto)
    except ValueError:
        pass
    raise typer.BadParameter(f"'{said}' is not AGENCY=LIFE:N, as `refnet station held` prints it", param_hint="--held")


def _asked(variable: str, words: str) -> str:
    given = os.environ.get(variable)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise RefnetError(f"{words} is asked for at a terminal only; set {variable} where there is none. Nothing was done.")
    try:
        return str(typer.prompt(words, hide_input=True, confirmation_prompt=words.startswith("A new")))
    except typer.Abort:
        raise RefnetError(f"{words} was not given; type it, or set {variable}. Nothing was done.") from None
