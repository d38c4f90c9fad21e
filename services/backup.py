"""Backups of an agency's database and their restore. A restored copy never goes on as if nothing had happened: it opens a new life.

Database programs are given passwords in their environment, never on their command line.
"""

import asyncio
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from uuid import UUID

import asyncpg
from sqlalchemy.engine import URL, make_url

from services.runtime import DATABASE_ERRORS, Agency, bring_up_to_date, check_database, why_no_database
from services.settings import Settings
from shared.casework.lines.recovery import RecoveryView, backup_days, recovery_of
from shared.casework.migrate import unknown_steps
from shared.exchange.anchor import Anchor, reopen
from shared.kit.db import MACHINE
from shared.kit.errors import RefnetError
from shared.kit.files import check_new, sync_file, sync_folder
from shared.kit.keystore import Keystore, id_of_copy

PROGRAM_DEADLINE_S = 3_600  # a database of ten million events is dumped in some minutes
ARCHIVE = b"PGDMP"  # what a custom-format file of pg_dump begins with
COPY = re.compile(r"^COPY (?:\w+\.)?(\w+) \(([^)]*)\) FROM stdin;$")  # where an archive's rows of a table begin, as SQL
ROWS_END = r"\."
OTHER_SESSIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL  -- another role's shows nothing more
"""
# A database may be newer than the backup: tables that the backup does not have, and that point at those it has, go too. What an
# extension brought stays.
EMPTY = """
    DO $$ BEGIN EXECUTE coalesce((
        SELECT string_agg(word, '; ' ORDER BY place) FROM (
            SELECT 1 AS place, pg_class.oid, format('DROP TABLE IF EXISTS %I.%I CASCADE', nspname, relname) AS word
            FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE nspname = current_schema() AND relkind IN ('r', 'p')
            UNION ALL SELECT 2, pg_class.oid, format('DROP SEQUENCE IF EXISTS %I.%I', nspname, relname)
            FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE nspname = current_schema() AND relkind = 'S'
            UNION ALL SELECT 3, pg_proc.oid, format('DROP FUNCTION %s', pg_proc.oid::regprocedure)
            FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace WHERE nspname = current_schema()
        ) AS stands WHERE NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = oid AND deptype = 'e')
    ), ''); END $$;
"""
BUSY_S = 5  # SQLite: whoever holds the database longer is a running agency


def back_up(url: str, file: Path, keys: Keystore | None = None, keys_file: Path | None = None) -> tuple[int, int]:
    """Writes a consistent copy of the database while the agency works, then one of its keystore, so that none of its keys is
    lacking; the one's size in bytes, and how many keys the other has. Everything that is named is looked at first, and what was
    written is taken away where the rest fails. Raises RefnetError."""
    check_new(file)
    if keys is not None and keys_file is not None:
        if keys_file.absolute() == file.absolute():
            raise RefnetError(f"The keys go into a file of their own, apart from {file}; name another with --keys.")
        check_new(keys_file)
        _ = keys.id  # that it is here
    size = _copy(make_url(url), file)
    try:
        return size, keys.back_up(keys_file) if keys is not None and keys_file is not None else 0
    except BaseException:
        file.unlink()
        raise


def _copy(url: URL, file: Path) -> int:
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    try:
        if url.get_backend_name() == "sqlite":
            _copy_sqlite(Path(url.database or ""), part)
        else:
            # Row-level security binds this user: what it is told makes all rows visible, as to the agency's own processes.
            asks = f"-c refnet.asks={MACHINE['asks']}"
            arguments = ["--format=custom", "--no-owner", "--no-privileges", "--enable-row-security", f"--file={part}"]
            _run("pg_dump", url, arguments, PGOPTIONS=asks)
        part.chmod(0o600)
        sync_file(part)  # whoever reads that it is written may take the former one away
        part.replace(file)
        sync_folder(file.parent)
    except OSError as error:
        raise RefnetError(f"The copy could not be written ({error}); look after its disk, or name another place.") from error
    finally:
        for left in ("", "-journal", "-wal", "-shm"):
            Path(f"{part}{left}").unlink(missing_ok=True)
    return file.stat().st_size


def _copy_sqlite(source: Path, target: Path) -> None:
    if not source.exists():
        raise RefnetError(f"There is no database {source.name} yet; there is nothing to back up.")
    try:
        with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
            reading.backup(writing)
            is_sound = writing.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    except sqlite3.Error as error:
        raise RefnetError(f"The copy could not be written ({error}); look after its disk, or name another place.") from error
    if not is_sound:
        raise RefnetError("The copy is damaged; the disk under the database or the copy needs looking after.")


async def restore(
    agency: Agency, settings: Settings, url: str, file: Path, anchor: Anchor, keys: Path | None = None
) -> RecoveryView:
    """Puts a backup in the database's place and opens a new life; returns what is asked of whom. Raises RefnetError.

    The agency's processes must be stopped: a copy that changes under them would be written to by both, and what they number after
    it has changed would stand in a life that is over. `keys`: a backup of the keystore, of which what is lacking here is taken over
    first; what was destroyed here stays so.
    """
    assert agency.database.keys is not None
    await asyncio.to_thread(_check, url, file)
    await _refuse_in_use_postgres(url)
    await asyncio.to_thread(_check_whose, url, file, agency, keys)
    if keys is not None:
        agency.database.keys.take(keys)
    with _in_place_of(url, file):
        await bring_up_to_date(agency, settings)
        await check_database(agency)
        with anchor.held():
            async with agency.database.write() as tx:
                await reopen(tx, anchor, agency.here.peers, "restored")
                await agency.hooks.is_older(tx)
                view = await recovery_of(tx, agency.parts.look.local_facts)
                return view.model_copy(update={"backup_days": await backup_days(tx)})


def _check(url: str, file: Path) -> None:
    """Raises RefnetError where a backup cannot be put in the database's place, before anything here has changed."""
    if not file.is_file():
        raise RefnetError(f"There is no backup {file}; name one that `refnet backup` wrote.")
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        _check_sqlite(file)
        target = Path(parsed.database or "")
        if target.is_dir():
            raise RefnetError(f"REFNET_DATABASE_URL names {target}, which is a folder; name the database's file in it.")
        if target.exists():
            _refuse_in_use(target)
    else:
        with file.open("rb") as opened:
            if opened.read(len(ARCHIVE)) != ARCHIVE:
                raise RefnetError(f"{file} is no backup of a PostgreSQL database; take another.")


