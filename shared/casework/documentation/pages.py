"""Page: the API of this agency, read from its OpenAPI document. It asks no other host for anything, and needs no JavaScript.

Technical, so in English only, as the document itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from fastapi import APIRouter, Request, Response

from shared.casework.edge import OneEdge

router = APIRouter(include_in_schema=False)

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of what is sent or answered."""

    name: str
    kind: str
    is_needed: bool
    words: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    tag: str
    method: str
    path: str
    words: str
    parameters: Sequence[Field]
    sent: Sequence[Field]
    answers: Sequence[tuple[str, str, Sequence[Field]]]


@router.get("/docs")
async def show_api(request: Request, edge: OneEdge) -> Response:
    """Every address with what it takes and answers."""
    document = request.app.openapi()
    found = sorted(_operations(document), key=lambda one: (one.tag, one.path, one.method))
    by_tag = [(tag, list(group)) for tag, group in groupby(found, key=lambda one: one.tag)]
    return edge.pages.show(request, "documentation/api.html", by_tag=by_tag, info=document["info"], count=len(found))


def _operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    schemas = document.get("components", {}).get("schemas", {})
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            taken = [
                Field(p["name"], f"{p['in']}, {_kind(p.get('schema', {}))}", p.get("required", False), p.get("description", ""))
                for p in one.get("parameters", ())
            ]
            body = one.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema", {})
            answers = [
                (status, said.get("description", ""), _fields(said.get("content", {}).get(JSON, {}).get("schema", {}), schemas))
                for status, said in one.get("responses", {}).items() if status.startswith("2")
            ]  # fmt: skip
            words = one.get("description") or one.get("summary", "")
            yield Operation((one.get("tags") or [""])[0], method.upper(), path, words, taken, _fields(body, schemas), answers)


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[Field]:
    """The fields of an object that a schema is, or is a list of; none of anything else."""
    schema = schema.get("items", schema)
    whole = schemas.get(schema.get("$ref", "").rsplit("/", 1)[-1], schema)
    needed = set(whole.get("required", ()))
    return [
        Field(name, _kind(one), name in needed, one.get("description", "")) for name, one in whole.get("properties", {}).items()
    ]


def _kind(schema: Mapping[str, Any]) -> str:
    """What a schema holds, in a word or two."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    either = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if either:
        return " or ".join(dict.fromkeys(map(_kind, either)))
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or schema.get("const") or "any")
