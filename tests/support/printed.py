"""What stands on a PDF that we drew, line by line: a blank page is a PDF too."""

import re
import zlib

OBJECT = re.compile(rb"(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
DRAWN = re.compile(rb"/(F\d+) [\d.]+ Tf|\(((?:[^\\()]|\\.)*)\) Tj|(ET)", re.DOTALL)  # a font, glyphs, and the end of a line
ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def lines_of(pdf: bytes) -> list[str]:
    """The lines in the order in which they are drawn; of a script that runs from right to left, each from its left end."""
    objects = {int(number): body for number, body in OBJECT.findall(pdf)}
    letters = {}
    for name, font in re.findall(rb"/(F\d+) (\d+) 0 R", pdf):
        (to_unicode,) = re.findall(rb"/ToUnicode (\d+) 0 R", objects[int(font)])
        pairs = re.findall(rb"<(\w{4})> <(\w+)>", _stream(objects[int(to_unicode)]))
        letters[name] = {int(glyph, 16): bytes.fromhex(code.decode()).decode("utf-16-be") for glyph, code in pairs}
    lines, line, font = [], "", b""
    for contents in re.findall(rb"/Contents (\d+) 0 R", pdf):
        for named, glyphs, end in DRAWN.findall(_stream(objects[int(contents)])):
            font = named or font
            drawn = ESCAPED.sub(lambda found: b"\r" if found[1] == b"r" else found[1], glyphs)
            line += "".join(letters[font][int.from_bytes(drawn[at : at + 2])] for at in range(0, len(drawn), 2))
            if end and line:
                lines.append(line)
                line = ""
    return lines


def _stream(body: bytes) -> bytes:
    head, _, rest = body.partition(b"stream\n")
    drawn = rest.removesuffix(b"\nendstream")
    return zlib.decompress(drawn) if b"/FlateDecode" in head else drawn
