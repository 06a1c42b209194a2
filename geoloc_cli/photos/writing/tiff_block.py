"""The TIFF structure that EXIF is, edited without moving a byte that somebody may point to.

MakerNotes hold offsets of their own that nobody else understands, and other writers lost them by writing the block
anew. Here new directories go to the end of the block and a pointer is patched (TIFF 6.0, section 2: an IFD may be at
any place in the file); what is taken out is overwritten with zeros where it stands.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from geoloc_cli.photos.writing.splices import Splice, Tangled, blanks

GPS_IFD = 0x8825
_EXIF_IFD, _SUB_IFDS, _INTEROP_IFD = 0x8769, 0x014A, 0xA005
# Bytes of one value by TIFF's type; 13 is an IFD's place, 129 Exif 3's UTF-8.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
_LONG = 4
_MAX_DIRECTORIES = 64
_LARGEST = 2**32 - 1
EMPTY = b"MM\x00\x2a\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag of a directory, its twelve bytes at `at`; `span` is where its value is, in the entry or elsewhere."""

    at: int
    tag: int
    kind: int
    count: int
    raw: bytes
    span: tuple[int, int]

    @property
    def outside(self) -> bool:
        return self.span[0] != self.at + 8


@dataclass(frozen=True, slots=True)
class Directory:
    """An IFD from `at` to `stop`, and where the next of its chain is (0: none)."""

    at: int
    entries: tuple[Entry, ...]
    next: int
    stop: int

    def entry(self, tag: int) -> Entry | None:
        return next((entry for entry in self.entries if entry.tag == tag), None)


@dataclass(frozen=True, slots=True)
class NewTag:
    """A tag to be written, its value in bytes of the block's order."""

    tag: int
    kind: int
    value: bytes


class Block:
    """A TIFF structure. Whatever is read of it raises Tangled where it is not what it should be."""

    def __init__(self, data: bytes) -> None:
        marks = {b"II\x2a\x00": "<", b"MM\x00\x2a": ">"}
        if data[:4] not in marks:
            big = data[:4] in (b"II\x2b\x00", b"MM\x00\x2b")
            raise Tangled("it is a BigTIFF" if big else "its EXIF block does not begin as one")
        self.data, self.order = data, marks[data[:4]]

    def number(self, at: int) -> int:
        return int(self.unpack("I", at)[0])

    def unpack(self, form: str, at: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self.order + form, self.data, at)
        except struct.error as error:
            raise Tangled("its EXIF points beyond its end") from error

    def pack(self, form: str, *values: int) -> bytes:
        return struct.pack(self.order + form, *values)

    def first(self) -> Directory:
        return self.directory(self.number(4))

    def directory(self, at: int, *, last: bool = False) -> Directory:
        """The directory at a place; one that is the last of its chain may lack the place of a next one."""
        if at < 8:
            raise Tangled("its EXIF has a directory in its head")
        entries = []
        for k in range(self.unpack("H", at)[0]):
            here = at + 2 + 12 * k
            tag, kind, count = self.unpack("HHI", here)
            size = _SIZES.get(kind, 0) * count
            value = self.number(here + 8) if size > 4 else here + 8
            if value + size > len(self.data):
                raise Tangled("a tag of its EXIF points beyond its end")
            entries.append(Entry(here, tag, kind, count, self.data[here : here + 12], (value, value + size)))
        stop = at + 2 + 12 * len(entries)
        if last and stop + 4 > len(self.data):
            return Directory(at, tuple(entries), 0, stop)
        return Directory(at, tuple(entries), self.number(stop), stop + 4)

    def directories(self) -> list[Directory]:
        """The chain from the first on, and those below it, but not the GPS ones."""
        found: dict[int, Directory] = {}
        waiting = [self.number(4)]
        while waiting:
            at = waiting.pop(0)
            if at == 0 or at in found:
                continue
            if len(found) == _MAX_DIRECTORIES:
                raise Tangled(f"its EXIF has over {_MAX_DIRECTORIES} directories")
            directory = found[at] = self.directory(at)
            waiting.append(directory.next)
            for tag in (_EXIF_IFD, _SUB_IFDS, _INTEROP_IFD):
                entry = directory.entry(tag)
                waiting += self.places(entry) if entry else []
        return list(found.values())

    def places(self, entry: Entry) -> list[int]:
        """What a tag that holds places of directories points to."""
        if entry.kind not in (_LONG, 13) or entry.count > _MAX_DIRECTORIES:
            raise Tangled(f"its EXIF tag 0x{entry.tag:04x} is no place of a directory")
        return list(self.unpack(f"{entry.count}I", entry.span[0]))

    def below(self, tag: int) -> Directory | None:
        """The directory to which a tag of the first one points."""
        pointer = self.first().entry(tag)
        places = self.places(pointer) if pointer else []
        return self.directory(places[0], last=True) if places else None

    def _taken(self) -> list[tuple[int, int]]:
        """Where the directories are and the values of their tags, the GPS ones left out."""
        spans = [(0, 8)]
        for directory in self.directories():
            spans.append((directory.at, directory.stop))
            spans += [entry.span for entry in directory.entries if entry.outside]
        return spans

    def blanked(self, directory: Directory, kept: Sequence[Entry] = ()) -> list[Splice]:
        """Zeros over a directory that nothing points to any more, and over the values of its tags that are not kept."""
        stay = {entry.at for entry in kept}
        gone = [entry.span for entry in directory.entries if entry.outside and entry.at not in stay]
        spans = [(directory.at, directory.stop), *gone]
        if _meet(spans, [*self._taken(), *(entry.span for entry in kept if entry.outside)]):
            raise Tangled("its GPS directory lies upon other tags of its EXIF")
        return blanks(spans)


