"""The generated documents of an agency: OpenAPI from its routes, AsyncAPI from the published language."""

import json

from fastapi import FastAPI

from services.kinds import parts_of
from services.runtime import asyncapi_of as _asyncapi_of
from shared.casework.app import create_app
from shared.casework.edge import Edge
from shared.casework.here import Here
from shared.casework.lines.handlers import ExchangeHooks
from shared.casework.pages.frame import Pages
from shared.exchange.inbox import Inbox
from shared.exchange.registry import Registry
from shared.kit.db import Database


def app_of(here: Here) -> FastAPI:
    """The routes of an agency, for whoever only reads what they are."""
    database = Database("sqlite://")  # nothing is opened
    parts = parts_of(here.kind)
    pages = Pages(here, parts.look, is_secure=True)
    edge = Edge(database, here, Inbox(database, Registry([]), ExchangeHooks(here)), pages)
    return create_app(edge, parts.routers, dict)


def openapi_of(here: Here) -> str:
    """The OpenAPI document, as it is committed."""
    return _written(app_of(here).openapi())


def asyncapi_of(here: Here) -> str:
    """The AsyncAPI document, as it is committed."""
    return _written(_asyncapi_of(here))


def _written(document: dict[str, object]) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
