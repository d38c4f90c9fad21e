"""Reads a profile's YAML: plain values with the file and line of each, bounded before anything is built, and no tag is obeyed.

A narrower YAML than the library's: `NO` is Norway and not false, 08:30 is a text, no key may stand twice, and nothing is merged
with `<<` (a profile that shares something extends another).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from shared.programmes.terms import shown

FILE_BYTES_MAX = 256 * 1024  # the largest of ours has some 30 KB
DEPTH_MAX = 12  # of things within things; ours go to 7
VALUES_MAX = 20_000  # after every alias is written out: what a bomb multiplies
ALIASES_MAX = 200  # uses of an anchor in one file
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
DECIMAL = re.compile(r"[-+]?[0-9]{1,17}\.[0-9]{1,17}")
PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map", "timestamp", "merge", "value")
)  # what the library calls a value that carries no tag
QUOTED = frozenset("'\"|>")  # how a text says that it is one
NOTHING = frozenset({"", "~", "null"})
LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Way = tuple[str, ...]  # the keys that lead to a value
Found = Iterator[tuple[Way, str]]  # what is wrong: where, and in which words


@dataclass(frozen=True, slots=True)
class Mark:
    """Where something stands."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong: where, in which field, and in words what to write."""

    file: str
    line: int
    field: Way
    words: str

    def __str__(self) -> str:
        end = "" if self.words[-1:] in "?…" else "."
        return f"{self.file}, line {self.line}{''.join(f', {part}' for part in self.field)}: {self.words}{end}"


class Mistaken(Exception):
    """The text cannot be read at all."""

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


@dataclass(slots=True)
class Text:
    """A file that was read: its values, where each stands, and what is wrong already."""

    value: dict[str, Any] = field(default_factory=dict)
    marks: dict[Way, Mark] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def mark(self, way: Way) -> Mark:
        """Where a value stands, or the nearest thing around it that does."""
        for length in range(len(way), -1, -1):
            if way[:length] in self.marks:
                return self.marks[way[:length]]
        return Mark("", 1)


def read_text(file: Path) -> Text:
    """The file's values with their places; raises Mistaken where there is no making sense of it."""
    name = file.name
    try:
        with file.open("rb") as handle:
            raw = handle.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Mistaken(Mistake(name, 1, (), f"it cannot be read ({error.strerror})")) from None
    if len(raw) > FILE_BYTES_MAX:
        raise Mistaken(Mistake(name, 1, (), f"it has more than {FILE_BYTES_MAX // 1024} KiB; a profile is smaller"))
    return parse_text(raw, name)


def parse_text(raw: bytes, name: str) -> Text:
    """The values of a text with their places; raises Mistaken."""
    try:
        words = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise Mistaken(Mistake(name, line, (), "a letter is not written in UTF-8; save the file as UTF-8")) from None
    try:
        _bound(words, name)
        node = yaml.compose(words, LOADER)
    except yaml.MarkedYAMLError as error:
        line = _line_of(error)
        raise Mistaken(Mistake(name, line, (), _not_yaml(error, words.splitlines()[line - 1 : line]))) from None
    except yaml.YAMLError:
        raise Mistaken(Mistake(name, 1, (), "it holds a character that YAML does not allow; remove it")) from None
    text = Text()
    text.marks[()] = Mark(name, 1)
    if not isinstance(node, yaml.MappingNode):
        raise Mistaken(Mistake(name, 1, (), "it holds no fields; begin with `id:` and the programme's short name"))
    value = _Builder(name, text).build(node, ())
    assert isinstance(value, dict)
    text.value = value
    return text


def _bound(words: str, name: str) -> None:
    """Goes through the text without building anything; raises Mistaken where it is deeper or larger than a profile is."""
    depth = aliases = documents = 0
    for count, event in enumerate(yaml.parse(words, LOADER)):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        why = (
            f"things stand within things more than {DEPTH_MAX} deep; a profile is flatter" if depth > DEPTH_MAX
            else f"it holds more than {VALUES_MAX:,} values; a profile is smaller" if count > VALUES_MAX
            else f"anchors are used more than {ALIASES_MAX} times; write the values out" if aliases > ALIASES_MAX
            else "a second document begins; a profile is one, without a line of ---" if documents > 1
            else None
        )  # fmt: skip
        if why is not None:
            raise Mistaken(Mistake(name, event.start_mark.line + 1 if event.start_mark else 1, (), why))


