"""The commands `refnet keys new|rotate|rewrap|revoke|destroy|list`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from services.terminal import AgencyId, AsJson, say

keys = typer.Typer(no_args_is_help=True, help="Keys of an agency: what it signs with, and what is sealed to it.")

RootFile = Annotated[Path | None, typer.Option("--root", help="Where the root is now; left out, beside the other keys.")]
SuiteName = Annotated[Literal["x25519", "hybrid"], typer.Option("--suite", help="What peers seal to; hybrid is post-quantum too.")]


def _keeper(agency: str) -> Any:
    from services.keeper import Keeper
    from services.settings import load_settings

    return Keeper(load_settings(), agency, datetime.now(UTC), lambda words: typer.prompt(words, hide_input=True))


@keys.command("new")
def keys_new(
    agency: AgencyId,
    suite: SuiteName = "x25519",
    if_none: Annotated[bool, typer.Option("--if-none", help="Where there are keys already, do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make an agency's root and its first keys. The root belongs off this machine; its fingerprint is compared in person."""
    say(_keeper(agency).new(suite, if_none=if_none), as_json, lambda d: str(d["words"]))


@keys.command("rotate")
def keys_rotate(agency: AgencyId, suite: SuiteName = "x25519", root: RootFile = None, as_json: AsJson = False) -> None:
    """Make new keys beside the old ones, which go on opening what is under way."""
    say(_keeper(agency).rotate(suite, root), as_json, lambda d: str(d["words"]))


@keys.command("rewrap")
def keys_rewrap(agency: AgencyId, as_json: AsJson = False) -> None:
    """Make a new wrapping key, put the keys of all cases under it, and destroy the old one. Back the keystore up again after it."""
    say(_keeper(agency).rewrap(), as_json, lambda d: str(d["words"]))


@keys.command("revoke")
def keys_revoke(
    agency: AgencyId,
    key: Annotated[str, typer.Option("--key", help="The signing key's id, from `refnet keys list`.")],
    root: RootFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a signing key up: what was said under it until now stands, and nothing after."""
    say(_keeper(agency).revoke(key, root), as_json, lambda d: str(d["words"]))


@keys.command("destroy")
def keys_destroy(agency: AgencyId, as_json: AsJson = False) -> None:
    """Destroy the private halves of replaced keys that nothing needs any more; of the others it says what they wait for."""
    say(_keeper(agency).destroy(), as_json, lambda d: str(d["words"]))


@keys.command("list")
def keys_list(agency: AgencyId, as_json: AsJson = False) -> None:
    """List an agency's keys, and the fingerprints of the roots that this machine knows."""
    say(_keeper(agency).listed(), as_json, lambda d: str(d["words"]))
