"""The `refnet` command. Every error is one sentence on standard error; exit codes are 0, 1 (failed) and 2 (usage)."""

import asyncio
import contextlib
import json
import re
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import typer

from services.carry_commands import carry
from services.station_commands import station
from shared.kit.collector import no_collector
from shared.kit.errors import RefnetError

PORTS = {"police": 8001, "health": 8002, "social_welfare": 8003, "oversight": 8004, "partner": 8005, "justice": 8006}
LOOPBACK = "127.0.0.1"
HOST = re.compile(r"[^\s/:@]{1,253}|[0-9A-Fa-f:]{2,45}")  # a name as long as DNS has them, or an address of IPv6

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Referrals between agencies.")
users = typer.Typer(no_args_is_help=True, help="Accounts of an agency.")
keys = typer.Typer(no_args_is_help=True, help="Keys of an agency: what it signs with, and what is sealed to it.")
hold = typer.Typer(no_args_is_help=True, help="Holds: cases of which a court has forbidden to destroy anything, and their escrow.")
programme_app = typer.Typer(no_args_is_help=True, help="Programmes: the profiles of countries, as docs/programmes says.")
parked = typer.Typer(no_args_is_help=True, help="Received events that could not be applied.")
app.add_typer(users, name="users")
app.add_typer(keys, name="keys")
app.add_typer(parked, name="parked")
app.add_typer(hold, name="hold")
app.add_typer(programme_app, name="programme")
app.add_typer(carry, name="carry")
app.add_typer(station, name="station")

AgencyId = Annotated[str, typer.Argument(metavar="AGENCY", help="An agency's id in the network file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup's file.")]
KeysFile = Annotated[
    Path | None, typer.Option("--keys", metavar="FILE", help="The keystore's backup: the keys of the cases, in a file apart.")
]
Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="The port to listen on.")]
WorkerPort = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="Answer /health/live and /health/ready here; left out, nowhere."),
]


FAILED, USAGE = 1, 2  # exit codes


def main() -> None:
    """Runs the command; whatever goes wrong is one sentence, with exit code 2 where it was typed wrong and 1 otherwise."""
    code: object
    try:
        code = app(standalone_mode=False, prog_name="refnet")
    except RefnetError as error:
        code = _refused(str(error), FAILED)
    except typer.TyperException as error:
        from services.usage import in_a_sentence

        code = _refused(in_a_sentence(error), USAGE)
    except typer.Abort:
        code = _refused("Given up at the question; nothing was done.", FAILED)
    except OSError as error:
        from services.usage import no_place

        code = _refused(str(no_place(error)), FAILED)
    if code:
        sys.exit(code if isinstance(code, int) else FAILED)


def _refused(words: str, code: int) -> int:
    if words:
        sys.stderr.write(f"refnet: {words}\n")
    return code


def _say(data: Any, as_json: bool, words: Callable[[Any], str]) -> None:
    typer.echo(json.dumps(data, default=str) if as_json else words(data))


def _logs() -> Any:
    from services.settings import load_settings
    from shared.kit.telemetry import set_up_logs

    settings = load_settings()
    set_up_logs(settings.log)
    return settings


# --- processes ---------------------------------------------------------------------------------------------------------


def _serve(agency: str, host: str, port: int | None, *, with_worker: bool) -> None:
    no_collector()
    from services import serve as serving
    from services.runtime import build

    settings = _logs()
    serving.serve(build(settings, agency), settings, host, port or PORTS.get(agency, 8001), with_worker=with_worker)


@app.command()
def serve(agency: AgencyId, host: Host = LOOPBACK, port: Port = None) -> None:
    """Run an agency in one process: pages, API and exchange."""
    _serve(agency, host, port, with_worker=True)


@app.command()
def web(agency: AgencyId, host: Host = LOOPBACK, port: Port = None) -> None:
    """Run an agency's pages and API only; a worker must run beside it."""
    _serve(agency, host, port, with_worker=False)


