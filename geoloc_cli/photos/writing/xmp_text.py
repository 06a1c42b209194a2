"""XMP as the text that it is: properties are found, cut out or put in, and every other byte is left as it was.

Parsed by expat, with the same refusal of document types as in `photos/xmp.py`, for the places alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.parsers import expat

from geoloc_cli.photos.writing.splices import Splice, Tangled, blanks

EXIF_NS = "http://ns.adobe.com/exif/1.0/"
_RDF_NS = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XML = {"xml": "http://www.w3.org/XML/1998/namespace"}
# darktable keeps its whole history in a sidecar.
_MAX_BYTES = 16 * 1024 * 1024
_START_TAG = re.compile(rb"<[^\s/>]+(?:\s+[^\s=/>]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*/?>")
_ATTRIBUTE = re.compile(rb"\s+([^\s=/>]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_NEW = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""

Wanted = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Found:
    """Where the wanted properties stand and which they are (local names); where `</rdf:RDF>` begins, None without one.

    `about` is the resource that the packet is about, as it is written there.
    """

    spans: tuple[tuple[int, int], ...]
    names: frozenset[str]
    end: int | None
    about: bytes


def find(packet: bytes, wanted: Wanted) -> Found:
    """The properties for whose namespace and local name `wanted` is true, as elements and as attributes."""
    if len(packet) > _MAX_BYTES:
        raise Tangled("its XMP is over 16 MiB")
    text = packet.rstrip(b"\x00")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        raise Tangled("its XMP is not in UTF-8") from None
    search = _Search(text, wanted)
    try:
        search.parser.Parse(text, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise Tangled("its XMP is not well-formed") from None
    return Found(tuple(search.spans), frozenset(search.names), search.end, search.about)


class _Search:
    def __init__(self, text: bytes, wanted: Wanted) -> None:
        self._text, self._wanted = text, wanted
        self._scopes: list[dict[str, str]] = [_XML]
        self._empty: list[bool] = []  # of the elements that are open, those that end as they begin
        self._inside: tuple[int, tuple[int, int]] | None = None  # depth and tag of the wanted element that is open
        self.spans: list[tuple[int, int]] = []
        self.names: set[str] = set()
        self.end: int | None = None
        self.about = b""
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler, self.parser.EndElementHandler = self._start, self._stop
        self.parser.StartDoctypeDeclHandler = self.parser.EntityDeclHandler = self._refuse

    def _refuse(self, *_: object) -> None:
        raise Tangled("its XMP declares a document type")

    def _named(self, name: str, element: bool) -> tuple[str, str]:
        prefix, colon, local = name.rpartition(":")
        if not colon and not element:
            return "", local
        return self._scopes[-1].get(prefix, ""), local

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        own = {key.partition(":")[2]: uri for key, uri in attributes.items() if key.split(":")[0] == "xmlns"}
        self._scopes.append(self._scopes[-1] | own if own else self._scopes[-1])
        at = self.parser.CurrentByteIndex
        tag = _START_TAG.match(self._text, at)
        if tag is None:
            raise Tangled("its XMP is not well-formed")
        self._empty.append(tag[0].endswith(b"/>"))
        if self._wanted(*self._named(name, True)):
            self.names.add(self._named(name, True)[1])
            self._inside = self._inside or (len(self._scopes), tag.span())
        described = self._named(name, True) == (_RDF_NS, "Description")
        for match in _ATTRIBUTE.finditer(self._text, at, tag.end()):
            key = self._named(match[1].decode("utf-8"), False)
            if described and key == (_RDF_NS, "about"):
                self.about = self.about or match[2] or match[3] or b""
            elif not match[1].startswith(b"xmlns") and self._wanted(*key):
                self.names.add(key[1])
                if self._inside is None:
                    self.spans.append(match.span())

    def _stop(self, name: str) -> None:
        at, empty = self.parser.CurrentByteIndex, self._empty.pop()
        if self._inside and self._inside[0] == len(self._scopes):
            start, stop = self._inside[1]
            self.spans.append((start, stop if empty else self._text.index(b">", at) + 1))
            self._inside = None
        if self._named(name, True) == (_RDF_NS, "RDF") and not empty:
            self.end = at
        self._scopes.pop()


def blanked(packet: bytes, wanted: Wanted) -> list[Splice]:
    """The change that puts spaces in the place of properties; the packet stays as long as it was."""
    return blanks(find(packet, wanted).spans, b" ")


def with_exif(packet: bytes | None, values: Mapping[str, str], drop: frozenset[str] = frozenset()) -> list[Splice]:
    """The change of a packet that gives it these exif properties, in place of its own and of `drop`.

    The change of an empty file where there is no packet yet.
    """
    text = packet if packet is not None else _NEW.encode()
    gone = drop | set(values)
    found = find(text, lambda space, local: space == EXIF_NS and local in gone)
    if found.end is None:
        raise Tangled("its XMP has no rdf:RDF that could hold more")
    lines = "".join(f"\n   <exif:{name}>{value}</exif:{name}>" for name, value in values.items())
    new = (
        f'<rdf:Description xmlns:rdf="{_RDF_NS}" rdf:about="'.encode()
        + found.about.replace(b'"', b"&quot;")
        + f'" xmlns:exif="{EXIF_NS}">{lines}\n  </rdf:Description>\n '.encode()
    )
    if packet is None:
        return [Splice(0, 0, text[: found.end] + b" " + new + text[found.end :])]
    return [*(Splice(start, stop, b"") for start, stop in found.spans), Splice(found.end, found.end, b" " + new)]
