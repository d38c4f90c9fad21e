"""What was typed wrong, in one plain sentence with the way out: the parser's own words are for whoever wrote the command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import typer
from pydantic import ValidationError

from shared.kit.errors import RefnetError

TAIL = "`%s --help` says how it is typed"


def in_a_sentence(error: typer.TyperException) -> str:
    """What was wrong about a command line; empty where the help was shown instead."""
    said = error.format_message().strip().removeprefix("Invalid value for ")
    if not said:
        return ""
    context: Any = getattr(error, "ctx", None)
    command = context.command_path.strip() if context is not None else "refnet"
    param: Any = getattr(error, "param", None)
    wrong = error.__cause__
    if param is not None and isinstance(wrong, ValidationError):
        first = wrong.errors()[0]
        said = f"{_name(param)} takes {_expected(param)}, not '{first['input']}'"
    return f"{said.rstrip('.')}; {TAIL % command}."


def _name(param: Any) -> str:
    return max(param.opts, key=len) if param.param_type_name == "option" else str(param.metavar or param.name.upper())


def _expected(param: Any) -> str:
    """What a parameter takes, in words."""
    kind = param.type_descriptor
    if kind.choices is not None:
        return _one_of([str(choice) for choice in kind.choices])
    if kind.is_ranged:
        info = kind.parameter_info
        return f"a whole number from {info.min} to {info.max}"
    if kind.annotation is UUID:
        return (param.help or "An id.").rstrip(".").replace("The ", "the ", 1)
    return {int: "a whole number", float: "a number"}.get(kind.annotation, "something else")


def _one_of(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


def no_place(error: OSError) -> RefnetError:
    """What a file or folder could not do, where no command has a better sentence for it."""
    name = error.filename if isinstance(error.filename, str | Path) else None
    where = f"{name} cannot be used" if name else "A file or folder cannot be used"
    return RefnetError(f"{where} ({error.strerror or type(error).__name__}); look after it, or name another.")
