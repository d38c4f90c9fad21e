"""What `refnet doctor` looks at: settings, network, broker, topics, and the databases and direct lines of this machine."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.broker_users import user_of
from services.certificates import RENEW_BEFORE
from services.escrow import Escrow, erased_last, not_in_escrow
from services.keys import KeyFolder, load_keyring
from services.kinds import MODULES
from services.provision import NO_RIGHTS
from services.retired_keys import held
from services.runtime import DATABASE_ERRORS, NO_CERTIFICATE, build, opened
from services.settings import Settings
from shared.casework.directory.network import Network
from shared.casework.holds.commands import in_force
from shared.contracts.wire.topics import direction_of
from shared.exchange.access import Access, BrokerUnreachable, thin_topics, topics_of
from shared.exchange.anchor import Anchor, AnchorAway, uncovered
from shared.exchange.clearing import BACKUP_WINDOW
from shared.exchange.direct import DirectLine, LineAway
from shared.exchange.direct_tls import Credentials
from shared.exchange.rights import keeps_rights, open_to_everybody
from shared.exchange.worker import LACKING
from shared.kit.certificates import good_until
from shared.kit.db import Database, Transaction
from shared.kit.errors import DatabaseAway, RefnetError
from shared.kit.keystore import WrappingKeys

DESTROYED_WITHIN = timedelta(days=1)  # a worker looks every hour

# Policies bind neither a superuser nor whoever may leave them out; an owner could drop them.
UNBOUND = """
    SELECT rolsuper OR rolbypassrls OR EXISTS (SELECT FROM pg_tables WHERE tablename = 'casework_cases' AND tableowner = rolname)
    FROM pg_roles WHERE rolname = current_user
"""

Note = Callable[[bool, str], None]


async def examine(settings: Settings) -> list[dict[str, Any]]:
    """Findings in words, each with whether it is well."""
    findings: list[dict[str, Any]] = []

    def note(ok: bool, words: str) -> None:
        findings.append({"ok": ok, "words": words})

    try:
        network = settings.network()
    except RefnetError as error:
        note(False, str(error))
        return findings
    note(True, f"The network file names {len(network.agencies)} agencies, for a {network.purpose}.")
    here: list[str | None] = [agency for agency in network.agencies if user_of(settings.home, agency).folder.is_dir()]
    for agency in here or [None]:
        await _broker(settings, agency, network, note)
    for agency, entry in network.agencies.items():
        if entry.kind in MODULES:
            await _database(settings, agency, note)
    for agency in network.agencies:
        if KeyFolder(settings.home, agency).private.is_dir():
            _keys(settings, agency, network, note)
            await _old_keys(settings, agency, note)
    await _direct_lines(settings, network, note)
    if network.purpose == "demo" and not all(one["ok"] for one in findings):
        note(False, "This is a demo's network: unless it is running just now, start it with `make demo` and look again.")
    return findings


async def _broker(settings: Settings, agency: str | None, network: Network, note: Note) -> None:
    """The broker as an agency of this machine finds it, or as the environment names it."""
    whose = f"{agency}: " if agency else ""
    try:
        access = settings.access(agency, network.purpose)
        _ends_soon(access, whose, note)
        topics = [t for t in network.topics() if agency in (None, direction_of(t).sender, direction_of(t).recipient)]
        seen = await topics_of(access)
        if missing := sorted(set(topics) - seen):
            note(False, f"{whose}The broker answers, but {len(missing)} topics, such as {missing[0]}, are missing: {LACKING}")
        else:
            note(True, f"{whose}The broker answers. Every topic is there.")
        others = sorted(seen.intersection(network.topics()) - set(topics)) if agency is not None else []
        if others and network.purpose != "production" and not await keeps_rights(access):
            note(True, f"{whose}{NO_RIGHTS} A production network needs one that does.")
        elif others:
            note(
                False,
                f"{whose}The broker shows it {len(others)} topics of other agencies, such as {others[0]}: everybody may, or this"
                " agency was given too much; have the broker's operator run `refnet provision`.",
            )
        if agency is None:
            with contextlib.suppress(BrokerUnreachable):  # only its operator is told
                for words in await open_to_everybody(access, topics):
                    note(False, f"At the broker {words}; run `refnet provision`, or take that right away by the broker's own tool.")
        if thin := await thin_topics(access, tuple(topics)):
            note(
                False,
                f"{whose}{len(thin)} topics, such as {thin[0]}, lie on fewer brokers than there are, so that one death stops them;"
                " give them more copies (docs/operating.md).",
            )
    except RefnetError as error:
        note(False, f"{whose}{error}")


def _ends_soon(access: Access, whose: str, note: Note) -> None:
    """Certificates for the broker that are good still, and not for long. Raises BrokerUnreachable where a file cannot be used."""
    access.context()
    now = datetime.now(UTC)
    for file in filter(None, (access.ca, access.cert)):
        ends = good_until(file.read_bytes())
        if now < ends < now + RENEW_BEFORE:
            note(False, f"{whose}{file} ends on {ends:%Y-%m-%d}; have the broker's operator make a new one before.")


def _keys(settings: Settings, agency: str, network: Network, note: Note) -> None:
    """An agency whose private keys are on this machine, and what it knows of its peers'."""
    try:
        keys = load_keyring(settings.home, agency, settings.pins(agency, network))
        keys.signer()
    except RefnetError as error:
        note(False, f"{agency}: {error}")
        return
    if len(old := keys.own.replaced_signers()) > 1:
        words = f"{len(old)} replaced signing keys still stand, such as {old[0].hex()}; run `refnet keys revoke {agency}` for it."
        note(False, f"{agency}: {words}")
    unknown = [peer for peer in network.peers_of(agency) if peer not in keys.peers]
    if unknown:
        file = KeyFolder(settings.home, agency).directory_file(unknown[0])
        note(False, f"{agency}: nothing can be sealed to {', '.join(unknown)}; its owner has {file.name}, which belongs at {file}.")
    else:
        note(True, f"{agency}: its keys are here, and those of its peers are known.")


