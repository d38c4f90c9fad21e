"""`refnet programme`: what is wrong with a profile, and the network that it makes for a simulation."""

from pathlib import Path
from typing import Any

import yaml

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
        said = {"is_good": False, "programme": None, "mistakes": mistakes, "assumptions": []}
        return said if checked.is_whole else {**said, "words": MORE}
    assumed = assumptions(checked.programme)
    return {
        "is_good": True, "programme": checked.programme.id, "mistakes": [], "assumptions": assumed,
        "words": _words(checked.programme, assumed),
    }  # fmt: skip


def assumptions(programme: Programme) -> list[str]:
    """Every piece or figure of a programme that rests on no published source, by the keys that lead to it."""
    sourced = [(way, part) for way, part in parts_of(programme) if isinstance(part, Sourced)]
    return [
        ".".join(way if figure == WHOLE else (*way, figure))
        for way, part in sourced for figure in part.source if part.is_assumption(figure)
    ]  # fmt: skip


def _words(programme: Programme, assumed: list[str]) -> str:
    count = sum(kind.count for kind in programme.facilities.values())
    told = f"{programme.id} is good: {len(programme.agencies)} agencies, {count:,} facilities, {len(programme.rules)} rules, "
    told += f"{len(programme.records)} registers, {len(programme.indicators)} indicators."
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
