"""What one kind of agency adds to the shared parts; each services/<kind>/main.py makes one of these."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter
from sqlmodel import SQLModel

from shared.casework.alarms.watcher import Watch
from shared.casework.figures.on_time import watch_releases
from shared.casework.pages.frame import Look
from shared.casework.protocols.watch import watch_protocols
from shared.casework.registers.commands import forget_entries
from shared.casework.vocabulary import Contents
from shared.contracts.casework.authority import SERVING
from shared.contracts.casework.codes import AgencyKind


@dataclass(frozen=True, slots=True)
class AgencyParts:
    """The routes, tables, migrations, table of contents and look of a kind of agency."""

    kind: AgencyKind
    routers: Sequence[APIRouter]
    tables: Sequence[type[SQLModel]]
    migrations: Path
    subscriptions: Contents
    look: Look
    watches: Sequence[Watch] = ()  # what this kind of agency alone looks at on the watcher's clock

    @property
    def watched(self) -> Sequence[Watch]:
        """What it looks at: its own, and what every agency that serves owes an oversight body and its registers."""
        return (*self.watches, *((watch_protocols, watch_releases, forget_entries) if self.kind in SERVING else ()))