async def _old_keys(settings: Settings, agency: str, note: Note) -> None:
    """Replaced keys that a worker should have destroyed: within an hour, where it may write to their folder."""
    with contextlib.suppress(RefnetError, DatabaseAway, *DATABASE_ERRORS):  # told already
        made = build(settings, agency)
        now = made.database.clock.real()
        try:
            found = await held(made.database, KeyFolder(settings.home, agency), made.here.peers, now)
        finally:
            await made.database.close()
        overdue = [one.key.id.hex() for one in found if one.is_due and one.key.kept_until + DESTROYED_WITHIN <= now]
        if overdue:
            words = f"{len(overdue)} replaced keys are still here, such as {overdue[0]}; run `refnet keys destroy {agency}`."
            note(False, f"{agency}: {words}")


async def _direct_lines(settings: Settings, network: Network, note: Note) -> None:
    """Every direct line of the agencies whose certificates are here, as their own workers would find it."""
    try:
        holders = [agency for agency in network.agencies if settings.holds_credentials(agency)]
        if not holders and any(network.direct_lines_of(agency) for agency in network.agencies):
            note(False, NO_CERTIFICATE)
        for agency in holders:
            credentials = settings.credentials(agency, network.purpose)
            assert credentials is not None
            await _lines_of(agency, network, credentials, note)
    except RefnetError as error:
        note(False, str(error))


async def _lines_of(agency: str, network: Network, credentials: Credentials, note: Note) -> None:
    ends = credentials.good_until()
    if ends - datetime.now(UTC) < RENEW_BEFORE:
        note(False, f"{agency}: its certificate for the direct line ends on {ends:%Y-%m-%d}; renew it and start its workers again.")
    urls = network.direct_lines_of(agency)
    line = DirectLine(urls, credentials)
    for peer in network.peers_of(agency):
        if peer not in urls:
            note(True, f"{agency}: there is no direct line to {peer}, so everything goes over the broker.")
            continue
        try:
            await line.look(peer)
            note(True, f"{agency}: the direct line to {peer} answers.")
        except LineAway as away:
            note(False, f"{agency}: {away}")
    await line.close()


