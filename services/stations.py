"""`refnet station`: a mobile or outlying station made in one step, and what is done where one was stolen."""

import asyncio
import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from sqlalchemy import func, select
from sqlmodel import col

from services.keys import KeyFolder, make_new
from services.locks import LOCK, PASSPHRASE
from services.runtime import bring_up_to_date, build, check_database, check_peer
from services.settings import MADE_UP, SECRET_CHARACTERS_MIN, Settings
from shared.casework.accounts.commands import add_account
from shared.casework.accounts.credentials import issue, one_time
from shared.casework.directory.network import Network, parse_network
from shared.contracts.casework.codes import Role
from shared.contracts.wire.directory import Cut, Use
from shared.exchange.directory import fingerprint, key_id, revocation
from shared.exchange.tables import ReceivedHead, ReceivedSlot
from shared.kit.errors import RefnetError
from shared.kit.files import check_new, write_new, write_over, write_whole
from shared.kit.lock import PASSPHRASE_CHARACTERS_MIN, make_lock

UNPINNED = "0" * 64  # in place of a fingerprint that is made in this very step
STATION_PORT = 8001


@dataclass(frozen=True, slots=True)
class Order:
    """What a station shall be: its id, the network file, its first account, where the root goes, and the folder with the peers'
    directories of keys, where there is one."""

    name: str
    network: Path
    account: str
    root_to: Path | None
    directories: Path | None
    broker: str | None
    passphrase: str
    root_passphrase: str | None


def install(home: Path, order: Order, now: datetime) -> dict[str, Any]:
    """Makes a station in an empty home; what was made, and what to do next. Raises RefnetError, and then nothing is left."""
    content = _network_content(order)
    network = _checked(content, order)
    if home.exists() and any(home.iterdir()):
        raise RefnetError(f"{home} is not empty; name a new folder in REFNET_HOME, or go on with the station that is there.")
    if order.root_to is None and network.purpose not in MADE_UP:
        raise RefnetError("Name with --root a file on a stick for the root of its keys: it gives the station up when it is stolen.")
    if order.root_to is not None:
        check_new(order.root_to)
        if len(order.root_passphrase or "") < PASSPHRASE_CHARACTERS_MIN:
            raise RefnetError(f"A root's passphrase has {PASSPHRASE_CHARACTERS_MIN} or more characters; take four words.")
    was_there = home.exists()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return _install(home, order, content, network, now)
    except BaseException:
        for left in (*(home.iterdir()),):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        if not was_there:
            home.rmdir()
        if order.root_to is not None:
            order.root_to.unlink(missing_ok=True)
        raise


def _install(home: Path, order: Order, content: dict[str, Any], network: Network, now: datetime) -> dict[str, Any]:
    kept, lock = make_lock(order.passphrase)
    write_whole(home / LOCK, kept)
    with _passphrase(order.passphrase):
        folder = KeyFolder(home, order.name)
        directory = make_new(folder, now, order.root_passphrase.encode() if order.root_passphrase else None)
        print_of = fingerprint(directory.root)
        if order.root_to is not None:
            write_new(order.root_to, (folder.private / "root.pem").read_bytes())
            write_over(folder.private / "root.pem")
        content["agencies"][order.name]["root"] = print_of
        write_whole(home / "network.yaml", yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode())
        lacking = _take_directories(folder, network.peers_of(order.name), order.directories)
        write_whole(home / f"{order.name}.secret", lock.close(secrets.token_hex(SECRET_CHARACTERS_MIN).encode()))
        environment = _environment(home, order)
        write_whole(home / "env", "".join(f"export {name}='{value}'\n" for name, value in environment.items()).encode())
        issued = asyncio.run(_first_account(Settings.model_validate(environment), order))
    words = _words(home, order, print_of, lacking, issued)
    return {
        "agency": order.name, "home": str(home), "fingerprint": print_of, "directories_lacking": lacking,
        "account": {"name": order.account, "password": issued.password,
                    "codes": [{"number": number, "code": code} for number, code in issued.codes]},
        "words": words,
    }  # fmt: skip


