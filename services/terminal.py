"""What the commands of `refnet` have in common: options, what they say, how far they are, and an agency's database for one piece
of work. What is heavy is imported where it is needed, so that `refnet --help` loads none of it."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Annotated, Any

import typer

FAILED, USAGE = 1, 2  # exit codes
PROGRESS_AFTER_S = 2.0  # what takes longer shows that it works, where somebody watches
PROGRESS_EVERY_S = 0.5

AgencyId = Annotated[str, typer.Argument(metavar="AGENCY", help="An agency's id in the network file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Because = Annotated[
    str,
    typer.Option(
        "--because",
        metavar="TEXT",
        help="A sentence: who asked for it and why; no name of a survivor. Leave it out and it is asked for: whoever is on this"
        " machine can read what stands in a command line.",
    ),
]


def why(because: str) -> str:
    """The sentence that goes with what leaves: asked for, where the command line does not have it."""
    return because or str(typer.prompt("Who asked for it, and why (no name of a survivor)", err=True))


def say(data: Any, as_json: bool, words: Callable[[Any], str]) -> None:
    """Prints data as JSON, or in words."""
    typer.echo(json.dumps(data, default=str) if as_json else words(data))


def say_words(said: dict[str, Any], as_json: bool) -> None:
    """Prints data that brings its words along, which are no part of it."""
    words = said.pop("words")
    say(said, as_json, lambda _: str(words))


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[int], None]]:
    """Shows a count on a terminal, once something takes longer than two seconds."""
    begun, shown = time.monotonic(), 0.0

    def step(count: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - begun > PROGRESS_AFTER_S and now - shown > PROGRESS_EVERY_S:
            shown = now
            sys.stderr.write(f"\r{count:,} {what}")
            sys.stderr.flush()

    yield step if sys.stderr.isatty() else lambda _count: None
    if shown:
        sys.stderr.write("\r\033[K")


def in_database(agency: str, work: Callable[[Any, Any], Coroutine[Any, Any, Any]]) -> Any:
    """Runs `work(transaction, here)` in one transaction of an agency's database."""
    from services.runtime import opened
    from services.settings import load_settings

    async def go() -> Any:
        async with opened(load_settings(), agency) as made, made.database.write() as tx:
            return await work(tx, made.here)

    return asyncio.run(go())
