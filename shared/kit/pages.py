"""Server-rendered pages: templates from rooms, translated; headers that leave nothing in caches and run nothing inline."""

import hmac
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import govuk_frontend_jinja  # type: ignore[import-untyped]
from babel.support import NullTranslations
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import BytecodeCache, ChainableUndefined, Environment, FileSystemLoader, PrefixLoader, select_autoescape
from jinja2.bccache import Bucket
from markupsafe import Markup
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kit.i18n import SOURCE, catalogue, is_rtl

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
SAFE_HEADERS = [
    (b"content-security-policy", CONTENT_POLICY.encode()),
    # Not "no-referrer": with it browsers call the origin of our own forms "null".
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]


# Around a text that has no translation, until its page is whole: only then is it known whether an element can stand there.
SOURCE_BEGINS, SOURCE_ENDS = "\ue000", "\ue001"
TAG = re.compile(r"(<[^>]*>)")
TEXT_ALONE = frozenset({"title", "option", "textarea", "script", "style"})  # elements in which no element can stand


def as_source(text: str, words: NullTranslations) -> str:
    """A text in a language that runs from right to left. One that has no translation is marked: among words that run the other way
    its full stop would stand at its beginning."""
    said = words.gettext(text)
    return f"{SOURCE_BEGINS}{said}{SOURCE_ENDS}" if said == text and any(map(str.isalpha, text)) else said


def _source_as_such(page: str) -> str:
    """What is marked stands as text of the source's language and direction; in attributes and titles between isolating marks."""
    parts, inside = TAG.split(page), ""
    for place, part in enumerate(parts):
        if part.startswith("<"):
            name = part[1:].strip("/>").split(" ", 1)[0].split("\n", 1)[0].lower()
            if name in TEXT_ALONE:
                inside = "" if part.startswith("</") else name
        if SOURCE_BEGINS not in part and SOURCE_ENDS not in part:
            continue
        begins, ends = ("\u2066", "\u2069") if inside or part.startswith("<") else (f'<span lang="{SOURCE}" dir="ltr">', "</span>")
        parts[place] = part.replace(SOURCE_BEGINS, begins).replace(SOURCE_ENDS, ends)
    return "".join(parts)


class Compiled(BytecodeCache):
    """What templates compile to, once a process: it is the same in every language."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Puts in what is known of this source."""
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keeps what was compiled."""
        self._kept[bucket.key, bucket.checksum] = bucket.code


COMPILED = Compiled()


def sayings(words: NullTranslations, *, marks: bool = False) -> dict[str, Callable[..., Markup]]:
    """The functions by which a template says a text, `%(name)s` in it filled and escaped; `marks`: what has no translation
    is marked.

    The template engine's own look a text up, mark it as safe and fill it through three calls each time that a row says it: with
    fifty rows a quarter of the page. Here a text without anything to fill in is made once; a template's texts are a few hundred.
    """

    @cache
    def known(text: str) -> Markup:
        return Markup(as_source(text, words) if marks else words.gettext(text))  # noqa: S704 — a template's own text, or its translation

    @cache
    def whole(text: str) -> Markup:
        return known(text) % {}

    def gettext(text: str, **values: object) -> Markup:
        return known(text) % values if values else whole(text)

    def ngettext(singular: str, plural: str, num: int, **values: object) -> Markup:
        said = words.ngettext(singular, plural, num)
        said = f"{SOURCE_BEGINS}{said}{SOURCE_ENDS}" if marks and said in {singular, plural} else said
        return Markup(said) % {"num": num, **values}  # noqa: S704 — as above

    return {"_": gettext, "gettext": gettext, "ngettext": ngettext}


class Templates:
    """The templates of an application, in every language. `rooms` gives the folder of each prefix; a page is "room/page.html"."""

    def __init__(self, rooms: Mapping[str, Path], catalogues: Path, globals_: Mapping[str, Any]) -> None:
        govuk = Path(govuk_frontend_jinja.__file__).parent / "templates"
        folders = {**rooms, "govuk_frontend_jinja": govuk}
        self._loader = PrefixLoader({name: FileSystemLoader(folder) for name, folder in folders.items()})
        self._catalogues, self._globals = catalogues, globals_
        self._environments: dict[str, Environment] = {}

    def render(self, name: str, language: str, context: Mapping[str, Any]) -> str:
        """The page as HTML."""
        page = self._environment(language).get_template(name).render(context)
        return _source_as_such(page) if SOURCE_BEGINS in page else page

    def _environment(self, language: str) -> Environment:
        # One environment a language: imported macros see the globals only, and gettext is one of them.
        known = self._environments.get(language)
        if known is not None:
            return known
        made = Environment(
            loader=self._loader,
            autoescape=select_autoescape(),
            undefined=ChainableUndefined,  # GOV.UK's macros ask for parameters that nobody gave
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
            auto_reload=False,
            bytecode_cache=COMPILED,
            cache_size=-1,
        )
        made.globals.update({**sayings(catalogue(self._catalogues, language), marks=is_rtl(language)), **self._globals})
        return self._environments.setdefault(language, made)


def html(body: str, status: int = 200) -> HTMLResponse:
    """An HTML answer."""
    return HTMLResponse(body, status)


class CachedFiles(StaticFiles):
    """Style and script: kept by browsers for good, because another content has another address."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """As the framework answers, with the life of the copy."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


class SafeHeaders:
    """Every answer that a browser could show gets the headers of a page that holds people's facts; nothing is cached."""

    def __init__(self, app: ASGIApp, cached_under: str = "/static/") -> None:
        self._app, self._cached_under = app, cached_under

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        cached = scope["path"].startswith(self._cached_under)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message["headers"]}
                extra = [(n, v) for n, v in SAFE_HEADERS if n not in names]
                if not cached and b"cache-control" not in names:
                    extra.append((b"cache-control", b"no-store"))
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        await self._app(scope, receive, with_headers)


def is_same_site(request: Request) -> bool:
    """Whether a browser says that a request came from our own page: Sec-Fetch-Site, or Origin where there is none."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is None or origin == f"{request.url.scheme}://{request.headers.get('host', '')}"


def same_token(given: str, expected: str) -> bool:
    """Compares tokens in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())
