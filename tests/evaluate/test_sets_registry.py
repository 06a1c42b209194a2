"""The data sets by name: every one that the project promises, and what is said of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import ExifTags, Image

from geoloc_cli.evaluate.datasets.registry import READERS, find_reader, read_dataset

PROMISED = (
    *("IM2GPS", "IM2GPS3k", "YFCC4k", "YFCC26k", "GWS15k", "OSV-5M", "MP-16"),
    *("Pitts30k", "Pitts250k", "Tokyo 24/7", "MSLS", "SF-XL", "Nordland", "St Lucia", "Eynsham"),
    *("7-Scenes", "12-Scenes", "Cambridge", "Aachen", "Map-free"),
)


@pytest.mark.parametrize("name", PROMISED)
def test_every_promised_set_has_a_reader(name: str) -> None:
    reader = find_reader(name)
    assert READERS[reader.name] is reader
    assert reader.what
    assert reader.home
    assert reader.terms


def test_no_two_sets_have_one_name() -> None:
    plain = {"".join(c for c in name if c.isalnum()) for name in READERS}
    assert len(plain) == len(READERS)
    assert all(name == name.lower() for name in READERS)


def test_a_table_of_ones_own_is_a_set(tmp_path: Path) -> None:
    (tmp_path / "b.jpg").touch()
    (tmp_path / "places.csv").write_text("photo;latitude;longitude\na.jpg;48.5;2.25\nb.jpg;-1;36.5\nc.jpg;;\n")
    found = read_dataset("truth", str(tmp_path / "places.csv"))
    assert (len(found.references), list(found.queries.names)) == (0, ["a.jpg", "b.jpg"])
    assert found.queries.path(1).is_file()
    assert (found.queries.lat.tolist(), found.queries.lon.tolist()) == ([48.5, -1.0], [2.25, 36.5])
    assert len(found.notes) == 1


def test_a_folder_of_geotagged_photographs_is_a_set(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (10.0, 30.0, 0.0), 3: "W", 4: (70.0, 15.0, 36.0)}
    Image.new("L", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    queries = read_dataset("truth", str(tmp_path)).queries
    assert queries.path(0) == tmp_path / "a.jpg"
    assert (queries.lat[0], queries.lon[0]) == pytest.approx((10.5, -70.26), abs=1e-9)
