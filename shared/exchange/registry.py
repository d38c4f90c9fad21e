"""An agency's table of contents: which handler takes which event. Unknown types and versions are parked, never dropped."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from pydantic import BaseModel, ValidationError

from shared.contracts.wire.envelope import Event
from shared.kit.db import Transaction
from shared.kit.errors import Coded, RefnetError

FIELDS_NAMED_MAX = 5  # of a contract that does not fit: one says what is wrong, and the sentence stays one that is read


class Unappliable(RefnetError):
    """This version of the software cannot apply the event: it is stored, receipted and parked."""


class Unauthorised(RefnetError):
    """The sender may not say this: wrong kind of agency, or no party to the subject. Stored, receipted and parked."""


class NotForHere(Unauthorised):
    """No agency may ever say this to one of this kind: that it came is kept and shown, and no word of it."""


class Unready(RefnetError):
    """What the event is about is not here yet: this agency was restored and its own words are still coming home. It waits."""


@dataclass(frozen=True, slots=True)
class Received:
    """An opened event on its way to its handler; `data` is the validated contract model, `incarnation` the sender's life."""

    id: UUID
    sender: str
    incarnation: UUID
    type: str
    dataversion: int
    subject: UUID
    occurred_at: datetime
    recorded_at: datetime
    consent_id: UUID | None
    circle_version: int | None
    data: Any


@dataclass(frozen=True, slots=True)
class Returned:
    """A word of this agency's own that its recipient gave back after a restore; `data` as it was said."""

    id: UUID
    type: str
    dataversion: int
    subject: UUID
    occurred_at: datetime
    recorded_at: datetime
    consent_id: UUID | None
    data: dict[str, Any]


Handler = Callable[[Received, Transaction], Awaitable[None]]
ManyHandler = Callable[[Sequence[Received], Transaction], Awaitable[None]]
Check = Callable[[Sequence[Received], Transaction], Awaitable[None]]


async def of_itself(received: Sequence[Received], tx: Transaction) -> None:
    """The check of what a peer says of the line to it and of nothing else: any may."""


class Hooks(Protocol):
    """What an agency wants to be told by the exchange, inside the same transaction.

    `acts_first`: the types of our own words that are put into our records before all others when they come home.
    """

    acts_first: frozenset[str]

    async def delivered(self, event_ids: list[UUID], at: datetime, tx: Transaction) -> None:
        """The recipient's signature covers these events of ours."""

    async def sent(self, event_ids: list[UUID], at: datetime, tx: Transaction) -> None:
        """The broker has taken these events of ours."""

    async def withheld(self, sender: str, event_id: UUID, subject: UUID, tx: Transaction) -> None:
        """An event that was applied here before is withheld by its sender now: it acts as a request to cancel."""

    async def related(self, subjects: list[UUID], tx: Transaction) -> list[UUID]:
        """Further subjects that handlers of these will lock: the inbox locks them together, in one order with every command."""

    async def came_home(self, recipient: str, words: list[Returned], tx: Transaction) -> frozenset[UUID]:
        """Our own words that `recipient` gave back after a restore, to be put into our records in this order.

        Returns the ids of those that cannot be put there before the peer has said again what they are about.
        """

    async def never_told(self, recipient: str, event_ids: list[UUID], tx: Transaction) -> None:
        """Events of ours that were withheld in a life that is lost, whether or not this one knows of them: `recipient` gave their
        blank places back, and takes no words for them any more."""

    async def held(self, tx: Transaction) -> Collection[UUID]:
        """The subjects whose words are not cleared, by order of a court."""

    async def is_older(self, tx: Transaction) -> None:
        """The database turned out to be an older copy of itself, and a new life of it was opened."""
        ...

    async def trouble(self, kind: str, peer: str, detail: dict[str, Any], tx: Transaction) -> None:
        """Something a person must look at: `parked`, `fork`, `unopenable`, `root_mismatch`, `reopened`, `not_put_home`, `overfull`,
        `cleared`, `head_refused`, `looks_lost`, `rewritten`, `key_given_up`, `key_lost`."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One event type and version, its contract model, who may say it, and its handler. `waits` is False for what never waits.

    `check` raises Unauthorised, or Unready, where any of several events of the type was not its sender's to say: then no handler
    sees it. `many` takes several events of the type at once, in their order, and leaves what the handler would leave one by one. It
    locks no further subject, so that the inbox need not ask for any. `never` is the refusal of what a sender may not say whatever
    it is about, where that is known before its words are read: it waits for nothing.
    """

    event_type: str
    dataversion: int
    model: type[BaseModel]
    check: Check
    handler: Handler
    waits: bool = True
    many: ManyHandler | None = None
    never: Callable[[str], Unauthorised | None] | None = None


class Registry:
    """The subscriptions of one agency."""

    def __init__(self, subscriptions: list[Subscription]) -> None:
        self._by_type = {(s.event_type, s.dataversion): s for s in subscriptions}
        self._places = {s: place for place, s in enumerate(subscriptions)}
        if len(self._by_type) != len(subscriptions):
            raise ValueError("an event type and version has two handlers")

    def and_also(self, subscription: Subscription) -> "Registry":
        """This table of contents with one more entry."""
        return Registry([*self._by_type.values(), subscription])

    @property
    def subscriptions(self) -> list[Subscription]:
        """All of them, in the order given."""
        return list(self._by_type.values())

    @property
    def unwaiting(self) -> set[str]:
        """The types that never wait for a predecessor, in some version."""
        return {s.event_type for s in self._by_type.values() if not s.waits}

    def waits(self, event: Event) -> bool:
        """Whether the event must come after its predecessor."""
        known = self._by_type.get((event.type, event.dataversion))
        return known is None or known.waits

    def never(self, event: Event, sender: str) -> Unauthorised | None:
        """The refusal of what the sender may not say here whatever it is about; None of everything else."""
        known = self._by_type.get((event.type, event.dataversion))
        return known.never(sender) if known is not None and known.never is not None else None

    def together(self, event: Event) -> tuple[int, ManyHandler] | None:
        """Where an event's type stands among those that are taken several at once, in the order given, and what takes them."""
        known = self._by_type.get((event.type, event.dataversion))
        return None if known is None or known.many is None else (self._places[known], known.many)

    def resolve(self, event: Event, sender: str, incarnation: UUID) -> tuple[Subscription, Received]:
        """What takes the event, and what to give to its check and its handler; raises Unappliable."""
        subscription = self._by_type.get((event.type, event.dataversion))
        if subscription is None:
            raise Unappliable(
                "“%(type)s” version %(version)s is not known here; update this agency's software.",
                type=Coded(event.type, "line"), version=event.dataversion,
            )  # fmt: skip
        try:
            data = subscription.model.model_validate(event.data)
        except ValidationError as error:
            known = subscription.model.model_fields  # a name that is none of ours was chosen by the sender: it is not repeated
            named = {str(e["loc"][0]) if e["loc"] and e["loc"][0] in known else "a field that is not known" for e in error.errors()}
            fields = ", ".join(sorted(named)[:FIELDS_NAMED_MAX])
            raise Unappliable(
                "“%(type)s” does not fit its contract at: %(fields)s.", type=Coded(event.type, "line"), fields=fields
            ) from None
        received = Received(
            event.id, sender, incarnation, event.type, event.dataversion, event.subject, event.time, event.recordedtime,
            event.consentid, event.circleversion, data,
        )  # fmt: skip
        return subscription, received
