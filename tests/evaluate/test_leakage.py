"""Queries whose answer lies in the references as the same picture, in disguise; other views of a place are none."""

from __future__ import annotations

import io
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.evaluate.copies import Prints, code_of, find_copies, laid_over, take_prints
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet
from geoloc_cli.evaluate.hamming import near_codes
from geoloc_cli.evaluate.leakage import Leakage, Pair, check_set, same_pictures, same_places
from geoloc_cli.geo.earth import destination
from geoloc_cli.testing.demo import TOWN_AT, street_cameras
from geoloc_cli.testing.render import LIGHTS, render
from geoloc_cli.testing.town import Town

_POOL = LocalPool(1)


@dataclass(frozen=True)
class Street:
    """Views along a street some metres apart, and each again from the same place, turned by 12 degrees."""

    references: list[str]
    turned: list[str]
    prints: Prints


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Street:
    folder = tmp_path_factory.mktemp("street")
    town = Town(0, *TOWN_AT)
    walk = [
        replace(camera, focal_px=260.0, width=320, height=240)
        for camera in street_cameras(town, np.random.default_rng(0))[4:14:2]
    ]
    paths: dict[str, list[str]] = {"reference": [], "turned": []}
    for i, camera in enumerate(walk):
        for kind, seen in (("reference", camera), ("turned", camera.turned(camera.heading_deg + 12.0))):
            picture, _ = render(town, seen, LIGHTS["noon"])
            path = folder / f"{kind}_{i}.png"
            Image.fromarray(picture).save(path)
            paths[kind].append(str(path))
    return Street(paths["reference"], paths["turned"], take_prints(paths["reference"], _POOL))


