"""Every command of `refnet` with what should not have been typed: one plain sentence, exit code 1 or 2, and nothing half-written.

The commands and what they take are asked from the command line itself, so that a new one is covered by being there.
"""

import resource
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import typer
import yaml
from schema import sqlite_at_head

import services.demo
from services import cli
from services.keeper import Keeper
from services.settings import TAKES, load_settings

NOBODY = "00000000-0000-7000-8000-000000000000"
ENDLESS = {"serve", "web", "worker", "demo"}  # with nothing wrong they go on until they are stopped
SMALL_FILE_BYTES = 512  # as on a disk that is full after that
# What is right, by what the help calls it: one thing at a time is wrong.
RIGHT = {
    "AGENCY": "police", "AGENCY|bundle|evidence": "bundle", "HOLDER": "court", "HOLD": NOBODY, "CASE": "P-2026-00001",
    "--name": "nobody", "--user": "nobody", "--role": "officer", "--from": "health", "--event": NOBODY, "--key": "00",
    "--by": "nobody", "--to": "age1nobody", "--because": "The court asked for it",
}  # fmt: skip
ARE_THERE = {"restore", "verify", "hold open", "programme validate"}  # commands whose files are read


@dataclass(frozen=True)
class Machine:
    """A machine of the desk's, and a folder for what commands write."""

    home: Path
    out: Path

    def files(self) -> set[str]:
        """Whatever lies here, but for what marks that a file is in use."""
        found = {str(file) for folder in (self.home, self.out) for file in folder.rglob("*") if file.is_file()}
        return {file for file in found if not file.endswith((".lock", "-wal", "-shm"))}


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    subcommands = getattr(command, "commands", None)
    if subcommands is None:
        yield path, command
    for name, one in (subcommands or {}).items():
        yield from leaves(one, (*path, name))


COMMANDS = dict(leaves(typer.main.get_command(cli.app)))


def called(param: Any) -> str:
    return max(param.opts, key=len) if param.param_type_name == "option" else str(param.metavar or param.name.upper()).strip("[]")


def kind_of(param: Any) -> Any:
    kind = param.type_descriptor.annotation
    return next((one for one in (Path, UUID, int, bool, str) if one is kind or one in getattr(kind, "__args__", ())), None)


def wrong(param: Any, machine: Machine) -> list[str]:
    """What no command may take for this."""
    kind, name = kind_of(param), called(param)
    if param.type_descriptor.choices is not None:
        return ["foo", ""]
    if kind is Path:
        out = machine.out
        return [
            str(out / "file" / "x"),
            str(out / "folder"),
            str(out / "none" / "x"),
            "/proc/x/y",
            str(out / "file"),
            "x" * 300,
            "",
        ]
    if kind is UUID:
        return ["zzz", ""]
    if kind is int:
        return ["x", "0", "70000"]
    if kind is bool:
        return []
    return ["x" * 300, *(["nobody", "../police", ""] if name == "AGENCY" else [])]


def typed(command: tuple[str, ...], spoilt: Any, value: str, machine: Machine) -> list[str]:
    """A command line with everything that it needs, and one thing that is wrong."""
    words = list(command)
    for param in COMMANDS[command].params:
        if param is not spoilt and not param.required:
            continue
        name = called(param)
        right = RIGHT.get(name, "1" if kind_of(param) is int else "x")
        if kind_of(param) is Path:
            right = str(machine.out / ("there" if " ".join(command) in ARE_THERE else "fresh"))
        given = value if param is spoilt else right
        words += [name, given] if param.param_type_name == "option" else [given]
        words += [name, right] if param.multiple and param.required else []
    return words


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    home = tmp_path_factory.mktemp("machine")
    out = tmp_path_factory.mktemp("out")
    (out / "file").write_text("no database, no key, no bundle")
    (out / "folder").mkdir()
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
    (home / "network.yaml").write_text(yaml.safe_dump({**content, "purpose": "test"}))
    sqlite_at_head(home / "police.db", "police")
    with pytest.MonkeyPatch.context() as patch:
        for name in TAKES:
            patch.delenv(name, raising=False)
        patch.setenv("REFNET_HOME", str(home))
        Keeper(load_settings(), "police", datetime(2026, 1, 5, tzinfo=UTC), lambda _: "").new("x25519")
        for words in (("users", "list", "police"), ("backup", "police", str(out / "there")), ("verify", "police")):
            patch.setattr(sys, "argv", ["refnet", *words])  # what a made-up network makes by itself is there after this
            cli.main()
        kept = {kind: signal.getsignal(kind) for kind in (signal.SIGTERM, signal.SIGHUP)}
        yield Machine(home, out)
        for kind, handler in kept.items():  # which `demo` takes for itself
            signal.signal(kind, handler)


