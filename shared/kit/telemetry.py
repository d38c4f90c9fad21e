"""Logs: one line an event, JSON or for people. Words and ids only; what a person typed never goes into a log."""

import logging
import sys
import traceback
from pathlib import Path
from typing import Literal

import structlog

# Their chatter, which at its lowest level holds statements with their values; warnings still come through.
QUIET = ("aiokafka", "aiosqlite", "alembic", "asyncio", "faststream", "httpcore", "sqlalchemy", "sse_starlette", "uvicorn")

FRAMES_KEPT = 6  # the innermost ones tell where it went wrong


def _kind_only(_logger: object, _method: str, entry: structlog.types.EventDict) -> structlog.types.EventDict:
    """Of an error only its kind and where it was raised: its text may hold what a person typed."""
    given = entry.pop("exc_info", None)
    error = (
        given[1]
        if isinstance(given, tuple)
        else given
        if isinstance(given, BaseException)
        else sys.exc_info()[1]
        if given
        else None
    )
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)
        entry["because"] = type(error).__name__
        entry["at"] = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-FRAMES_KEPT:]]
    return entry


def set_up_logs(form: Literal["json", "console"]) -> None:
    """Sends everything that is logged to standard error in one form."""
    before: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _kind_only, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
