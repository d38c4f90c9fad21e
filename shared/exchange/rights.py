"""Who may do what at the broker: each agency writes its own lanes and reads those that lead to it, and nothing else is allowed.

aiokafka knows neither users nor rights, so confluent-kafka's AdminClient makes them. Everything here can be repeated.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from shared.contracts.wire.topics import direction_of
from shared.exchange.access import Access, BrokerUnreachable, not_the_operator
from shared.kit.errors import RefnetError

ANSWER_TIMEOUT_S = 20.0  # a broker that is up answers in 0.05 s; a quorum that is just electing takes a few seconds
SCRAM_ITERATIONS = 4096  # Kafka's least, and RFC 7677's; a password made here has 192 bits, which no number of rounds makes safer
ANY_HOST = "*"
EVERYBODY = "User:*"  # whoever the broker lets in at all
EVERYTHING = "*"  # as the name of what a right is on
# Of a topic: shows that it is there and how it is set; nobody reads or writes by it.
SHOWS = frozenset({AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS})
GROUPS = ("exchange", "express")  # after the agency's id and a dot: the consumer groups that its worker has
# Of the cluster itself: all else lets whoever has it change rights, settings or copies of every lane.
HARMLESS = frozenset({AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS, AclOperation.IDEMPOTENT_WRITE})
SILENT = 0  # librdkafka writes to standard error what comes back as an error anyway


@dataclass(frozen=True, slots=True)
class Admitted:
    """What was changed at the broker, each in words for its operator; `keeps_rights` is False where the broker lets everybody do
    everything, so that nothing could be changed. `users` are those that were given a password. `open` is what everybody may do that
    opens this network and is on other things too, `seen` what only shows it or is not on our groups; neither is ours to take."""

    keeps_rights: bool
    changes: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()

    def insist(self) -> None:
        """Raises OpenToEverybody where something opens this network still: once all else is done."""
        if self.open:
            raise OpenToEverybody(
                f"At the broker {self.open[0]}, which opens this network's lanes and more; take that right from {EVERYBODY} by the"
                " broker's own tool, then run this again."
            )


def rights_of(topics: Iterable[str]) -> frozenset[AclBinding]:
    """The rights that the exchange's topics call for: writing to its sender, reading to its recipient, and each recipient's own
    consumer groups, whose names begin with its id and a dot. Seeing a topic goes with either."""
    rights = set()
    for topic in topics:
        way = direction_of(topic)
        rights.add(_right(way.sender, ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, AclOperation.WRITE))
        rights.add(_right(way.recipient, ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, AclOperation.READ))
        rights.add(_right(way.recipient, ResourceType.GROUP, f"{way.recipient}.", ResourcePatternType.PREFIXED, AclOperation.READ))
    return frozenset(rights)


async def admit(access: Access, topics: Sequence[str], passwords: Mapping[str, str], renewed: Iterable[str] = ()) -> Admitted:
    """Gives every agency of these topics exactly its rights, and a user where it has none; `passwords` are theirs by agency.
    What its operator denies stays denied. What everybody may do with these topics and groups alone is taken; where such a right
    is on more than them it stays, and is in the answer.

    A user that exists keeps its password unless it is among the `renewed`. An agency without a password here gets no user: it
    comes with a certificate, or has one already. Raises BrokerUnreachable.
    """
    try:
        return await asyncio.to_thread(_admit, access, rights_of(topics), passwords, frozenset(renewed))
    except _KeepsNone:
        return Admitted(keeps_rights=False)


async def dismiss(access: Access, agency: str) -> Admitted:
    """Takes an agency's user and all its rights away. Raises BrokerUnreachable."""
    try:
        return await asyncio.to_thread(_dismiss, access, agency)
    except _KeepsNone:
        return Admitted(keeps_rights=False)


async def open_to_everybody(access: Access, topics: Sequence[str]) -> list[str]:
    """What everybody may do at the broker with these topics, their agencies' groups or the cluster, in words. Only its operator is
    told. Raises BrokerUnreachable."""
    try:
        opening = await asyncio.to_thread(lambda: _opening(_Admin(access), topics))
    except _KeepsNone:
        return []
    return sorted(map(_words, opening))


async def keeps_rights(access: Access) -> bool:
    """Whether the broker keeps rights at all, as far as is known: one that does may tell its operator alone."""
    try:
        await asyncio.to_thread(lambda: _Admin(access).rights([EVERYBODY]))
    except _KeepsNone:
        return False
    except BrokerUnreachable:
        return True
    return True