def _check_whose(url: str, file: Path, agency: Agency, keys: Path | None) -> None:
    """Raises RefnetError where a backup is another agency's, or a newer version's, before the database has changed."""
    steps, keystores = (_named_in_sqlite if make_url(url).get_backend_name() == "sqlite" else _named_in_archive)(file)
    whose = agency.here.agency
    if foreign := unknown_steps(steps, agency.parts.migrations):
        raise RefnetError(
            f"{file} is of an agency of another kind, or of a newer version: the step '{min(foreign)}' in it is not known here."
            f" Take a backup of {whose}'s, or install that version; the database is as it was."
        )
    assert agency.database.keys is not None
    if any(one != (id_of_copy(keys) if keys is not None else agency.database.keys.id) for one in keystores):
        raise RefnetError(
            f"{file} belongs to another keystore than {keys or agency.database.keys.file}: take a backup of {whose}'s, or name its"
            " keystore's with --keys; the database is as it was."
        )


def _named_in_sqlite(file: Path) -> tuple[set[str], set[UUID]]:
    """The steps at which a backup's schema stands, and the keystore that it names, if it does."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as copy:
        tables = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        stands = copy.execute("SELECT version_num FROM alembic_version").fetchall() if "alembic_version" in tables else []
        named = copy.execute("SELECT keystore FROM exchange_keystore").fetchall() if "exchange_keystore" in tables else []
    return {step for (step,) in stands}, {UUID(one) for (one,) in named}


def _named_in_archive(file: Path) -> tuple[set[str], set[UUID]]:
    """The same of an archive: its rows of these two tables, as the program writes them out."""
    asked = {"alembic_version": "version_num", "exchange_keystore": "keystore"}
    script = _run("pg_restore", None, ["--data-only", *(f"--table={table}" for table in asked), "--file=-", str(file)])
    found: dict[str, set[str]] = {table: set() for table in asked}
    table, place = "", 0
    for line in script.splitlines():
        if begins := COPY.match(line):
            table, place = begins[1], begins[2].split(", ").index(asked[begins[1]])
        elif line == ROWS_END:
            table = ""
        elif table:
            found[table].add(line.split("\t")[place])
    return found["alembic_version"], set(map(UUID, found["exchange_keystore"]))


@contextmanager
def _in_place_of(url: str, file: Path) -> Iterator[None]:
    """Puts a backup in the database's place. Where what is done with it then fails, an SQLite database is put back as it was; of
    PostgreSQL one goes on where it stopped."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        _put_postgres(file, parsed)
        yield
        return
    target = Path(parsed.database or "")
    aside = _put_sqlite(file, target)
    try:
        yield
    except BaseException:
        _move_sqlite(aside, target)
        raise
    _move_sqlite(aside, None)


def _move_sqlite(database: Path, to: Path | None) -> None:
    """Moves a database with what belongs to it, in the place of another's; or takes it away."""
    for part in ("-wal", "-shm", ""):
        beside = Path(f"{database}{part}")
        if to is None or not beside.exists():
            Path(f"{to or database}{part}").unlink(missing_ok=True)
        else:
            beside.replace(f"{to}{part}")


