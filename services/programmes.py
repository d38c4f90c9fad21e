"""`refnet programme`: what is wrong with a profile, and the network that it makes for a simulation."""

from pathlib import Path
from typing import Any

import yaml

from services.kinds import MODULES
from services.kinds import parts_of as agency_parts
from shared.casework.directory.of_programme import network_of
from shared.kit.errors import RefnetError
from shared.programmes.profile import PROFILES, ProfileError, Programme, check_file, known_profiles, load_programme
from shared.programmes.references import parts_of
from shared.programmes.terms import WHOLE, Sourced

MORE = "Whether its parts fit each other is looked at once these are mended: there may be more."


def looked_at(name: str) -> dict[str, Any]:
    """Whether a profile, by its name or its file, is good, with every mistake in it; and of a good one, which figures are no facts.
    Raises RefnetError where there is no such profile."""
    file = Path(name)
    if not file.is_file():
        ours = PROFILES / f"{name}.yaml"
        if not ours.is_file():
            words = "There is no file “%(name)s”, and no programme of this name; known are: %(known)s."
            raise RefnetError(words, name=name, known=", ".join(known_profiles()))
        file = ours
    checked = check_file(file)
    mistakes = [
        {"file": one.file, "line": one.line, "field": list(one.field), "words": one.words, "sentence": str(one)}
        for one in checked.mistakes
    ]  # fmt: skip
    if checked.programme is None:
        said = {"is_good": False, "programme": None, "mistakes": mistakes, "assumptions": [], "registers_apart": []}
        return said if checked.is_whole else {**said, "words": MORE}
    assumed, apart = assumptions(checked.programme), with_pages_of_our_own(checked.programme)
    return {
        "is_good": True, "programme": checked.programme.id, "mistakes": [], "assumptions": assumed, "registers_apart": apart,
        "words": _words(checked.programme, assumed, apart),
    }  # fmt: skip


def with_pages_of_our_own(programme: Programme) -> list[str]:
    """The registers of a programme that the software keeps by itself, with pages that ask what they always ask: the fields that the
    profile writes for them are for whoever reads it, and make no page."""
    kinds = {id_: agency.kind for id_, agency in programme.agencies.items() if agency.kind in MODULES}
    return [
        id_ for id_, record in programme.records.items()
        if record.agency in kinds and id_ in agency_parts(kinds[record.agency]).look.registers_apart
    ]  # fmt: skip


def assumptions(programme: Programme) -> list[str]:
    """Every piece or figure of a programme that rests on no published source, by the keys that lead to it."""
    sourced = [(way, part) for way, part in parts_of(programme) if isinstance(part, Sourced)]
    return [
        ".".join(way if figure == WHOLE else (*way, figure))
        for way, part in sourced for figure in part.source if part.is_assumption(figure)
    ]  # fmt: skip


def _words(programme: Programme, assumed: list[str], apart: list[str]) -> str:
    count = sum(kind.count for kind in programme.facilities.values())
    told = f"{programme.id} is good: {len(programme.agencies)} agencies, {count:,} facilities, {len(programme.rules)} rules, "
    told += f"{len(programme.records)} registers, {len(programme.indicators)} indicators."
    if apart:
        told += f"\n{len(apart)} of its registers have pages of the software's own, which ask what they always ask; the fields that"
        told += f" the profile has for them are for readers, and make no page: {', '.join(apart)}."
    return f"{told}\n{len(assumed)} of its pieces rest on an assumption or our design, and are shown so:\n  " + "\n  ".join(assumed)


def network_file(name: str) -> tuple[dict[str, Any], str]:
    """A network for a simulation of a programme, as data and as YAML; raises RefnetError."""
    try:
        network = network_of(load_programme(name))
    except ProfileError as error:
        raise RefnetError(str(error)) from None
    content = network.model_dump(mode="json", exclude_defaults=True)
    if name.endswith(".yaml"):
        content["programme"] = str(Path(name).resolve())  # it is none of ours: its file is its name
    return content, yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