def _opening(admin: "_Admin", topics: Iterable[str]) -> list[AclBinding]:
    lanes = frozenset(topics)
    return [right for right in _everybodys(admin, lanes) if not _only_shows(right, lanes)]


def _everybodys(admin: "_Admin", lanes: frozenset[str]) -> list[AclBinding]:
    return [right for right in _given(admin.rights([EVERYBODY])) if _opens(right, lanes)]


def _only_shows(right: AclBinding, lanes: frozenset[str]) -> bool:
    """Whether nobody reads or writes by a right: it shows topics, or is on a group that begins like ours and is none of ours."""
    if right.restype is ResourceType.TOPIC:
        return right.operation in SHOWS
    is_literal = right.resource_pattern_type is ResourcePatternType.LITERAL
    return right.restype is ResourceType.GROUP and is_literal and right.name not in _groups(lanes) | {EVERYTHING}


def _opens(right: AclBinding, lanes: frozenset[str]) -> bool:
    """Whether a right that everybody has is on anything of this network's."""
    is_prefix = right.resource_pattern_type is ResourcePatternType.PREFIXED
    if right.restype is ResourceType.TOPIC:
        return any(lane.startswith(right.name) if is_prefix else right.name in (lane, EVERYTHING) for lane in lanes)
    if right.restype is ResourceType.GROUP:
        begins = tuple(f"{agency}." for agency in _agencies(lanes))
        covers = is_prefix and any(one.startswith(right.name) for one in _groups(lanes))
        return right.name == EVERYTHING or covers or right.name.startswith(begins)
    return right.restype is ResourceType.BROKER and right.operation not in HARMLESS


def _agencies(lanes: Iterable[str]) -> set[str]:
    ways = [direction_of(lane) for lane in lanes]
    return {agency for way in ways for agency in (way.sender, way.recipient)}


def _groups(lanes: Iterable[str]) -> set[str]:
    """The consumer groups of these agencies' workers."""
    return {f"{agency}.{group}" for agency in _agencies(lanes) for group in GROUPS}


def _is_on_ours_alone(right: AclBinding, lanes: frozenset[str]) -> bool:
    is_a_lane = right.restype is ResourceType.TOPIC and right.name in lanes
    is_a_group = right.restype is ResourceType.GROUP and right.name in _groups(lanes)
    return right.resource_pattern_type is ResourcePatternType.LITERAL and (is_a_lane or is_a_group)


def _admit(access: Access, wanted: frozenset[AclBinding], passwords: Mapping[str, str], renewed: frozenset[str]) -> Admitted:
    admin = _Admin(access)
    agencies = sorted({right.principal for right in wanted})
    lanes = frozenset(right.name for right in wanted if right.restype is ResourceType.TOPIC)
    everybodys = _everybodys(admin, lanes)
    ours = frozenset(right for right in everybodys if _is_on_ours_alone(right, lanes))
    beyond = [right for right in everybodys if right not in ours]
    held = admin.rights(agencies)
    missing, surplus = wanted - held, _given(held - wanted) | ours
    admin.give(missing)
    admin.take(surplus)
    users = admin.users(passwords)
    made = sorted(agency for agency in passwords if agency not in users or agency in renewed)
    admin.set_passwords({agency: passwords[agency] for agency in made})
    changes = [f"gave {_words(right)}" for right in sorted(missing, key=_words)]
    changes += [f"took {_words(right)}" for right in sorted(surplus, key=_words)]
    changes += [f"{'set the new password of' if agency in users else 'made'} the user {agency}" for agency in made]
    opens = sorted(_words(right) for right in beyond if not _only_shows(right, lanes))
    seen = sorted(_words(right) for right in beyond if _only_shows(right, lanes))
    return Admitted(keeps_rights=True, changes=tuple(changes), users=tuple(made), open=tuple(opens), seen=tuple(seen))


def _dismiss(access: Access, agency: str) -> Admitted:
    admin = _Admin(access)
    held = _given(admin.rights([_principal(agency)]))
    admin.take(held)
    changes = [f"took {_words(right)}" for right in sorted(held, key=_words)]
    if agency in admin.users([agency]):
        admin.delete_user(agency)
        changes.append(f"removed the user {agency}")
    return Admitted(keeps_rights=True, changes=tuple(changes))


def _given(rights: Iterable[AclBinding]) -> frozenset[AclBinding]:
    """Those that allow: nothing here makes one that denies, so whoever did it meant it."""
    return frozenset(right for right in rights if right.permission_type == AclPermissionType.ALLOW)