def _network_content(order: Order) -> dict[str, Any]:
    try:
        content = yaml.safe_load(order.network.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise RefnetError(f"{order.network} is no network file that can be read; ask your mother station for it.") from error
    if not isinstance(content, dict) or not isinstance(content.get("agencies"), dict):
        raise RefnetError(f"{order.network} is no network file; ask your mother station for it.")
    if not isinstance(content["agencies"].get(order.name), dict):
        raise RefnetError(
            f"The network file has no agency '{order.name}'; have it added there with its kind, facilities, pairs and mother first."
        )
    return content


def _checked(content: dict[str, Any], order: Order) -> Network:
    """The network as it will be: what is made in this step stands for its own fingerprint."""
    own = {**content["agencies"][order.name], "root": UNPINNED}
    network = parse_network({**content, "agencies": {**content["agencies"], order.name: own}}, str(order.network))
    if network.agencies[order.name].mother is None:
        raise RefnetError(
            f"'{order.name}' has no mother station in the network file; `mother` there says which agency looks after it."
        )
    return network


def _take_directories(folder: KeyFolder, peers: tuple[str, ...], given: Path | None) -> list[str]:
    """Copies the peers' directories of keys that are given; those that lack."""
    for peer in peers:
        file = given / f"{peer}.json" if given is not None else None
        if file is not None and file.is_file():
            write_whole(folder.directory_file(peer), file.read_bytes(), 0o644)
            folder.read(peer)  # raises where it is none
    return [peer for peer in peers if not folder.directory_file(peer).is_file()]


def _environment(home: Path, order: Order) -> dict[str, str]:
    found = {
        "REFNET_HOME": str(home.resolve()), "REFNET_NETWORK": str((home / "network.yaml").resolve()),
        "REFNET_BASE_URL": f"http://127.0.0.1:{STATION_PORT}",
    }  # fmt: skip
    return found | ({"KAFKA_BOOTSTRAP_SERVERS": order.broker} if order.broker else {})


async def _first_account(settings: Settings, order: Order) -> Any:
    agency = build(settings, order.name, as_owner=True)
    first = await one_time()
    try:
        await bring_up_to_date(agency, settings)
        await check_database(agency)
        async with agency.database.write() as tx:
            return await issue(tx, await add_account(tx, agency.here, order.account, Role.SUPERVISOR, None), first)
    finally:
        await agency.database.close()


@contextlib.contextmanager
def _passphrase(passphrase: str) -> Any:
    """What this process opens the new home's files with."""
    before = os.environ.get(PASSPHRASE)
    os.environ[PASSPHRASE] = passphrase
    try:
        yield
    finally:
        if before is None:
            del os.environ[PASSPHRASE]
        else:
            os.environ[PASSPHRASE] = before


def _words(home: Path, order: Order, print_of: str, lacking: list[str], issued: Any) -> str:
    cells = [f"{number:>2}: {code}" for number, code in issued.codes]
    card = "\n  ".join("   ".join(cells[start : start + 5]) for start in range(0, len(cells), 5))
    steps = [
        "Write the passphrase down and keep it away from this machine: without it nothing here is ever opened again.",
        "Read this fingerprint out to the mother station and to every peer, in person; it goes into the network file as `root`"
        f" of {order.name}:\n       {print_of}",
        f"Give {home / 'directories' / (order.name + '.json')} to each of them; nothing in it is secret.",
    ]
    if lacking:
        steps.append(
            f"Bring the directories of {', '.join(lacking)} into {home / 'directories'}: until then nothing is written for them."
        )
    if order.root_to is not None:
        steps.append(f"Give {order.root_to} to whoever holds the keys at the mother station. It is not on this machine any more.")
    steps.append(
        f"Start it, at every power-on: `. {home / 'env'} && refnet serve {order.name}`, and open http://127.0.0.1:{STATION_PORT}."
    )
    numbered = "\n".join(f"  {number}. {step}" for number, step in enumerate(steps, 1))
    return (
        f"The station {order.name} is made. What to do next:\n{numbered}\n"
        f"First account: {order.account}, a supervisor's. One-time password: {issued.password}\n"
        f"Code card, shown once; print it and give it to nobody else:\n  {card}"
    )


# --- where one was stolen ------------------------------------------------------------------------------------------------


async def held_of(settings: Settings, agency_id: str, station: str) -> dict[str, Any]:
    """How far this agency holds what a station said to it, in each life: what its mother station needs to give its keys up."""
    agency = build(settings, agency_id)
    check_peer(agency, station)
    try:
        await check_database(agency)
        async with agency.database.read() as tx:
            query = select(col(ReceivedSlot.incarnation), func.max(col(ReceivedSlot.seq)), func.count()).where(
                col(ReceivedSlot.sender) == station
            )
            rows = (await tx.session.execute(query.group_by(col(ReceivedSlot.incarnation)))).tuples().all()
            said = select(col(ReceivedHead.incarnation), col(ReceivedHead.announced)).where(col(ReceivedHead.sender) == station)
            announced = dict((await tx.session.execute(said)).tuples().all())
    finally:
        await agency.database.close()
    lives = [
        {"incarnation": str(life), "upto": int(upto), "lacking": max(int(upto), int(announced.get(life, 0))) - int(count)}
        for life, upto, count in rows
    ]
    words = [f"--held {agency_id}={one['incarnation']}:{one['upto']}" for one in lives]
    return {"agency": agency_id, "station": station, "lives": lives, "words": "\n".join(words) or f"Nothing of {station} is here."}


def revoke(
    settings: Settings, station: str, root: Path, passphrase: bytes | None, held: Mapping[str, Mapping[UUID, int]], now: datetime
) -> dict[str, Any]:
    """Gives up every key of a stolen station: those that sign from where each peer holds its words, and those that are sealed to
    at once, so that nobody tells its thief anything more. Raises RefnetError."""
    network = settings.network_with(station)
    folder = KeyFolder(settings.home, station)
    signer = folder.root(root, passphrase)
    with folder.locked():
        directory = folder.own()
        published = [(key_id(key.public), key.use) for key, _at in directory.published()]
        keys = [(id_, use) for id_, use in published if not directory.is_revoked(id_)]
        cuts = {
            peer: tuple(Cut(incarnation=life, upto=upto) for life, upto in sorted(held.get(peer, {}).items()))
            for peer in network.peers_of(station)
        }
        for key, use in keys:
            for peer, revokes in revocation(key, cuts if use is Use.SIGN else {}):
                folder.write_line(directory, signer, now, to=peer, revokes=revokes)
        folder.save(directory)
    unheard = [peer for peer in network.peers_of(station) if peer not in held]
    words = [
        f"{len(keys)} keys of {station} are given up. This machine's workers take it up within ten seconds.",
        f"Give {folder.directory_file(station)} to every peer now, into its `directories` folder: what comes under those keys from"
        " there on is refused, and nothing more is sealed to it.",
    ]
    if unheard:
        words.append(
            f"How far {', '.join(unheard)} hold its words was not named: what they used of it stands there, and they are asked to"
            " phone you about it (`refnet station held` there says it)."
        )
    return {"station": station, "revoked": [key.hex() for key, _use in keys], "unheard": unheard, "words": "\n".join(words)}