@app.command()
def worker(agency: AgencyId, host: Host = LOOPBACK, port: WorkerPort = None) -> None:
    """Run an agency's exchange and watcher only."""
    no_collector()
    from services import serve as serving
    from services.runtime import build

    settings = _logs()
    serving.work(build(settings, agency), settings, host, port)


@app.command()
def migrate(agency: AgencyId) -> None:
    """Bring an agency's database to this version's schema; a second run changes nothing."""
    from services.runtime import DATABASE_ERRORS, bring_up_to_date, build, why_no_database
    from services.settings import load_settings

    settings = load_settings()
    made = build(settings, agency, as_owner=True)

    async def go() -> None:
        try:
            await bring_up_to_date(made, settings)
        except DATABASE_ERRORS as error:
            raise RefnetError(why_no_database(error)) from error
        finally:
            await made.database.close()

    asyncio.run(go())
    typer.echo(f"The database of {agency} is at this version's schema.")


@app.command()
def provision(
    renew: Annotated[list[str] | None, typer.Option(metavar="AGENCY", help="Give this agency a new password.")] = None,
    dismiss: Annotated[str | None, typer.Option(metavar="AGENCY", help="Take user and rights from one that has left.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the network's topics, users and rights on the broker, as its operator; a second run changes nothing."""
    from services.provision import provision as provision_broker
    from services.settings import load_settings

    made = asyncio.run(provision_broker(load_settings(), renew or [], dismiss))
    _say(made, as_json, lambda d: "\n".join(d["said"]) or "Everything is there already.")


@app.command()
def certificates(
    authority: Annotated[Path | None, typer.Option(help="A folder with ca.pem and ca.key.pem of your own authority.")] = None,
    broker: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="Instead, for a trial's broker at this address, and its operator.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a certificate an agency for the direct lines, under a throw-away authority; a second run changes nothing."""
    from services.certificates import make_broker_certificates, make_certificates
    from services.settings import load_settings

    settings = load_settings()
    network, now = settings.network(), datetime.now(UTC)
    if wrong := [host for host in broker or [] if not HOST.fullmatch(host)]:
        raise typer.BadParameter(f"'{wrong[0]}' is no host name or address", param_hint="--broker")
    if broker:
        made = make_broker_certificates(settings.home, broker, network.purpose, now)
    else:
        made = make_certificates(settings.home, network.agencies, network.purpose, now, authority=authority)
    _say(
        {"made": made}, as_json, lambda d: "\n".join(f"made {name}" for name in d["made"]) or "Every certificate is there already."
    )


@app.command()
def demo(
    programme: Annotated[str | None, typer.Option(help="The programme to show.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Run the case, print the timelines, exit.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the demo's folder for the next run.")] = False,
    broker: Annotated[Literal["auto", "kafka", "docker", "trial"], typer.Option(help="Which broker to use.")] = "auto",
    port: Annotated[int, typer.Option(min=1024, max=65000, help="Agencies listen on the ports after this one.")] = 8000,
) -> None:
    """Three agencies on this machine, one synthetic survivor, and her timeline as each agency sees it."""
    from services.demo.run import run_demo

    with contextlib.suppress(KeyboardInterrupt):
        run_demo(programme=programme, once=once, keep=keep, broker=broker, port=port)


@app.command()
def simulate(
    programme: Annotated[str | None, typer.Argument(metavar="[PROGRAMME]", help="A programme's name, or its file.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every programme that has numbers to replay, one after the other.")] = False,
    years: Annotated[
        int | None, typer.Option(min=1, help="Only so many of its years; what is expected of all may not be met.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another caseload with the same numbers.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the replay's folder with its databases and logs.")] = False,
    broker: Annotated[Literal["auto", "kafka", "docker", "trial"], typer.Option(help="Which broker to use.")] = "auto",
    port: Annotated[int, typer.Option(min=1024, max=65000, help="Agencies listen on the ports after this one.")] = 8300,
    database: Annotated[
        list[str] | None, typer.Option(metavar="AGENCY=URL", help="An agency's own empty database, in place of SQLite.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replay a programme with a synthetic caseload through its agencies' API, and print each figure beside its report's."""
    from services.simulate.run import Order, as_data, in_words, known_programmes
    from services.simulate.run import simulate as replay

    if all_ == (programme is not None):
        raise typer.BadParameter("name one programme, or say --all.", param_hint="PROGRAMME")
    urls = dict(_one_database(said) for said in database or ())
    say: Callable[[str], None] = (lambda _words: None) if as_json else typer.echo
    outcomes = []
    try:
        for one in known_programmes() if programme is None else [programme]:
            order = Order(one, seed, years, broker, port, keep, urls)
            outcomes.append(replay(order, say, sys.stderr.isatty()))
            say(in_words(outcomes[-1]) + "\n")
    except KeyboardInterrupt:
        raise RefnetError("The replay was ended before its last day; nothing was measured.") from None
    if as_json:
        typer.echo(json.dumps(as_data(outcomes)))
    if not all(outcome.is_met for outcome in outcomes):
        sys.exit(1)


def _one_database(said: str) -> tuple[str, str]:
    agency, equals, url = said.partition("=")
    if not equals or not url:
        raise typer.BadParameter(f"'{said}' is not AGENCY=URL, as police=postgresql://…", param_hint="--database")
    return agency, url


Against = Annotated[str | None, typer.Option("--with", help="Only this peer.")]


@app.command()
def reconcile(agency: AgencyId, peer: Against = None, as_json: AsJson = False) -> None:
    """Compare with the peers on the direct line now, fetch what is missing, and print what was found."""
    from dataclasses import asdict

    from services.reconcile import reconcile_now

    reports, recovery = asyncio.run(reconcile_now(_quiet_settings(), agency, peer))
    data = {"peers": [asdict(report) for report in reports], "recovery": recovery.model_dump(mode="json")}
    _say(data, as_json, lambda _: "\n".join([*(report.words for report in reports), *([recovery.words] if recovery.peers else [])]))
    if not all(report.in_step for report in reports):
        sys.exit(1)


def _quiet_settings() -> Any:
    from services.settings import load_settings

    return load_settings()


@app.command()
def backup(agency: AgencyId, file: File, keys_file: KeysFile = None) -> None:
    """Write a copy of an agency's database while it works, and of its cases' keys. Keep the two apart, the anchor out of both."""
    from services.backup import back_up

    settings = _quiet_settings()
    settings.network_with(agency)
    size, count = back_up(settings.owner_database(agency), file, settings.keystore(agency), keys_file)
    typer.echo(f"{file} holds the database of {agency}: {size:,} bytes.")
    if keys_file is not None:
        typer.echo(f"{keys_file} holds its keystore: {count:,} keys. Keep it where no copy of the database lies.")


@app.command()
def restore(agency: AgencyId, file: File, keys_file: KeysFile = None, as_json: AsJson = False) -> None:
    """Put a backup in the database's place. Stop the agency first; start it afterwards, and its peers give back what they hold."""
    from services.backup import restore as put_back
    from services.runtime import build
    from shared.exchange.anchor import Anchor

    settings = _quiet_settings()
    made = build(settings, agency, as_owner=True)

    async def go() -> Any:
        try:
            anchor = Anchor(settings.anchor(agency))
            return await put_back(made, settings, settings.owner_database(agency), file, anchor, keys_file)
        finally:
            await made.database.close()

    view = asyncio.run(go())
    _say(view.model_dump(mode="json"), as_json, lambda _: "Restored; a new life of the database is open.\n" + view.words)


# --- figures -----------------------------------------------------------------------------------------------------------


@app.command()
def figures(
    agency: AgencyId,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="A month, as 2026-10.")] = None,
    quarter: Annotated[str | None, typer.Option(metavar="YYYY-QN", help="Or a quarter, as 2026-Q4.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the figures of a month or quarter as they were released; else what a release would publish. Nothing is released."""
    from services.figures import figures_now, in_words

    if (month is None) == (quarter is None):
        raise typer.BadParameter("name either a month, as 2026-10, or a quarter, as 2026-Q4.", param_hint="--month")

    async def work(tx: Any, here: Any) -> tuple[dict[str, Any], datetime]:
        return await figures_now(tx, here, month or quarter or ""), tx.clock.now()

    found, now = _in_database(agency, work)
    _say(found, as_json, lambda d: in_words(d, now))


# --- accounts ----------------------------------------------------------------------------------------------------------


def _in_database(agency: str, work: Callable[[Any, Any], Coroutine[Any, Any, Any]]) -> Any:
    """Runs `work(transaction, here)` in one transaction of an agency's database."""
    from services.runtime import build, check_database
    from services.settings import load_settings

    made = build(load_settings(), agency)

    async def go() -> Any:
        await check_database(made)
        try:
            async with made.database.write() as tx:
                return await work(tx, made.here)
        finally:
            await made.database.close()

    return asyncio.run(go())


def _account(account: Any) -> dict[str, Any]:
    return {"name": account.name, "role": account.role, "facility": account.facility, "disabled": account.is_disabled}


def _account_words(account: dict[str, Any]) -> str:
    where = account["facility"] or "the whole agency"
    return f"{account['name']}\t{account['role']}\t{where}{chr(9) + 'disabled' if account['disabled'] else ''}"


@users.command("add")
def users_add(
    agency: AgencyId,
    name: Annotated[str, typer.Option(help="The sign-in name.")],
    role: Annotated[str, typer.Option(help="officer, clinician, social_worker, supervisor or administrator.")],
    facility: Annotated[str | None, typer.Option(help="Where the account works; left out, it sees the whole agency.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add an account."""
    from shared.casework.accounts.commands import add_account
    from shared.casework.accounts.credentials import issue, one_time
    from shared.contracts.casework.codes import Role

    if role not in list(Role):
        raise typer.BadParameter(f"'{role}' is not one of {', '.join(Role)}.", param_hint="--role")

    first = asyncio.run(one_time())

    async def work(tx: Any, here: Any) -> dict[str, Any]:
        made = await add_account(tx, here, name, Role(role), facility)
        return {**_account(made), **_secrets(await issue(tx, made, first))}

    _say(_in_database(agency, work), as_json, lambda d: f"{_account_words(d)}\n{_secret_words(d)}")


@users.command("list")
def users_list(agency: AgencyId, as_json: AsJson = False) -> None:
    """List the accounts."""
    from sqlalchemy import select
    from sqlmodel import col

    from shared.casework.accounts.tables import Account

    async def work(tx: Any, _here: Any) -> list[dict[str, Any]]:
        return [_account(row) for row in (await tx.session.execute(select(Account).order_by(col(Account.name)))).scalars()]

    accounts = _in_database(agency, work)
    _say({"accounts": accounts}, as_json, lambda d: "\n".join(map(_account_words, d["accounts"])) or "There is no account yet.")


@users.command("disable")
def users_disable(agency: AgencyId, name: Annotated[str, typer.Option(help="The sign-in name.")]) -> None:
    """Disable an account: its tokens and sessions end, and what it held goes back to its facility."""
    from shared.casework.accounts.commands import disable_account

    _in_database(agency, lambda tx, here: disable_account(tx, here, name))
    typer.echo(f"'{name}' can no longer sign in.")


@users.command("reset")
def users_reset(agency: AgencyId, name: Annotated[str, typer.Option(help="The sign-in name.")], as_json: AsJson = False) -> None:
    """Let an account sign in again, with a one-time password and a new code card; its tokens and sessions are over."""
    from shared.casework.accounts.commands import reset_account
    from shared.casework.accounts.credentials import one_time

    first = asyncio.run(one_time())
    made = _in_database(agency, lambda tx, _here: reset_account(tx, name, first))
    _say({"name": name, **_secrets(made)}, as_json, lambda d: f"'{name}' can sign in again.\n{_secret_words(d)}")


CODES_IN_A_ROW = 5  # of a card on a terminal of 80 columns


def _secrets(issued: Any) -> dict[str, Any]:
    return {"password": issued.password, "codes": [{"number": number, "code": code} for number, code in issued.codes]}


def _secret_words(shown: dict[str, Any]) -> str:
    cells = [f"{entry['number']:>2}: {entry['code']}" for entry in shown["codes"]]
    rows = ["   ".join(cells[start : start + CODES_IN_A_ROW]) for start in range(0, len(cells), CODES_IN_A_ROW)]
    return f"One-time password: {shown['password']}\nCode card, shown once; print it and give it to nobody else:\n  " + "\n  ".join(
        rows
    )


@app.command()
def token(
    agency: AgencyId, user: Annotated[str, typer.Option("--user", help="The sign-in name.")], as_json: AsJson = False
) -> None:
    """Print a bearer token for the API; it is shown once."""
    from shared.casework.accounts.commands import make_token

    made = _in_database(agency, lambda tx, _here: make_token(tx, user))
    _say({"token": made}, as_json, lambda d: str(d["token"]))


# --- keys --------------------------------------------------------------------------------------------------------------

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
    _say(_keeper(agency).new(suite, if_none=if_none), as_json, lambda d: str(d["words"]))


@keys.command("rotate")
def keys_rotate(agency: AgencyId, suite: SuiteName = "x25519", root: RootFile = None, as_json: AsJson = False) -> None:
    """Make new keys beside the old ones, which go on opening what is under way."""
    _say(_keeper(agency).rotate(suite, root), as_json, lambda d: str(d["words"]))


@keys.command("rewrap")
def keys_rewrap(agency: AgencyId, as_json: AsJson = False) -> None:
    """Make a new wrapping key, put the keys of all cases under it, and destroy the old one. Back the keystore up again after it."""
    _say(_keeper(agency).rewrap(), as_json, lambda d: str(d["words"]))


@keys.command("revoke")
def keys_revoke(
    agency: AgencyId,
    key: Annotated[str, typer.Option("--key", help="The signing key's id, from `refnet keys list`.")],
    root: RootFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a signing key up: what was said under it until now stands, and nothing after."""
    _say(_keeper(agency).revoke(key, root), as_json, lambda d: str(d["words"]))


@keys.command("destroy")
def keys_destroy(agency: AgencyId, as_json: AsJson = False) -> None:
    """Destroy the private halves of replaced keys that nothing needs any more; of the others it says what they wait for."""
    _say(_keeper(agency).destroy(), as_json, lambda d: str(d["words"]))


@keys.command("list")
def keys_list(agency: AgencyId, as_json: AsJson = False) -> None:
    """List an agency's keys, and the fingerprints of the roots that this machine knows."""
    _say(_keeper(agency).listed(), as_json, lambda d: str(d["words"]))


# --- holds -------------------------------------------------------------------------------------------------------------

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

    settings = _quiet_settings()
    settings.network_with(agency)
    escrow = settings.escrow(agency)
    count = _renew_holder(settings, agency, holder, file) if anew and escrow.ids() else escrow.make_holder(holder, file, anew=anew)
    typer.echo(f"{said_of(holder)} has a {'new ' if anew else ''}key now. Hand {file} over, and keep no copy of it.")
    if anew:
        typer.echo(f"The old one opens nothing more: the keys of {count or 0} held cases were shared anew.")
    if lacking := escrow.lacks():
        typer.echo(f"Nothing is brought into escrow before these have one too: {', '.join(lacking)}.")


def _renew_holder(settings: Any, agency: str, holder: str, file: Path) -> int:
    from services.escrow import renew_holder
    from services.runtime import build, check_database

    made = build(settings, agency)

    async def go() -> int:
        await check_database(made)
        try:
            return await renew_holder(made.database, settings.escrow(agency), holder, file)
        finally:
            await made.database.close()

    return asyncio.run(go())


@hold.command("list")
def hold_list(agency: AgencyId, as_json: AsJson = False) -> None:
    """List the holds in force, and whether their keys are in escrow; what is not yet there is brought."""
    from services.escrow import deposit
    from services.runtime import build, check_database
    from shared.casework.cases.tables import Case
    from shared.casework.holds.commands import in_force

    settings = _quiet_settings()
    made, escrow = build(settings, agency), settings.escrow(agency)

    async def go() -> list[dict[str, Any]]:
        await check_database(made)
        try:
            await deposit(made.database, escrow)
            async with made.database.read() as tx:
                return [
                    {"id": str(one.id), "case_id": str(one.case_id), "case": (await tx.session.get_one(Case, one.case_id)).number,
                     "placed_at": one.placed_at.isoformat(), "keys_in_escrow": escrow.holds_keys(one.id)}
                    for one in await in_force(tx)
                ]  # fmt: skip
        finally:
            await made.database.close()

    rows, lacking = asyncio.run(go()), escrow.lacks()
    _say({"holds": rows, "holders_without_key": lacking}, as_json, _holds_words)


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
    from shared.kit.db import Database

    settings = _quiet_settings()
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


@app.command("shred")
def shred_all(
    agency: AgencyId, yes: Annotated[bool, typer.Option("--yes", help="Do it: nothing here is read after that.")] = False
) -> None:
    """Before this machine is taken by force: destroy its own keys, all of them. Escrow, and what other agencies hold, stay."""
    from services.escrow import shred
    from services.keys import KeyFolder

    settings = _quiet_settings()  # no network file and no passphrase: nothing that is lacking holds this up
    (keys, wrapping), private = settings.to_shred(agency), KeyFolder(settings.home, agency).private
    if not any(one is not None and one.exists() for one in (keys.file, wrapping.folder, private)):
        raise RefnetError(f"No keys of '{agency}' are at {settings.home}; correct the name, or REFNET_HOME.")
    if not yes:
        raise RefnetError(f"Nothing of {agency} is read on this machine after that, by anybody; say --yes to do it.")
    count = shred(keys, wrapping, private, datetime.now(UTC))
    typer.echo(
        f"The keys of {agency} on this machine are destroyed: {count:,} of its keystore, what wraps them, and those that sign"
        " and open."
    )


# --- what could not be applied -----------------------------------------------------------------------------------------

Sender = Annotated[str, typer.Option("--from", help="The agency that sent it.")]
EventId = Annotated[UUID, typer.Option("--event", help="The event's id, from `refnet parked list`.")]


@parked.command("list")
def parked_list(agency: AgencyId, as_json: AsJson = False) -> None:
    """List what could not be applied, and why."""
    from shared.casework.lines.views import parked as parked_view

    async def work(tx: Any, here: Any) -> list[dict[str, Any]]:
        return [row.model_dump(mode="json") for row in await parked_view(tx, here)]

    rows = _in_database(agency, work)
    line = "{received_at}  from {sender}  {type} v{version}  {event_id}\n    {reason}"
    _say({"parked": rows}, as_json, lambda d: "\n".join(line.format(**row) for row in d["parked"]) or "Nothing is parked.")


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
    from services.runtime import build, check_database
    from services.settings import load_settings
    from shared.casework.lines.commands import retry_parked

    made = build(load_settings(), agency)

    async def go() -> bool:
        await check_database(made)
        try:
            async with made.database.read() as tx:
                await _check_sender(tx, made.here, sender)
            with _or_list():
                return await retry_parked(sender, event, made.database, made.inbox)
        finally:
            await made.database.close()

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

    _in_database(agency, work)
    typer.echo(f"The event was discarded; {sender} will be told.")


# --- programmes ---------------------------------------------------------------------------------------------------------

Profile = Annotated[str, typer.Argument(metavar="PROGRAMME", help="A programme's name, or its file.")]


@programme_app.command("validate")
def programme_validate(programme: Profile, as_json: AsJson = False) -> None:
    """Say everything that is wrong with a profile, with file, line and field; or that it is good, and what of it is no fact."""
    from services.programmes import looked_at

    said = looked_at(programme)
    if as_json or said["is_good"]:
        _say(said, as_json, lambda d: str(d["words"]))
    else:
        sys.stderr.write(
            "".join(f"{words}\n" for words in (*(one["sentence"] for one in said["mistakes"]), said.get("words")) if words)
        )
    if not said["is_good"]:
        sys.exit(1)


@programme_app.command("network")
def programme_network(programme: Profile, as_json: AsJson = False) -> None:
    """Print a network file for a simulation of a programme: its facilities as often as it counts them, and who may send to whom."""
    from services.programmes import network_file

    content, text = network_file(programme)
    _say(content, as_json, lambda _: text.rstrip())


# --- what is wrong, and what we say -------------------------------------------------------------------------------------


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is wrong, in words, and what to do."""
    from services.doctor import examine
    from services.settings import load_settings

    findings = asyncio.run(examine(load_settings()))
    _say(
        {"findings": findings},
        as_json,
        lambda d: "\n".join(f"{'ok   ' if f['ok'] else 'WRONG'}  {f['words']}" for f in d["findings"]),
    )
    if not all(finding["ok"] for finding in findings):
        sys.exit(1)


@app.command()
def verify(
    what: Annotated[str, typer.Argument(metavar="AGENCY|bundle", help="An agency's id; or the word bundle, and then a file.")],
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A case's custody bundle.")] = None,
    as_json: AsJson = False,
) -> None:
    """Count an agency's database again and name every row that is not what was signed; or check a bundle, offline."""
    from dataclasses import asdict

    if what == BUNDLE:
        if file is None:
            raise typer.BadParameter("name the bundle's file.", param_hint="FILE")
        _verify_bundle(file, as_json)
        return
    from services.verify import verify_now

    with _counting("rows counted again") as progress:
        verdict = asyncio.run(verify_now(_quiet_settings(), what, progress))
    _say({**asdict(verdict), "is_good": verdict.is_good}, as_json, lambda _: verdict.words)
    if not verdict.is_good:
        sys.exit(1)


@app.command()
def bundle(
    agency: AgencyId,
    case: Annotated[str, typer.Argument(metavar="CASE", help="The case's number, or its id.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; a file that is there stays.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="The supervisor on whose word it is written; she may ask.")],
) -> None:
    """Write a case's custody bundle for a court: what this agency said and was told, with proofs. It is not encrypted."""
    from services.verify import write_bundle

    size = asyncio.run(write_bundle(_quiet_settings(), agency, case, by, file))
    typer.echo(f"{file} holds the custody bundle of case {case} of {agency}: {size:,} bytes. Check it with `refnet verify bundle`.")


def _verify_bundle(file: Path, as_json: bool) -> None:
    """Nothing but the file is read: no settings, no database, no network."""
    from dataclasses import asdict

    from shared.exchange.custody import check_file

    check = check_file(file)
    _say({**asdict(check), "is_good": check.is_good}, as_json, lambda _: check.words)
    if not check.is_good:
        sys.exit(1)


BUNDLE = "bundle"
PROGRESS_AFTER_S = 2.0  # what takes longer shows that it works, where somebody watches


@contextlib.contextmanager
def _counting(what: str) -> Iterator[Callable[[int], None]]:
    """Shows a count on a terminal from the second second on."""
    begun, shown, is_watched = time.monotonic(), 0.0, sys.stderr.isatty()

    def progress(count: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if is_watched and now - begun > PROGRESS_AFTER_S and now - shown > 1.0:
            shown = now
            sys.stderr.write(f"\r{count:,} {what}")
            sys.stderr.flush()

    yield progress
    if shown:
        sys.stderr.write("\r\033[K")


@app.command()
def openapi(agency: AgencyId) -> None:
    """Print an agency's HTTP API as OpenAPI."""
    from services.documents import openapi_of
    from services.runtime import here_of
    from services.settings import load_settings

    typer.echo(openapi_of(here_of(load_settings(), agency)), nl=False)


@app.command()
def asyncapi(agency: AgencyId) -> None:
    """Print what an agency says and hears on Kafka, as AsyncAPI."""
    from services.documents import asyncapi_of
    from services.runtime import here_of
    from services.settings import load_settings

    typer.echo(asyncapi_of(here_of(load_settings(), agency)), nl=False)


if __name__ == "__main__":
    main()