async def _database(settings: Settings, agency: str, note: Note) -> None:
    try:
        async with opened(settings, agency) as made, made.database.read() as tx:
            is_bound = tx.dialect == "sqlite" or not (await tx.session.execute(text(UNBOUND))).scalar_one()
            await _anchored(tx, settings.anchor(agency), agency, note)
            await _copies(tx, settings.wrapping(agency), agency, note)
            await _holds(tx, settings.escrow(agency), agency, _kept_here(settings, agency, made.database), note)
        if not is_bound:
            note(False, f"{agency}: no row-level security binds the database's user; connect as one that owns nothing.")
        note(True, f"{agency}: the database answers and has this version's schema.")
    except RefnetError as error:
        note(False, f"{agency}: {error}")


async def _anchored(tx: Transaction, file: Path, agency: str, note: Note) -> None:
    """What was sent and the anchor of this machine does not cover, which a start here would take for an older copy's doing."""
    try:
        peers = await uncovered(tx, Anchor(file))
    except AnchorAway as error:
        note(False, f"{agency}: {error}")
        return
    if peers:
        words = (
            f"more was sent to {', '.join(peers)} than the anchor {file} covers, so it was lost, or another machine keeps one too"
        )
        note(False, f"{agency}: {words}; all its processes must share one (docs/operating.md, “Several workers”).")


async def _copies(tx: Transaction, wrapping: WrappingKeys, agency: str, note: Note) -> None:
    """What was erased is opened by copies of the keystore from before, until what they are wrapped under is gone, or they are as
    old as none may be (decision 26). It is no fault, and whoever looks after the machine has to know of it."""
    last, oldest = await erased_last(tx), wrapping.oldest()
    if last is None or oldest is None or last < oldest or tx.clock.now() >= last + BACKUP_WINDOW:
        return
    note(
        True,
        f"{agency}: copies of its keystore from before {last:%Y-%m-%d %H:%M} UTC still open what was erased; that ends on"
        f" {last + BACKUP_WINDOW:%Y-%m-%d}, when the last of them must be destroyed, or now with `refnet keys rewrap {agency}`.",
    )


def _kept_here(settings: Settings, agency: str, database: Database) -> dict[str, Path]:
    """What of an agency lies in files of this machine."""
    here = {"keystore": settings.keystore(agency).file, "database": database.file}
    return {what: file for what, file in here.items() if file is not None}


async def _holds(tx: Transaction, escrow: Escrow, agency: str, here: dict[str, Path], note: Note) -> None:
    """Cases that a court holds, and whose keys lie on this machine or on its disk alone: taken or burnt, it leaves the court
    nothing."""
    try:
        alone = await not_in_escrow(tx, escrow)
        beside = [what for what, file in here.items() if escrow.shares_a_disk_with(file)] if await in_force(tx) else []
    except OSError:
        note(False, f"{agency}: the escrow at {escrow.folder} cannot be read; look after its disk and its rights.")
        return
    if beside:
        words = (
            f"the escrow at {escrow.folder} lies on the same disk as the {' and the '.join(beside)}, which goes with the machine"
        )
        note(False, f"{agency}: {words}; name a folder on another disk in REFNET_ESCROW, and move what lies there.")
    if not alone:
        return
    lacking = escrow.lacks()
    todo = (
        f"make the keys of its holders with `refnet hold holder {agency}`: {', '.join(lacking)}"
        if lacking else f"start its worker, or run `refnet hold list {agency}`"
    )  # fmt: skip
    note(False, f"{agency}: {_holds_words(alone)}; {todo}.")


def _holds_words(alone: list[UUID]) -> str:
    if len(alone) == 1:
        return f"a court holds a case whose keys are not in escrow (hold {alone[0]})"
    return f"a court holds {len(alone)} cases whose keys are not in escrow (the first is hold {alone[0]})"
