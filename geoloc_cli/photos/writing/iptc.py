"""Places in IPTC's fields and in the Photoshop resources that hold them: taken out, the length kept.

IPTC-NAA Information Interchange Model 4.2, record 2; Photoshop's image resource blocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from geoloc_cli.photos.writing.splices import Splice, Tangled, shifted

# Content location's code and name, city, sublocation, province, country's code and name.
_PLACES = frozenset((26, 27, 90, 92, 95, 100, 101))
_IPTC, _EXIF, _EXIF_TOO, _XMP, _DIGEST = 0x0404, 0x0422, 0x0423, 0x0424, 0x0425
_DIGEST_BYTES = 16


def iptc_splices(data: bytes) -> list[Splice]:
    """Without the fields of places; those behind move up, and zeros fill the end."""
    kept, at, dropped = bytearray(), 0, False
    while data[at : at + 1] == b"\x1c":
        record, field = data[at + 1 : at + 3] if len(data) >= at + 5 else (0, 0)
        inner, length = at + 5, int.from_bytes(data[at + 3 : at + 5], "big")
        if length & 0x8000:
            inner += length & 0x7FFF
            length = int.from_bytes(data[at + 5 : inner], "big")
        if inner + length > len(data):
            raise Tangled("its IPTC fields are damaged")
        if record == 2 and field in _PLACES:
            dropped = True
        else:
            kept += data[at : inner + length]
        at = inner + length
    if data[at:].strip(b"\x00"):
        raise Tangled("its IPTC fields are damaged")
    return [Splice(0, len(data), bytes(kept).ljust(len(data), b"\x00"))] if dropped else []


def photoshop_splices(
    data: bytes, exif: Callable[[bytes], list[Splice]], xmp: Callable[[bytes], list[Splice]]
) -> list[Splice]:
    """Of resources: IPTC as above, EXIF and XMP by the functions given, and IPTC's digest where it was right."""
    splices: list[Splice] = []
    resources = list(_resources(data))
    fields = next((data[start:stop] for name, start, stop in resources if name == _IPTC), None)
    for name, start, stop in resources:
        value = data[start:stop]
        if name == _IPTC:
            splices += shifted(iptc_splices(value), start)
        elif name in (_EXIF, _EXIF_TOO):
            splices += shifted(exif(value), start)
        elif name == _XMP:
            splices += shifted(xmp(value), start)
        elif name == _DIGEST and fields is not None and value == hashlib.md5(fields).digest():
            new = iptc_splices(fields)
            splices += [Splice(start, start + _DIGEST_BYTES, hashlib.md5(new[0].data).digest())] if new else []
    return splices


def _resources(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Number, beginning and end of each resource."""
    at = 0
    while len(data) - at >= 12:
        name_end = at + 7 + data[at + 6]
        name_end += (name_end - at) % 2
        start = name_end + 4
        stop = start + int.from_bytes(data[name_end:start], "big")
        if stop > len(data) or not data[at : at + 4].isalnum():
            raise Tangled("its Photoshop resources are damaged")
        yield int.from_bytes(data[at + 4 : at + 6], "big"), start, stop
        at = stop + (stop - at) % 2
    if data[at:].strip(b"\x00"):
        raise Tangled("its Photoshop resources are damaged")
