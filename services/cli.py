"""The `refnet` command. Every error is one sentence on standard error; exit codes are 0, 1 (failed) and 2 (usage)."""

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from services.carry_commands import carry
from services.hold_commands import hold
from services.key_commands import keys
from services.parked_commands import parked
from services.station_commands import station
from services.terminal import FAILED, USAGE, AgencyId, AsJson, Because, in_database, progress, say, why
from services.user_commands import users
from shared.kit.collector import no_collector
from shared.kit.errors import RefnetError
from shared.kit.heap import steady_heap

PORTS = {"police": 8001, "health": 8002, "social_welfare": 8003, "oversight": 8004, "partner": 8005, "justice": 8006}
LOOPBACK = "127.0.0.1"
HOST = re.compile(r"[^\s/:@]{1,253}|[0-9A-Fa-f:]{2,45}")  # a name as long as DNS has them, or an address of IPv6

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Referrals between agencies.")
programme_app = typer.Typer(no_args_is_help=True, help="Programmes: the profiles of countries, as docs/programmes says.")
app.add_typer(users, name="users")
app.add_typer(keys, name="keys")
app.add_typer(parked, name="parked")
app.add_typer(hold, name="hold")
app.add_typer(programme_app, name="programme")
app.add_typer(carry, name="carry")
app.add_typer(station, name="station")

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


def _settings_with_logs() -> Any:
    """The settings of a process, once its logs are as they say."""
    from services.settings import load_settings
    from shared.kit.telemetry import set_up_logs

    settings = load_settings()
    set_up_logs(settings.log)
    return settings


# --- processes ---------------------------------------------------------------------------------------------------------


def _serve(agency: str, host: str, port: int | None, *, with_worker: bool) -> None:
    no_collector()
    steady_heap()
    from services import serve as serving
    from services.runtime import build

    settings = _settings_with_logs()
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
    steady_heap()
    from services import serve as serving
    from services.runtime import build

    settings = _settings_with_logs()
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
    say(made, as_json, lambda d: "\n".join(d["said"]) or "Everything is there already.")


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
    say({"made": made}, as_json, lambda d: "\n".join(f"made {name}" for name in d["made"]) or "Every certificate is there already.")


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
        sys.exit(FAILED)


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
    from services.settings import load_settings

    reports, recovery = asyncio.run(reconcile_now(load_settings(), agency, peer))
    data = {"peers": [asdict(report) for report in reports], "recovery": recovery.model_dump(mode="json")}
    say(data, as_json, lambda _: "\n".join([*(report.words for report in reports), *([recovery.words] if recovery.peers else [])]))
    if not all(report.in_step for report in reports):
        sys.exit(FAILED)


@app.command()
def backup(agency: AgencyId, file: File, keys_file: KeysFile = None) -> None:
    """Write a copy of an agency's database while it works, and of its cases' keys. Keep the two apart, the anchor out of both."""
    from services.backup import back_up
    from services.settings import load_settings

    settings = load_settings()
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
    from services.settings import load_settings
    from shared.exchange.anchor import Anchor

    settings = load_settings()
    made = build(settings, agency, as_owner=True)

    async def go() -> Any:
        try:
            anchor = Anchor(settings.anchor(agency))
            return await put_back(made, settings, settings.owner_database(agency), file, anchor, keys_file)
        finally:
            await made.database.close()

    view = asyncio.run(go())
    say(view.model_dump(mode="json"), as_json, lambda _: "Restored; a new life of the database is open.\n" + view.words)


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

    found, now = in_database(agency, work)
    say(found, as_json, lambda d: in_words(d, now))


# --- accounts ----------------------------------------------------------------------------------------------------------


@app.command()
def token(
    agency: AgencyId, user: Annotated[str, typer.Option("--user", help="The sign-in name.")], as_json: AsJson = False
) -> None:
    """Print a bearer token for the API; it is shown once."""
    from shared.casework.accounts.commands import make_token

    made = in_database(agency, lambda tx, _here: make_token(tx, user))
    say({"token": made}, as_json, lambda d: str(d["token"]))


# --- the machine's own keys ---------------------------------------------------------------------------------------------


@app.command("shred")
def shred_all(
    agency: AgencyId, yes: Annotated[bool, typer.Option("--yes", help="Do it: nothing here is read after that.")] = False
) -> None:
    """Before this machine is taken by force: destroy its own keys, all of them. Escrow, and what other agencies hold, stay."""
    from services.escrow import shred
    from services.keys import KeyFolder
    from services.settings import load_settings

    settings = load_settings()  # no network file and no passphrase: nothing that is lacking holds this up
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


# --- programmes ---------------------------------------------------------------------------------------------------------

Profile = Annotated[str, typer.Argument(metavar="PROGRAMME", help="A programme's name, or its file.")]


