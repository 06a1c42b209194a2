"""XML from strangers: every reader refuses document types, and with them all entities, before any is expanded."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest

import geoloc_cli
from geoloc_cli.errors import UsageError
from geoloc_cli.photos.writing.xmp_text import Tangled, find
from geoloc_cli.photos.xmp import read_xmp
from geoloc_cli.priors.shapes import read_shapes

PACKAGE = Path(geoloc_cli.__file__).parent
READERS = {"photos/xmp.py", "photos/writing/xmp_text.py", "priors/shapes.py"}
LAUGHS = "".join(f"<!ENTITY l{i} '{f'&l{i - 1};' * 10 if i else 'ha'}'>" for i in range(10))
BOMBS = {
    "a billion laughs": f"<!DOCTYPE gpx [{LAUGHS}]><gpx><name>&l9;</name></gpx>",
    "one long entity, often": f"<!DOCTYPE gpx [<!ENTITY a '{50_000 * 'a'}'>]><gpx>{5000 * '&a;'}</gpx>",
    "a file of this machine": "<!DOCTYPE gpx [<!ENTITY a SYSTEM 'file:///etc/hostname'>]><gpx>&a;</gpx>",
    "a file elsewhere": "<!DOCTYPE gpx SYSTEM 'http://127.0.0.1:9/x.dtd'><gpx/>",
    "parameters": "<!DOCTYPE gpx [<!ENTITY % a SYSTEM 'file:///etc/hostname'> %a;]><gpx/>",
}


@pytest.mark.parametrize("bomb", list(BOMBS))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_every_reader_refuses_a_bomb_at_once_and_says_why(bomb: str, encoding: str, tmp_path: Path) -> None:
    text = BOMBS[bomb]
    data = text.encode(encoding)
    (tmp_path / "way.gpx").write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match=r"way\.gpx cannot be read .*it declares a document type"):
            read_shapes(tmp_path / "way.gpx")
        assert read_xmp(data) == ({}, ["Its XMP packet declares a document type and was left out."])
        with pytest.raises(Tangled, match="document type" if encoding == "utf-8" else "UTF-8"):
            find(data, lambda *_: True)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_these_are_all_the_readers_that_there_are() -> None:
    """What reads XML elsewhere belongs in the test above."""
    of_xml = re.compile(r"^\s*(?:from|import) (?:xml|lxml|defusedxml|xmltodict|bs4)\b", re.MULTILINE)
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    found = {name for name, text in texts.items() if of_xml.search(text)}
    assert found == READERS


def test_kml_is_no_region_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "region.kml").write_text(BOMBS["a billion laughs"])
    with pytest.raises(UsageError, match=r"region\.kml cannot be read as GeoJSON or GPX"):
        read_shapes(tmp_path / "region.kml")