def _stored(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def _cut(picture: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    width, height = picture.size
    return picture.crop((int(left * width), int(top * height), int((1 - right) * width), int((1 - bottom) * height)))


_DISGUISES = {
    "stored anew": lambda p: _stored(p, 30),
    "half the size": lambda p: p.resize((160, 120), Image.Resampling.BILINEAR),
    "a third, stretched": lambda p: p.resize((120, 70), Image.Resampling.LANCZOS),
    "brighter": lambda p: p.point(lambda v: min(255, int(1.25 * v + 10))),
    "in grey": lambda p: p.convert("L"),
    "cropped all round": lambda p: _cut(p, 0.03, 0.03, 0.03, 0.03),
    "cropped at two sides": lambda p: _cut(p, 0.04, 0.0, 0.0, 0.03),
    "cropped, smaller and stored anew": lambda p: _stored(_cut(p, 0.02, 0.01, 0.02, 0.03).resize((200, 150)), 60),
}


@pytest.mark.parametrize("disguise", _DISGUISES)
def test_a_copy_is_found_in_its_disguise(disguise: str, street: Street, tmp_path: Path) -> None:
    copies = []
    for i, path in enumerate(street.references):
        with Image.open(path) as picture:
            _DISGUISES[disguise](picture).save(tmp_path / f"copy_{i}.png")
        copies.append(str(tmp_path / f"copy_{i}.png"))
    queries = take_prints(copies, _POOL)
    pairs = list(same_pictures(queries, street.prints))
    assert [(pair.kind, pair.query, pair.reference) for pair in pairs] == [
        ("copy", copy, original) for copy, original in zip(copies, street.references, strict=True)
    ]
    # And as well where the reference is the copy.
    rows, others, _ = find_copies(street.prints, queries)
    np.testing.assert_array_equal(rows, others)
    assert len(rows) == len(copies)


def test_other_views_of_a_place_are_no_copies(street: Street) -> None:
    """The next view along the street, and the same place seen 12 degrees aside."""
    aside = take_prints(street.turned, _POOL)
    halves = [_rows(street.prints, rows) for rows in (slice(None, None, 2), slice(1, None, 2))]
    for queries, references in ((aside, street.prints), (halves[0], halves[1])):
        rows, _, _ = find_copies(queries, references)
        assert rows.tolist() == []


@pytest.mark.realdata
def test_photographs_of_a_street_seven_metres_apart_are_no_copies(realdata: Path) -> None:
    """The most alike of them agree to 0.81 once laid over each other; a copy does to 0.95."""
    prints = take_prints(sorted(map(str, (realdata / "lund" / "photos").iterdir())), _POOL)
    assert len(prints) == 29
    rows, _, _ = find_copies(_rows(prints, slice(None, None, 2)), _rows(prints, slice(1, None, 2)))
    assert rows.tolist() == []


def _rows(prints: Prints, rows: slice) -> Prints:
    return Prints(prints.paths[rows], prints.sha256[rows], prints.codes[rows], prints.greys[rows])


def test_a_set_is_checked_by_its_pictures_and_by_its_places(street: Street, tmp_path: Path) -> None:
    asked = tmp_path / "queries"
    asked.mkdir()
    shutil.copy(street.references[0], asked / "the same file.png")
    with Image.open(street.references[1]) as picture:
        picture.resize((200, 150)).save(asked / "smaller.jpg")
    shutil.copy(street.turned[2], asked / "honest.png")
    (asked / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    names = ["broken.png", "honest.png", "smaller.jpg", "the same file.png"]
    lat, lon = (np.asarray(v) for v in destination(48.0, 11.0, 90.0, 10.0 * np.arange(5)))
    near_lat, near_lon = (np.asarray(v) for v in destination(lat[[0, 2, 4]], lon[[0, 2, 4]], 0.0, [3.0, 0.4, 2.0]))
    queries = Labelled(asked, names, np.array([np.nan, *near_lat]), np.array([np.nan, *near_lon]))
    folder = Path(street.references[0]).parent
    references = Labelled(folder, [Path(path).name for path in street.references], lat, lon)
    found = check_set(LabelledSet("town", references, queries), _POOL)
    kinds = {pair.kind: (Path(pair.query).name, pair.reference) for pair in found.pairs}
    assert kinds == {
        "same_file": ("the same file.png", street.references[0]),
        "copy": ("smaller.jpg", street.references[1]),
        "same_place": ("smaller.jpg", street.references[2]),
    }
    assert found.of_kind("same_place")[0].apart == pytest.approx(0.4, abs=1e-3)
    assert found.leaking == {str(asked / "the same file.png"), str(asked / "smaller.jpg")}
    assert found.unread == (str(asked / "broken.png"),)
    said = found.sentences()
    assert [sentence.split(" as ")[0] for sentence in said] == [
        "1 of 4 queries are files of the references, byte for byte,",
        "1 of 4 queries are copies of a reference (stored anew, resized or cropped),",
        "1 of 4 queries state the position of a reference to 1 m,",
        "1 pictures could not be read and were not compared,",
    ]


def test_where_nothing_leaks_there_is_nothing_to_say() -> None:
    assert Leakage(3, 4, ()).sentences() == []
    assert Leakage(3, 4, (Pair("same_place", "a", "b", 0.2),)).leaking == set()


def test_of_several_references_the_nearest_place_is_told() -> None:
    folder = Path("photos")
    lat, lon = (np.asarray(v) for v in destination(-33.0, 179.99999, 90.0, np.array([0.0, 0.9, 0.2, 50.0])))
    references = Labelled(folder, ["a", "b", "c", "d"], lat, lon)
    queries = Labelled(folder, ["q"], lat[:1], lon[:1])
    (pair,) = same_places(queries, references, within_m=1.0)
    assert (pair.reference, pair.apart) == ("photos/a", pytest.approx(0.0, abs=1e-6))


def _prints(greys: np.ndarray) -> Prints:
    names = [str(i) for i in range(len(greys))]
    codes = np.array([[code_of(grey)] * 3 for grey in greys], np.uint64)
    return Prints(names, names, codes, greys)


def test_walls_of_one_tone_are_not_copies_of_each_other() -> None:
    rng = np.random.default_rng(1)
    walls = np.clip(rng.normal(128.0, 2.0, (20, 32, 32)), 0, 255).astype(np.uint8)
    rows, _, _ = find_copies(_prints(walls), _prints(walls))
    assert rows.tolist() == []


def test_many_copies_of_one_picture_cost_no_more_than_one() -> None:
    """A thousand photographs of one code would be a million pairs."""
    rng = np.random.default_rng(2)
    picture = np.asarray(Image.fromarray(rng.integers(0, 255, (6, 6), np.uint8)).resize((32, 32)))
    many = _prints(picture[None])
    album = Prints(many.paths * 1000, many.sha256 * 1000, many.codes.repeat(1000, 0), many.greys.repeat(1000, 0))
    started = time.process_time()
    rows, _, alike = find_copies(album, album)
    assert time.process_time() - started < 3.0
    assert len(rows) == 1000
    assert alike.min() > 0.999


def test_a_shift_and_a_stretch_are_undone() -> None:
    """A smooth picture, and 90 % of it from aside: unlike as they lie, and alike once laid over each other."""
    x, y = np.meshgrid(np.linspace(-1, 1, 32), np.linspace(-1, 1, 32))

    def seen(scale: float, aside: float, below: float) -> np.ndarray:
        u, v = scale * x + aside, scale * y + below
        return 128 + 50 * np.sin(5 * u + 2 * v) + 40 * np.cos(7 * v - 3 * u) + 30 * np.sin(9 * u * v)

    whole, part = seen(1.0, 0.0, 0.0), seen(0.9, 0.06, -0.07)
    other = np.asarray(Image.fromarray(np.random.default_rng(3).integers(0, 255, (7, 7), np.uint8)).resize((32, 32)))
    as_it_lies = np.corrcoef(whole.ravel(), part.ravel())[0, 1]
    alike = laid_over(np.array([part, other]), np.array([whole, whole]), np.array([0.96, 1.0]))
    assert as_it_lies < 0.9
    assert alike[0] > 0.97
    assert alike[1] < 0.6


@pytest.mark.parametrize("radius", [0, 3, 4, 11, 15])
def test_near_codes_are_those_that_comparing_all_finds(radius: int) -> None:
    rng = np.random.default_rng(radius)
    queries = rng.integers(0, 2**64, 400, dtype=np.uint64)
    flips = [sum(1 << int(bit) for bit in rng.choice(64, rng.integers(0, 18), replace=False)) for _ in range(400)]
    references = np.concatenate([queries ^ np.array(flips, np.uint64), rng.integers(0, 2**64, 300, dtype=np.uint64)])
    rows, others, bits = near_codes(queries, references, radius)
    apart = np.bitwise_count(queries[:, None] ^ references[None])
    expected = np.nonzero(apart <= radius)
    np.testing.assert_array_equal(rows, expected[0])
    np.testing.assert_array_equal(others, expected[1])
    np.testing.assert_array_equal(bits, apart[expected])
    assert len(rows) >= (10 if radius == 0 else 60)


def test_no_codes_have_no_pairs_and_a_radius_out_of_reach_is_refused() -> None:
    none, some = np.empty(0, np.uint64), np.zeros(3, np.uint64)
    for queries, references in ((none, some), (some, none), (none, none)):
        assert [len(column) for column in near_codes(queries, references, 11)] == [0, 0, 0]
    with pytest.raises(ValueError, match="radius 16"):
        near_codes(some, some, 16)


def test_ten_thousand_codes_are_compared_at_once() -> None:
    """Seen: 0.2 s for ten thousand against as many, 0.9 s for thirty thousand, 6.7 s for a hundred thousand."""
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 2**64, 10_000, dtype=np.uint64)
    started = time.process_time()
    rows, _, _ = near_codes(codes, codes ^ np.uint64(0b1011), 11)
    assert time.process_time() - started < 1.5
    assert 10_000 <= len(rows) < 10_100