@programme_app.command("validate")
def programme_validate(programme: Profile, as_json: AsJson = False) -> None:
    """Say everything that is wrong with a profile, with file, line and field; or that it is good, and what of it is no fact."""
    from services.programmes import looked_at

    said = looked_at(programme)
    if as_json or said["is_good"]:
        say(said, as_json, lambda d: str(d["words"]))
    else:
        sys.stderr.write(
            "".join(f"{words}\n" for words in (*(one["sentence"] for one in said["mistakes"]), said.get("words")) if words)
        )
    if not said["is_good"]:
        sys.exit(FAILED)


@programme_app.command("network")
def programme_network(programme: Profile, as_json: AsJson = False) -> None:
    """Print a network file for a simulation of a programme: its facilities as often as it counts them, and who may send to whom."""
    from services.programmes import network_file

    content, text = network_file(programme)
    say(content, as_json, lambda _: text.rstrip())


# --- what is wrong, and what we say -------------------------------------------------------------------------------------


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is wrong, in words, and what to do."""
    from services.doctor import examine
    from services.settings import load_settings

    findings = asyncio.run(examine(load_settings()))
    say(
        {"findings": findings},
        as_json,
        lambda d: "\n".join(f"{'ok   ' if f['ok'] else 'WRONG'}  {f['words']}" for f in d["findings"]),
    )
    if not all(finding["ok"] for finding in findings):
        sys.exit(FAILED)


@app.command()
def verify(
    what: Annotated[
        str,
        typer.Argument(metavar="AGENCY|bundle|evidence", help="An agency's id; or bundle or evidence, and then a file."),
    ],
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A case's custody bundle, or evidence.")] = None,
    identity: Annotated[
        Path | None, typer.Option("--identity", metavar="KEYFILE", help="The age key that opens the file, where it is encrypted.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count an agency's database again and name every row that is not what was signed; or check a bundle or evidence, offline."""
    from dataclasses import asdict

    if what in {BUNDLE, EVIDENCE}:
        if file is None:
            raise typer.BadParameter(f"name the file of the {what}.", param_hint="FILE")
        _verify_file(what, file, identity, as_json)
        return
    from services.settings import load_settings
    from services.verify import verify_now

    with progress("rows counted again") as step:
        verdict = asyncio.run(verify_now(load_settings(), what, step))
    say({**asdict(verdict), "is_good": verdict.is_good}, as_json, lambda _: verdict.words)
    if not verdict.is_good:
        sys.exit(FAILED)


@app.command()
def bundle(
    agency: AgencyId,
    case: Annotated[str, typer.Argument(metavar="CASE", help="The case's number, or its id.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; a file that is there stays.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="The supervisor on whose word it is written; she may ask.")],
    to: Annotated[str, typer.Option("--to", metavar="KEY", help="The public key of whoever shall read it (age1…).")],
    because: Because = "",
    purpose: Annotated[
        Literal["court_order", "complaint", "she_asked"], typer.Option("--for", help="What it is handed out for.")
    ] = "court_order",
) -> None:
    """Write a case's custody bundle for a court: what this agency said and was told, with proofs. Asks for the supervisor's PIN."""
    from services.settings import load_settings
    from services.verify import write_bundle
    from shared.casework.exports.commands import Wish
    from shared.casework.exports.domain import Purpose

    wish = Wish(Purpose(purpose), why(because), to)
    pin = typer.prompt(f"PIN of {by}", hide_input=True, err=True)
    size = asyncio.run(write_bundle(load_settings(), agency, case, by, pin, wish, file))
    typer.echo(f"{file} holds the custody bundle of case {case} of {agency}: {size:,} bytes, for the holder of that key alone.")


@app.command()
def evidence(
    agency: AgencyId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; a file that is there stays.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="The supervisor on whose word it is written.")],
    to: Annotated[str, typer.Option("--to", metavar="KEY", help="The public key of whoever shall read it (age1…).")],
    because: Because = "",
    purpose: Annotated[Literal["court_order", "complaint"], typer.Option("--for", help="What it is handed out for.")] = "complaint",
) -> None:
    """Write what other agencies signed and was refused here, forked or parked, for a third party. Asks for the supervisor's PIN."""
    from services.settings import load_settings
    from services.verify import write_bundle
    from shared.casework.exports.commands import Wish
    from shared.casework.exports.domain import Purpose

    wish = Wish(Purpose(purpose), why(because), to)
    pin = typer.prompt(f"PIN of {by}", hide_input=True, err=True)
    size = asyncio.run(write_bundle(load_settings(), agency, None, by, pin, wish, file))
    typer.echo(f"{file} holds evidence that {agency} keeps of other agencies: {size:,} bytes, for the holder of that key alone.")


def _verify_file(what: str, file: Path, identity: Path | None, as_json: bool) -> None:
    """Nothing but the files is read: no settings, no database, no network."""
    from dataclasses import asdict

    from shared.exchange.custody import check_file
    from shared.exchange.evidence import check_evidence_file

    check = check_file(file, identity) if what == BUNDLE else check_evidence_file(file, identity)
    say({**asdict(check), "is_good": check.is_good}, as_json, lambda _: check.words)
    if not check.is_good:
        sys.exit(FAILED)


BUNDLE, EVIDENCE = "bundle", "evidence"


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