def _check_sqlite(file: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            sound = copy.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            known = copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'exchange_incarnations'").fetchone()
    except sqlite3.DatabaseError:
        sound, known = False, None
    if not sound or known is None:
        raise RefnetError(f"{file} is no sound backup of an agency's database; take another.")


def _put_sqlite(file: Path, target: Path) -> Path:
    """Puts a copy in the database's place; returns where the former lies now, if there was one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        _refuse_in_use(target)
    fresh, aside = target.with_suffix(".restoring"), target.with_suffix(".replaced")
    try:
        shutil.copyfile(file, fresh)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise RefnetError(
            f"{fresh} cannot be written ({error.strerror}); the database is as it was. Look after its disk."
        ) from error
    # Its log too: replayed into the copy it would damage it. What a restore that was cut off has put aside stays there.
    _move_sqlite(target, None if aside.exists() else aside)
    fresh.replace(target)
    return aside


async def _refuse_in_use_postgres(url: str) -> None:
    if make_url(url).get_backend_name() == "sqlite":
        return
    try:
        connection = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))
    except DATABASE_ERRORS as error:
        raise RefnetError(why_no_database(error)) from error
    try:
        others = await connection.fetchval(OTHER_SESSIONS)
    finally:
        await connection.close()
    if others:
        raise RefnetError("The database is in use; stop the agency's processes, then restore.")


def _refuse_in_use(target: Path) -> None:
    with closing(sqlite3.connect(target, timeout=BUSY_S)) as held:
        try:
            held.execute("PRAGMA locking_mode=EXCLUSIVE")
            held.execute("BEGIN EXCLUSIVE")
            held.rollback()
        except sqlite3.OperationalError as error:
            raise RefnetError("The database is in use; stop the agency's processes, then restore.") from error
        except sqlite3.DatabaseError:
            return  # what is damaged is replaced


def _put_postgres(file: Path, url: URL) -> None:
    """Empties the database and puts a copy in, both or neither: whoever reads what the one program writes ends the transaction
    only once that has come to its end, and a connection that is lost before leaves the database as it was."""
    # What a copy has beyond the agency's schema is taken away by what it writes itself.
    argv, _ = _program("pg_restore", None, ["--clean", "--if-exists", "--no-owner", "--no-privileges", "--file=-", str(file)])
    into, environment = _program("psql", url, ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"])
    environment["PGOPTIONS"] = "-c client_min_messages=warning"  # it would name each thing that goes with another
    with (
        TemporaryFile() as why,
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=why) as reading,
        subprocess.Popen(into, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=why) as writing,
    ):
        late = Timer(PROGRAM_DEADLINE_S, _kill, (reading, writing))
        late.start()
        try:
            assert reading.stdout is not None
            assert writing.stdin is not None
            with suppress(BrokenPipeError):  # it ends at its first error, and says which
                writing.stdin.write(f"BEGIN;{EMPTY}".encode())
                shutil.copyfileobj(reading.stdout, writing.stdin)
                writing.stdin.write(b"COMMIT;\n" if reading.wait() == 0 else b"")
            with suppress(BrokenPipeError):
                writing.stdin.close()
            reading.stdout.close()  # who is still writing ends
            done = {"psql": writing.wait(), "pg_restore": reading.wait()}
        finally:
            late.cancel()
            _kill(reading, writing)
        if any(done.values()):
            why.seek(0)
            raise _did_not("psql" if done["psql"] else "pg_restore", why.read().decode(errors="replace"))


def _kill(*programs: "subprocess.Popen[bytes]") -> None:
    for program in programs:
        program.kill()


def _run(program: str, url: URL | None, arguments: list[str], **more: str) -> str:
    """What a database program writes out; `url` where it works on a database. Raises RefnetError."""
    argv, environment = _program(program, url, arguments)
    try:
        done = subprocess.run(
            argv, env=environment | more, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=PROGRAM_DEADLINE_S,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise _did_not(program, f"it was ended after {PROGRAM_DEADLINE_S // 60} minutes: something may hold a table") from error
    if done.returncode != 0:
        raise _did_not(program, done.stderr)
    return done.stdout


def _program(program: str, url: URL | None, arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """A database program's words and environment; `url` where it works on a database. Raises RefnetError."""
    path = shutil.which(program) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)), None)
    if path is None:
        raise RefnetError(f"{program} is not installed; install PostgreSQL's client programs of the server's version.")
    options, environment = [], dict(os.environ)
    if url is not None:
        named = {"--host": url.host, "--port": url.port, "--username": url.username, "--dbname": url.database}
        options = ["--no-password", *(f"{name}={value}" for name, value in named.items() if value)]
        environment |= {"PGPASSWORD": str(url.password)} if url.password else {}
    return [path, *options, *arguments], environment


def _did_not(program: str, said: str) -> RefnetError:
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["no reason given"]
    return RefnetError(f"{program} did not do its part: {next((line for line in lines if 'error:' in line.lower()), lines[-1])}")
