"""The demo's start page: three roles, one click each. It runs beside the agencies and knows nothing but their addresses."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse

from shared.casework.pages.frame import GLOBALS, LOCALES, PAGE_LANGUAGES, STATIC, STATIC_VERSION, marks
from shared.kit.i18n import SOURCE, catalogue, is_rtl, language_name
from shared.kit.i18n import mark as _
from shared.kit.pages import CONTENT_POLICY, CachedFiles, SafeHeaders, Templates, html

TEMPLATES = Path(__file__).parent / "templates"
BASE = Path(__file__).parents[2] / "shared" / "casework" / "pages" / "templates"
STOP_S = 5.0  # how long an open page may hold the end up
LABEL_WORDS = (_("on this machine"), _("trial courier: it forgets everything when this program stops"))  # of a broker's label
ROLES = ("police", "health", "social_welfare")


def start_app(addresses: dict[str, str], accounts: dict[str, list[tuple[str, str]]], label: str, *, forgets: bool) -> FastAPI:
    """The application: `addresses` and `accounts` (name and role) by agency."""
    templates = Templates({"start": TEMPLATES, "pages": BASE}, LOCALES, GLOBALS)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    # The forms here go to the agencies' own ports.
    policy = CONTENT_POLICY.replace("form-action 'self'", f"form-action {' '.join(addresses.values())}")
    app.add_middleware(SafeHeaders)
    app.mount("/static", CachedFiles(directory=STATIC))

    @app.get("/")
    async def show_start(request: Request, language: Annotated[str, Query()] = SOURCE) -> HTMLResponse:
        chosen = language if language in PAGE_LANGUAGES else SOURCE
        context = {
            "request": request, "addresses": addresses, "accounts": accounts, "roles": ROLES,
            "label": _label(label, chosen), "forgets": forgets,
            "language": chosen, "direction": "rtl" if is_rtl(chosen) else "ltr", "static_version": STATIC_VERSION,
            "languages": [(tag, language_name(tag)) for tag in PAGE_LANGUAGES], **marks(chosen),
        }  # fmt: skip
        response = html(templates.render("start/start.html", chosen, context))
        response.headers["Content-Security-Policy"] = policy
        return response

    return app


def _label(label: str, language: str) -> str:
    """The broker's label with its words in a language; names and versions stay as they are."""
    for words in LABEL_WORDS:
        label = label.replace(words, catalogue(LOCALES, language).gettext(words))
    return label


@contextmanager
def serving(app: FastAPI, port: int) -> Iterator[None]:
    """Serves the start page in a thread of its own while the block runs."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="off"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # signals are the demo's own
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(STOP_S)