@dataclass(frozen=True)
class Answer:
    code: object
    out: str
    err: str


def ask(words: list[str], patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answer:
    patch.setattr(sys, "argv", ["refnet", *words])
    code: object = 0
    try:
        cli.main()
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    return Answer(code, said.out, said.err)


def check_refused(answer: Answer, words: list[str]) -> None:
    """In sentences, each on a line of its own, and by an exit code."""
    assert answer.code in (1, 2), (words, answer)
    said = (answer.err or answer.out).strip().splitlines()
    assert said, (words, answer)
    for line in said:
        assert line.endswith((".", "?")), (words, line)
        assert not any(shibboleth in line for shibboleth in ("Traceback", "Errno", "Error(", "Value error", "Input should")), line


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_is_typed_wrong_is_refused_in_a_sentence_and_leaves_nothing(
    command: tuple[str, ...], machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = machine.files()
    for param in COMMANDS[command].params:
        for value in wrong(param, machine) if called(param) != "--help" else []:
            words = typed(command, param, value, machine)
            check_refused(ask(words, monkeypatch, capsys), words)
            assert machine.files() == before, words
    nonsense = [*command, "--no-such-option"]
    check_refused(ask(nonsense, monkeypatch, capsys), nonsense)


OF_ALL = [{"REFNET_HOME": "file/x"}, {"REFNET_NETWORK": "folder"}, {"REFNET_DATABASE_URL": "sqlite:///folder"}]
OF_ONE = [  # what every command reads in one place
    {"REFNET_NETWORK": "file"}, {"REFNET_NETWORK": "none"}, {"REFNET_LOG": "loud"}, {"REFNET_ESCROW": "file"},
    {"REFNET_EXCHANGE_PORT": "x"}, {"REFNET_BASE_URL": "clinic"}, {"REFNET_DATABASE_URL": "nonsense"},
    {"REFNET_DATABASE_URL": "postgresql://desk:hunter2@127.0.0.1:1/none"}, {"KAFKA_BOOTSTRAP_SERVERS": "a b"},
]  # fmt: skip


def set_environment(given: dict[str, str], machine: Machine, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(machine.out)
    for name, value in given.items():
        patch.setenv(name, value)


@pytest.mark.parametrize("given", OF_ALL, ids=str)
def test_an_environment_that_is_wrong_is_named_by_every_command(
    given: dict[str, str], machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = machine.files()
    set_environment(given, machine, monkeypatch)
    for command in COMMANDS:
        if (command[0] in ENDLESS and "REFNET_DATABASE_URL" in given) or (command == ("demo",) and "REFNET_HOME" not in given):
            continue  # a process waits for its database; a demo has its own of everything but the folder
        words = typed(command, None, "", machine)
        answer = ask(words, monkeypatch, capsys)
        if answer.err:
            check_refused(answer, words)
            assert machine.files() == before, words
        before = machine.files()  # what does not need it has done its part


@pytest.mark.parametrize("given", OF_ONE, ids=str)
def test_a_wrong_variable_is_named_and_no_password_is_shown(
    given: dict[str, str], machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_environment(given, machine, monkeypatch)
    answer = ask(["users", "list", "police"], monkeypatch, capsys)
    check_refused(answer, [])
    assert any(words in answer.err for words in (next(iter(given)), "The network file file", "No database answers")), answer
    assert "hunter2" not in answer.err


@pytest.mark.parametrize("command", [one for one in COMMANDS if one[0] not in ENDLESS], ids=" ".join)
def test_a_full_disk_leaves_nothing_half_written(
    command: tuple[str, ...], machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, (soft, hard) = machine.files(), resource.getrlimit(resource.RLIMIT_FSIZE)
    words = typed(command, None, "", machine)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_FILE_BYTES, hard))
    try:
        answer = ask(words, monkeypatch, capsys)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    if answer.err:
        check_refused(answer, words)
        assert machine.files() == before, words
    for file in {*machine.files()} - before:
        Path(file).unlink()


WAYS_OUT = [
    ("hold open police nope --with x", "HOLD takes the hold's id, from `refnet hold list`, not 'nope'"),
    (f"parked retry police --from nobody --event {NOBODY}", "--from takes one of health, social_welfare."),
    (f"parked discard police --from nobody --event {NOBODY}", "--from takes one of health, social_welfare."),
    (f"parked retry police --from health --event {NOBODY}", "`refnet parked list` shows what is parked."),
    (f"parked discard police --from health --event {NOBODY}", "`refnet parked list` shows what is parked."),
    ("parked retry police --from health --event zzz", "--event takes the event's id, from `refnet parked list`, not 'zzz'"),
    ("keys rotate police --suite foo", "--suite takes x25519 or hybrid, not 'foo'"),
    ("serve police --port 0", "--port takes a whole number from 1 to 65535, not '0'"),
    ("users add police --name a --role officer --facility y", "its facilities are: masaiti_vsu, ndola_central_vsu."),
    ("users add police --name a --role clinician", "its roles are: administrator, officer, supervisor."),
    ("users add police --name a --role mayor", "'mayor' is not one of officer, clinician,"),
    ("users disable police --name nobody", "`refnet users list` shows them."),
    ("reconcile police --with nobody", "its peers are health, social_welfare."),
    ("verify nobody", "it has health, police, social_welfare."),
    ("provision --renew nobody", "--renew takes one of health, police, social_welfare."),
    ("demo --programme nowhere", "known are: "),
    ("hold holder police mayor x", "the holders are agency, court, protection_officer."),
    ("programmme", "`refnet --help` says how it is typed."),
]  # fmt: skip


@pytest.mark.parametrize(("words", "way_out"), WAYS_OUT, ids=[words for words, _ in WAYS_OUT])
def test_what_there_is_not_is_said_with_what_there_is(
    words: str, way_out: str, machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    answer = ask(words.split(), monkeypatch, capsys)
    check_refused(answer, words.split())
    assert way_out in answer.err


def test_a_backup_is_whole_or_not_there(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, keys = machine.out / "one", machine.out / "none" / "keys"
    for more in (["--keys", str(keys)], ["--keys", str(one)]):
        check_refused(ask(["backup", "police", str(one), *more], monkeypatch, capsys), more)
        assert not one.exists()
    keys = machine.out / "keys"
    assert ask(["backup", "police", str(one), "--keys", str(keys)], monkeypatch, capsys).code == 0
    assert (one.stat().st_mode & 0o777, keys.stat().st_mode & 0o777) == (0o600, 0o600)
    kept = load_settings().keystore("police")
    before = kept.id
    with_keys = ["restore", "police", str(machine.out / "file"), "--keys", str(keys)]
    assert "no sound backup of an agency's database" in ask(with_keys, monkeypatch, capsys).err
    assert kept.id == before
    one.unlink()
    keys.unlink()
