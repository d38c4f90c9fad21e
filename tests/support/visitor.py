"""A browser without JavaScript, for tests over HTTP: it keeps cookies, reads forms and sends them as they stand.

What it cannot find on a page cannot be done by a person either.
"""

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Form:
    """One form of a page: where it goes and what its fields hold."""

    action: str
    method: str = "get"
    fields: dict[str, list[str]] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)  # what radios, checks and selects offer
    buttons: list[tuple[str, str, str]] = field(default_factory=list)  # name, value, formaction
    ids: set[str] = field(default_factory=set)


@dataclass
class Page:
    """An answer, as far as a person sees it."""

    status: int
    path: str
    text: str
    headers: httpx.Headers
    forms: list[Form] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    words: str = ""

    def form(self, action: str) -> Form:
        """The form that goes to an address; an AssertionError names those that there are."""
        for one in self.forms:
            if one.action == action:
                return one
        raise AssertionError(f"{self.path} ({self.status}) has no form to {action}, only {[f.action for f in self.forms]}")


class _Reader(HTMLParser):
    """Collects forms, links and words."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.forms: list[Form] = []
        self.by_id: dict[str, Form] = {}
        self.links: list[str] = []
        self.words: list[str] = []
        self.ids: Counter[str] = Counter()
        self.meant: set[str] = set()  # forms that a button names
        self._form: Form | None = None
        self._select: tuple[Form, str] | None = None
        self._area: tuple[Form, str] | None = None
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids.update([given["id"]] if "id" in given else [])
        self.meant.update([given["form"]] if "form" in given else [])
        if tag in {"script", "style"}:
            self._silent += 1
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "form":
            self._form = Form(given.get("action") or self.path, given.get("method", "get"))
            self.forms.append(self._form)
            if "id" in given:
                self.by_id[given["id"]] = self._form
        form = self.by_id.get(given.get("form", ""), self._form)
        if form is None:
            return
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "input":
            self._read_input(form, given, name, value)
        elif tag in {"select", "option"}:
            self._read_select(tag, form, given)
        elif tag == "textarea":
            self._area = (form, name)
            form.fields[name] = [""]
        elif tag == "button":
            form.buttons.append((name, value, given.get("formaction", "")))

    def _read_select(self, tag: str, form: Form, given: dict[str, str]) -> None:
        if tag == "select":
            self._select = (form, given["name"])
            form.choices[given["name"]] = []
        elif self._select:
            form, name = self._select
            form.choices[name].append(given.get("value", ""))
            if "selected" in given or name not in form.fields:
                form.fields[name] = [given.get("value", "")]

    def _read_input(self, form: Form, given: dict[str, str], name: str, value: str) -> None:
        if given.get("type") in {"radio", "checkbox"}:
            form.choices.setdefault(name, []).append(value or "on")
            if "checked" in given:
                form.fields.setdefault(name, []).append(value or "on")
        elif name:
            form.fields.setdefault(name, []).append(value)  # a browser sends each of several

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._silent -= 1
        if tag == "form":
            self._form = None
        if tag == "select":
            self._select = None
        if tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area:
            self._area[0].fields[self._area[1]][0] += data
        if data.strip() and not self._silent:
            self.words.append(" ".join(data.split()))


def read_page(answer: httpx.Response) -> Page:
    """The page that an answer holds."""
    path = answer.request.url.raw_path.decode()
    page = Page(answer.status_code, path, answer.text, answer.headers)
    if "html" in answer.headers.get("content-type", ""):
        reader = _Reader(answer.request.url.path)
        reader.feed(answer.text)
        twice = [one for one, count in reader.ids.items() if count > 1]
        assert not twice, f"{path} has several of {twice}: a label would tick a box that is not its own"
        assert reader.meant <= reader.by_id.keys(), (
            f"{path} lacks {reader.meant - reader.by_id.keys()}: a button there does nothing"
        )
        page.forms, page.links, page.words = reader.forms, reader.links, " ".join(reader.words)
    return page


class Visitor:
    """Somebody before a browser at one agency."""

    def __init__(self, app: object | None, *, language: str = "en", base: str = "http://agency") -> None:
        """At an application in this process, or without one at whoever listens at `base`."""
        transport = httpx.ASGITransport(app, raise_app_exceptions=False) if app is not None else None  # type: ignore[arg-type]
        headers = {"Accept-Language": language}
        self.addresses: set[str] = set()  # asked for, redirected to, or offered by a page as a link or a form
        hooks = {"response": [self._note_address]}
        self.client = httpx.AsyncClient(
            transport=transport, base_url=base, headers=headers, follow_redirects=True, event_hooks=hooks
        )

    async def _note_address(self, answer: httpx.Response) -> None:
        self.addresses |= {str(answer.request.url), answer.headers.get("location", "")}

    def _read(self, answer: httpx.Response) -> Page:
        page = read_page(answer)
        self.addresses |= {*page.links, *(form.action for form in page.forms)}
        return page

    async def open(self, path: str) -> Page:
        """A page, after its redirects."""
        return self._read(await self.client.get(path, headers=OWN_PAGE))

    async def send(self, form: Form, /, button: tuple[str, str] | None = None, **fields: object) -> Page:
        """Sends a form: what stands in it, with some fields filled in. A choice that the form does not offer is an error."""
        values = {name: list(found) for name, found in form.fields.items()}
        for name, value in fields.items():
            given = [str(v) for v in value] if isinstance(value, list | tuple) else [str(value)]
            offered = form.choices.get(name)
            assert offered is None or set(given) <= set(offered), f"{name} offers {offered}, not {given}"
            assert offered is not None or name in form.fields, f"the form to {form.action} has no field '{name}'"
            values[name] = given
        if button is not None:
            assert any(button == (n, v) for n, v, _ in form.buttons), f"no button {button} among {form.buttons}"
            values[button[0]] = [button[1]]
        if form.method.lower() == "get":
            return self._read(await self.client.get(form.action, params=values, headers=OWN_PAGE))
        return self._read(await self.client.post(form.action, data=values, headers=OWN_PAGE))

    async def close(self) -> None:
        """Gives the connection back."""
        await self.client.aclose()
