"""Catalogues from the words in code and templates: extracted by Babel, kept as .po files beside the pages."""

from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from shared.kit.i18n import SOURCE

LANGUAGES = ("en", "fr", "fa_AF", "ps")
FOLDER = Path("shared/casework/locales")
SOURCES = ("shared", "services")
METHODS = [("**/node_modules/**", "ignore"), ("**.py", "python"), ("**/templates/**.html", "jinja2.ext:babel_extract")]
OPTIONS = {"**/templates/**.html": {"extensions": "jinja2.ext.i18n,jinja2.ext.do", "trim_blocks": "true", "lstrip_blocks": "true"}}
REFUSALS = {  # a refusal's sentence is a text of the pages too; after its first argument where that names a field
    "Conflict": (1,), "NotFound": (1,), "Forbidden": (1,), "Stale": (1,), "StaleConsent": (1,), "StaleForm": (1,), "TooBusy": (1,),
    "StillRunning": (1,), "DatabaseAway": (1,), "DatabaseFull": (1,), "NoSafeAdult": (1,),
    "WeakSecret": (2,), "MissingDetail": (2,), "IllegalTransition": (1,),
    "Unauthorised": (1,), "Unappliable": (1,), "EndingUnclear": (1,), "LineChanged": (2,),
    "TooManyStreams": (1,), "KeyReused": (1,), "KeyMissing": (1,), "VersionMissing": (1,), "OutOfSight": (1,),
    "SeesNoCase": (1,), "HeldBack": (1,), "SecondDose": (1,), "NoneHere": (1,), "RuleRefuses": (1,), "NobodyThere": (1,),
}  # fmt: skip
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), **REFUSALS}
LINE_WIDTH = 120
NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)  # a catalogue that says the same is the same file
HEADERS = {
    "en": "# The source's own words; a programme may change them here.",
    "fr": "# Complete; not yet read by a native speaker of the field.",
    "fa_AF": "# Complete; a draft in Dari that nobody has reviewed: it proves that pages run from right to left.",
    "ps": "# Complete; a draft in Pashto that nobody has reviewed.",
}


def extracted(root: Path) -> Catalog:
    """Every marked text of the project."""
    catalog = Catalog(project="refnet", charset="utf-8", header_comment="")
    for source in SOURCES:
        for name, _line, text, comments, context in sorted(
            extract_from_dir(str(root / source), METHODS, OPTIONS, KEYWORDS), key=lambda found: (found[0], found[1])
        ):
            catalog.add(text, locations=[(f"{source}/{name}", None)], auto_comments=comments, context=context)  # type: ignore[list-item]
    return catalog


def _path(root: Path, language: str) -> Path:
    return root / FOLDER / language / "messages.po"


def _read(root: Path, language: str) -> Catalog:
    path = _path(root, language)
    if not path.is_file():
        return Catalog(locale=language, charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def update(root: Path, language: str, words: Catalog) -> None:
    """Writes the catalogue again: new texts empty, texts that nobody says any more gone, nothing guessed."""
    known = _read(root, language)
    fresh = Catalog(
        locale=language, project="refnet", version="1", charset="utf-8", fuzzy=False, header_comment=HEADERS[language],
        creation_date=NO_DATE, revision_date=NO_DATE,
        last_translator="nobody yet", language_team="refnet", msgid_bugs_address="refnet",
    )  # fmt: skip
    for message in words:
        if not message.id:
            continue
        former = known.get(message.id[0] if isinstance(message.id, tuple) else message.id)
        string = former.string if former is not None and _fits(former, message) else None
        if language == SOURCE:
            string = message.id
        fresh.add(message.id, string or "", locations=message.locations)
    path = _path(root, language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, fresh, width=LINE_WIDTH, sort_output=True, include_previous=False, omit_header=False)


def _fits(former: Message, message: Message) -> bool:
    return isinstance(former.id, tuple) == isinstance(message.id, tuple)


def missing_in(root: Path, language: str, words: Catalog) -> list[str]:
    """The texts that a catalogue lacks, or has with other placeholders than the text."""
    known = _read(root, language)
    found = []
    for message in words:
        if not message.id:
            continue
        first = message.id[0] if isinstance(message.id, tuple) else message.id
        former = known.get(first)
        strings = [] if former is None else list(former.string) if isinstance(former.string, tuple) else [former.string]
        if not strings or not all(strings) or former is None or list(former.check()):
            found.append(str(first))
    return found