def _line_of(error: yaml.MarkedYAMLError) -> int:
    is_open = "quoted" in (error.context or "")  # where it was opened: it ends nowhere, so that the rest of the file is within it
    mark = error.context_mark if is_open else error.problem_mark or error.context_mark
    return mark.line + 1 if mark is not None else 1


def _not_yaml(error: yaml.MarkedYAMLError, line: list[str]) -> str:
    problem = error.problem or ""
    if line and "\t" in line[0][: len(line[0]) - len(line[0].lstrip())]:
        return "a tab stands where spaces must; put two spaces for each step inwards"
    if "alias" in problem:
        return "it uses an anchor that is not set before; write the value out"
    if "mapping values are not allowed" in problem:
        return "a colon stands within a value; put the value in quotation marks, or look at the line before"
    if "did not find expected ',' or" in problem or "flow" in (error.context or ""):
        return "a bracket [ or { is not closed, or a comma is missing"
    if "end of stream" in problem or "quoted" in (error.context or ""):
        return "a quotation mark is not closed"
    return "it is no YAML here: look at the spaces before the words of this line and of the one above, and at colons and brackets"


class _Builder:
    """Turns nodes into plain values. What is wrong is noted, and the rest is read on."""

    def __init__(self, name: str, text: Text) -> None:
        self._name, self._text, self._count = name, text, 0

    def build(self, node: yaml.Node, way: Way) -> Any:
        self._count += 1
        line = node.start_mark.line + 1
        if self._count > VALUES_MAX:
            raise Mistaken(Mistake(self._name, line, way, f"its anchors make more than {VALUES_MAX:,} values; write them out"))
        if len(way) > DEPTH_MAX:
            raise Mistaken(Mistake(self._name, line, way[:1], "an anchor holds itself; write the values out"))
        self._text.marks.setdefault(way, Mark(self._name, line))
        if node.tag not in PLAIN_TAGS:
            self._wrong(line, way, f"'{node.tag[:40]}' is an instruction to a program; write the value alone")
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, way))
        if isinstance(node, yaml.SequenceNode):
            return [self.build(one, (*way, str(number))) for number, one in enumerate(node.value)]
        return self._scalar(node)

    def _pairs(self, node: yaml.MappingNode, way: Way) -> Iterator[tuple[Any, Any]]:
        first: dict[Any, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._wrong(line, way, "a field's name is a word, not a list or a mapping")
                continue
            key = self._scalar(key_node)
            if key_node.value == "<<":
                self._wrong(line, way, "`<<` is not used here; a profile that shares something says `extends:`")
            elif key in first:
                self._wrong(line, (*way, str(key)), f"{shown(key)} stands twice, first in line {first[key]}; keep one of them")
            else:
                first[key] = line
                self._text.marks[(*way, str(key))] = Mark(self._name, line)
                yield key, self.build(value_node, (*way, str(key)))

    def _scalar(self, node: yaml.Node) -> Any:
        written = str(node.value)
        if getattr(node, "style", None) in QUOTED:
            return written
        if written in NOTHING:
            return None
        if written in ("true", "false"):
            return written == "true"
        if INTEGER.fullmatch(written):
            return int(written)
        return float(written) if DECIMAL.fullmatch(written) else written

    def _wrong(self, line: int, way: Way, words: str) -> None:
        self._text.mistakes.append(Mistake(self._name, line, way, words))


# --- one profile over another ------------------------------------------------------------------------------------------


def over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` laid over `base`: mappings are merged, everything else replaces. In any grouping of layers the same comes out, as long
    as no layer puts something else where another has a mapping; the schema refuses that."""
    both = {k: over(base[k], own[k]) for k in base.keys() & own.keys() if isinstance(base[k], dict) and isinstance(own[k], dict)}
    return {**base, **own, **both}


def laid(base: Text, own: Text) -> Text:
    """A text over another, each value with its place. Notes where it takes away what the base has or changes a safeguard, which are
    left out of what comes of it, and where it changes or adds something and does not say its source."""
    value, kept_back = _without_what_stays(base, own)
    unsourced = _unsourced(base.value, value, own, ())
    replaced = {way for way in own.marks if way in base.marks and not isinstance(_at(own.value, way), dict)}
    dropped = {way for way in base.marks for length in range(1, len(way)) if way[:length] in replaced}
    marks = {way: mark for way, mark in base.marks.items() if way not in dropped}
    return Text(over(base.value, value), {**marks, **own.marks}, [*base.mistakes, *own.mistakes, *kept_back, *unsourced])


def _at(value: Any, way: Way) -> Any:
    for part in way:
        if not isinstance(value, dict):
            return None
        value = next((one for key, one in value.items() if str(key) == part), None)
    return value


def _without_what_stays(base: Text, own: Text) -> tuple[dict[str, Any], list[Mistake]]:
    """A layer without the lines that take away a piece of the base, or change one of its safeguards; and a mistake for each."""
    value, mistakes = dict(own.value), []
    for section, pieces in own.value.items():
        theirs = base.value.get(section)
        if not isinstance(pieces, dict) or not isinstance(theirs, dict):
            continue
        value[section] = dict(pieces)
        for id_, piece in pieces.items():
            former, way = theirs.get(id_), (section, str(id_))
            if not isinstance(former, dict):
                continue
            if piece is None:
                del value[section][id_]
                words = f"'{id_}' stands in '{base.value.get('id')}' and cannot be taken away; leave the line out"
                mistakes.append(Mistake(own.mark(way).file, own.mark(way).line, way, words))
            elif former.get("safeguard") is True and isinstance(piece, dict):
                value[section][id_] = {key: one for key, one in piece.items() if over(former, {key: one}) == former}
                words = f"'{id_}' is a safeguard of '{base.value.get('id')}', and no profile changes it; leave the line out"
                changed = [(*way, str(key)) for key in piece if key not in value[section][id_]]
                mistakes += [Mistake(own.mark(one).file, own.mark(one).line, one, words) for one in changed]
    return value, mistakes


@dataclass(frozen=True, slots=True)
class _Claim:
    """What the base's source speaks of, so that it would be claimed for whatever a layer writes there: a field of a piece."""

    field: str
    said: Any  # the source that the layer says of the same piece

    @property
    def is_said_anew(self) -> bool:
        """Whether the layer says a source for the field."""
        return self.said is not None and (not isinstance(self.said, dict) or self.field in self.said)


UNSOURCED = frozenset({"id", "name", "extends", "source"})  # what states nothing that somebody may ask the source of


def _unsourced(
    base: Mapping[str, Any], own: Mapping[str, Any], text: Text, way: Way, around: _Claim | None = None
) -> Iterator[Mistake]:
    """What a layer changes or adds within something that has a source, which would then be claimed for it. Of the programme itself
    only what its source speaks of counts: everything else there has a source of its own."""
    source = base.get("source")
    for key, value in own.items():
        if key in UNSOURCED:
            continue
        claim, former = around, base.get(key)
        if source is not None:
            speaks = key in source if isinstance(source, dict) else key in base and not isinstance(former, dict)
            claim = _Claim(str(key), own.get("source")) if way or speaks else None
        if isinstance(former, dict) and isinstance(value, dict):
            yield from _unsourced(former, value, text, (*way, str(key)), claim)
        elif claim is not None and not claim.is_said_anew and (key not in base or value != former) and not _has_its_own(value):
            mark = text.mark((*way, str(key)))
            what = f"changes {shown(former)}" if key in base else f"adds `{key}`"
            if isinstance(value, list | dict):
                what = f"{'changes' if key in base else 'adds'} {'the list ' if isinstance(value, list) else ''}`{key}`"
            it = "it" if isinstance(value, list | dict) else shown(value)
            words = f"it {what} and does not say where {it} comes from; add its `source:`"
            yield Mistake(mark.file, mark.line, (*way, str(key)), words)


def _has_its_own(value: Any) -> bool:
    return isinstance(value, dict) and "source" in value