class _Admin:
    """The broker's administration, asked and answered one thing at a time; every refusal is one sentence."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._client = AdminClient({**access.librdkafka(), "log_level": SILENT})

    def rights(self, principals: Sequence[str]) -> frozenset[AclBinding]:
        """What these may do now."""
        found: set[AclBinding] = set()
        for principal in principals:
            try:
                found |= set(self._ask(self._client.describe_acls, _held_by(principal)))
            except _Refused as refused:
                raise self._unreachable(refused) from refused
        return frozenset(found)

    def give(self, rights: Iterable[AclBinding]) -> None:
        self._each(self._client.create_acls, list(rights))

    def take(self, rights: Iterable[AclBinding]) -> None:
        self._each(self._client.delete_acls, [_exactly(right) for right in rights])

    def users(self, names: Iterable[str]) -> frozenset[str]:
        """Those of the names that have a password at the broker."""
        known = set()
        for name in names:
            try:
                self._ask(self._client.describe_user_scram_credentials, [name], key=name)
                known.add(name)
            except _Refused as refused:
                if refused.code != KafkaError.RESOURCE_NOT_FOUND:
                    raise self._unreachable(refused) from refused
        return frozenset(known)

    def set_passwords(self, passwords: Mapping[str, str]) -> None:
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, SCRAM_ITERATIONS)
        self._each(
            self._client.alter_user_scram_credentials,
            [UserScramCredentialUpsertion(name, info, word.encode()) for name, word in passwords.items()],
        )

    def delete_user(self, name: str) -> None:
        self._each(self._client.alter_user_scram_credentials, [UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512)])

    def _each(self, what: Callable[..., Mapping[Any, "Future[Any]"]], things: list[Any]) -> None:
        if not things:
            return
        try:
            for future in what(things, request_timeout=ANSWER_TIMEOUT_S).values():
                _answer(future)
        except _Refused as refused:
            raise self._unreachable(refused) from refused

    def _ask(self, what: Callable[..., Any], about: Any, key: Any = None) -> Any:
        asked = what(about, request_timeout=ANSWER_TIMEOUT_S)
        return _answer(asked[key] if key is not None else asked)

    def _unreachable(self, refused: "_Refused") -> Exception:
        if refused.code == KafkaError.SECURITY_DISABLED:
            return _KeepsNone()
        if refused.code == KafkaError.CLUSTER_AUTHORIZATION_FAILED:
            return not_the_operator(self._access)
        where = self._access.bootstrap_servers
        return BrokerUnreachable(f"The broker at {where} did not set users and rights ({refused}); look at its log and try again.")


class OpenToEverybody(RefnetError):
    """The broker lets everybody do what opens this network, by a right that is on other things too: its operator takes it away."""


class _KeepsNone(Exception):
    """The broker has no authorizer: it says so only when it is asked to change something."""


class _Refused(Exception):
    """The broker's no, with Kafka's code."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(error.name())
        self.code = error.code()


def _answer(future: "Future[Any]") -> Any:
    try:
        return future.result(ANSWER_TIMEOUT_S)
    except KafkaException as error:
        raise _Refused(error.args[0]) from error
    except TimeoutError as error:
        raise _Refused(KafkaError(KafkaError.REQUEST_TIMED_OUT)) from error


def _principal(agency: str) -> str:
    return f"User:{agency}"


def _right(agency: str, kind: ResourceType, name: str, pattern: ResourcePatternType, may: AclOperation) -> AclBinding:
    return AclBinding(kind, name, pattern, _principal(agency), ANY_HOST, may, AclPermissionType.ALLOW)


def _held_by(principal: str) -> AclBindingFilter:
    anything: Any = None  # of a name or host: the library's own types forget that a filter may leave them open
    return AclBindingFilter(
        ResourceType.ANY, anything, ResourcePatternType.ANY, principal, anything, AclOperation.ANY, AclPermissionType.ANY
    )


def _exactly(right: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        right.restype, right.name, right.resource_pattern_type, right.principal, right.host, right.operation, right.permission_type
    )


def _words(right: AclBinding) -> str:
    name = f"{right.name}…" if right.resource_pattern_type is ResourcePatternType.PREFIXED else right.name
    may, kind = AclOperation(right.operation).name.lower(), ResourceType(right.restype).name.lower()
    who = "everybody may" if right.principal == EVERYBODY else right.principal.removeprefix("User:")
    return f"{who} {may} on {kind} {name}"