def _meet(spans: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> bool:
    """Whether any span of the one kind lies on any of the other."""
    reached = [0, 0]  # how far the spans of either kind go that began until here
    labelled = [*((start, stop, 0) for start, stop in spans), *((start, stop, 1) for start, stop in others)]
    for start, stop, kind in sorted(labelled):
        if start < stop and start < reached[1 - kind]:
            return True
        reached[kind] = max(reached[kind], stop if start < stop else 0)
    return False


def with_gps(data: bytes, tags: Sequence[NewTag], drop: Iterable[int] = ()) -> list[Splice]:
    """The change that gives a TIFF structure these GPS tags, in place of its own of the same number and of `drop`.

    Its other GPS tags are kept. What they replace is overwritten, so that an old position is not left in the file.
    """
    block = Block(data)
    block.directories()  # nothing may point beyond the end, where it would meet what is put there
    first, old = block.first(), block.below(GPS_IFD)
    gone = {*drop, *(tag.tag for tag in tags)}
    kept = [entry for entry in old.entries if entry.tag not in gone] if old else []
    at = len(data) + len(data) % 2
    tail = bytearray(at - len(data))
    tail += _directory(block, at, kept, tags)
    splices = block.blanked(old, kept) if old else []
    pointer = first.entry(GPS_IFD)
    if pointer:
        splices.append(Splice(pointer.at, pointer.at + 12, block.pack("HHII", GPS_IFD, _LONG, 1, at)))
    else:
        splices.append(Splice(4, 8, block.pack("I", len(data) + len(tail))))
        own = NewTag(GPS_IFD, _LONG, block.pack("I", at))
        tail += _directory(block, len(data) + len(tail), first.entries, [own], first.next)
    if len(data) + len(tail) > _LARGEST:
        raise Tangled("it would be over 4 GiB, which TIFF cannot hold")
    return [*splices, Splice(len(data), len(data), bytes(tail))]


def _directory(block: Block, at: int, kept: Sequence[Entry], tags: Sequence[NewTag], following: int = 0) -> bytes:
    """A directory that will stand at `at`, with entries as they were and new ones among them by number."""
    rows = [(entry.tag, entry.raw, b"") for entry in kept]
    for tag in tags:
        count = len(tag.value) // _SIZES[tag.kind]
        small = len(tag.value) <= 4
        raw = block.pack("HHI", tag.tag, tag.kind, count) + (tag.value.ljust(4, b"\x00") if small else b"")
        rows.append((tag.tag, raw, b"" if small else tag.value))
    rows.sort(key=lambda row: row[0])
    values, out = bytearray(), bytearray(block.pack("H", len(rows)))
    for _, raw, value in rows:
        if value:
            raw += block.pack("I", at + 2 + 12 * len(rows) + 4 + len(values))
            values += value + bytes(len(value) % 2)
        out += raw
    return bytes(out + block.pack("I", following) + values)


def without(data: bytes, tags: Iterable[int]) -> list[Splice]:
    """The change, which keeps the length, that takes tags out of all directories, and what a GPS tag points to.

    The tags that follow move up by one, and what was the last is zeros.
    """
    block, unwanted = Block(data), frozenset(tags)
    splices: list[Splice] = []
    for directory in block.directories():
        gone = [entry for entry in directory.entries if entry.tag in unwanted]
        if not gone:
            continue
        for entry in gone:
            if entry.tag == GPS_IFD:
                for at in block.places(entry):
                    splices += block.blanked(block.directory(at, last=True))
            elif entry.outside:
                splices += blanks([entry.span])
        left = [entry.raw for entry in directory.entries if entry.tag not in unwanted]
        new = block.pack("H", len(left)) + b"".join(left) + block.pack("I", directory.next)
        splices.append(Splice(directory.at, directory.stop, new.ljust(directory.stop - directory.at, b"\x00")))
    return splices
