"""The commands `refnet parked list|retry|discard`."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

import typer

from services.terminal import AgencyId, AsJson, in_database, say
from shared.kit.errors import RefnetError

parked = typer.Typer(no_args_is_help=True, help="Received events that could not be applied.")

Sender = Annotated[str, typer.Option("--from", help="The agency that sent it.")]
EventId = Annotated[UUID, typer.Option("--event", help="The event's id, from `refnet parked list`.")]


@parked.command("list")
def parked_list(agency: AgencyId, as_json: AsJson = False) -> None:
    """List what could not be applied, and why."""
    from shared.casework.lines.views import parked as parked_view

    async def work(tx: Any, here: Any) -> list[dict[str, Any]]:
        return [row.model_dump(mode="json") for row in await parked_view(tx, here)]

    rows = in_database(agency, work)
    line = "{received_at}  from {sender}  {type} v{version}  {event_id}\n    {reason}"
    say({"parked": rows}, as_json, lambda d: "\n".join(line.format(**row) for row in d["parked"]) or "Nothing is parked.")


@contextlib.contextmanager
def _or_list() -> Iterator[None]:
    """What is not parked is said with where to find what is."""
    from shared.kit.errors import NotFound

    try:
        yield
    except NotFound as error:
        raise RefnetError(f"{error} `refnet parked list` shows what is parked.") from error


async def _check_sender(tx: Any, here: Any, sender: str) -> None:
    """Raises RefnetError where nothing of such an agency can be parked. One that left the network may have left something."""
    from shared.casework.lines.views import parked as parked_view

    if sender not in here.peers and sender not in {row.sender for row in await parked_view(tx, here)}:
        raise RefnetError(
            f"'{sender}' is no peer of '{here.agency}', and nothing of it is parked; --from takes one of {', '.join(here.peers)}."
        )


@parked.command("retry")
def parked_retry(agency: AgencyId, sender: Sender, event: EventId) -> None:
    """Try a parked event again."""
    from services.runtime import opened
    from services.settings import load_settings
    from shared.casework.lines.commands import retry_parked

    async def go() -> bool:
        async with opened(load_settings(), agency) as made:
            async with made.database.read() as tx:
                await _check_sender(tx, made.here, sender)
            with _or_list():
                return await retry_parked(sender, event, made.database, made.inbox)

    if not asyncio.run(go()):
        raise RefnetError("It still cannot be applied; `refnet parked list` says why.")
    typer.echo("The event was applied.")


@parked.command("discard")
def parked_discard(agency: AgencyId, sender: Sender, event: EventId) -> None:
    """Give a parked event up for good, and tell its sender."""
    from shared.casework.here import SYSTEM
    from shared.casework.lines.commands import discard_parked

    async def work(tx: Any, here: Any) -> None:
        await _check_sender(tx, here, sender)
        with _or_list():
            await discard_parked(sender, event, tx, here, SYSTEM)

    in_database(agency, work)
    typer.echo(f"The event was discarded; {sender} will be told.")
