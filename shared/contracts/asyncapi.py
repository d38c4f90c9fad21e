"""The AsyncAPI 3 document of one agency, generated from the published language: what it says and hears, on which topic."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.contracts.casework.authority import EVERY_WAY, Authority
from shared.contracts.casework.events import Event, json_schema
from shared.contracts.wire.envelope import Event as Envelope
from shared.contracts.wire.topics import Direction

Said = Mapping[str, Sequence[type[Event]]]  # by peer


def document(agency: str, said: Said, heard: Said) -> dict[str, Any]:
    """AsyncAPI 3.0: a channel a topic, a message an event version, what is sent and what is received."""
    schemas: dict[str, Any] = {}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    used: dict[str, type[Event]] = {}
    for action, events_by_peer in (("send", said), ("receive", heard)):
        for peer, kinds in sorted(events_by_peer.items()):
            way = Direction(agency, peer) if action == "send" else Direction(peer, agency)
            used |= {_name(kind): kind for kind in kinds}
            for topic in (way.topic, way.express_topic):
                channel = topic.replace(".", "_")
                channels[channel] = {
                    "address": topic,
                    "description": "Every record is a sealed envelope; a message's payload is the event inside it.",
                    "messages": {_name(kind): {"$ref": f"#/components/messages/{_name(kind)}"} for kind in kinds},
                }
                operations[f"{action}_{channel}"] = {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}
    messages = {name: _message(kind, schemas) for name, kind in sorted(used.items())}
    _add_schema(Envelope.model_json_schema(), "envelope", schemas)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"Referral network: {agency}",
            "version": "1",
            "description": "Events between agencies. Codes only: no name, address, phone, free text or birth date crosses.",
        },
        "defaultContentType": "application/octet-stream",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _name(kind: type[Event]) -> str:
    return f"{kind.type}.v{kind.version}".replace(".", "_")


def _message(kind: type[Event], schemas: dict[str, Any]) -> dict[str, Any]:
    name = _name(kind)
    schema = {key: part for key, part in json_schema(kind).items() if key not in {"$schema", "$id"}}
    _add_schema(schema, name, schemas)
    return {
        "name": kind.type,
        "title": f"{kind.type}, version {kind.version}",
        "summary": (kind.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/octet-stream",
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/envelope"},
                {"type": "object", "properties": {"data": {"$ref": f"#/components/schemas/{name}"}}},
            ]
        },
        "x-party": kind.authority.party,
        "x-ways": _ways(kind.authority),
        "x-never-waits": kind.never_waits,
    }


def _ways(authority: Authority) -> str | list[str]:
    if authority.ways == EVERY_WAY:
        return "any that serves to any that serves"
    return sorted(f"{sender} to {recipient}" for sender, recipient in authority.ways)


def _add_schema(schema: dict[str, Any], name: str, schemas: dict[str, Any]) -> None:
    for part, content in schema.pop("$defs", {}).items():
        schemas[part] = _moved(content)
    schemas[name] = _moved(schema)


def _moved(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            key: value.replace("#/$defs/", "#/components/schemas/") if key == "$ref" else _moved(value)
            for key, value in part.items()
        }
    return [_moved(one) for one in part] if isinstance(part, list) else part
