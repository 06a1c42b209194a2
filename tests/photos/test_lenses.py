"""Which photographs are taken for one camera's: by what they state, else by names; and what a wrong guess costs."""

from __future__ import annotations

import itertools
from pathlib import Path

import kill_map
import numpy as np
import pytest
from kill_map import PHOTOS

from geoloc_cli.errors import UsageError
from geoloc_cli.maps import colmap, mapping
from geoloc_cli.photos.intrinsics import guess_camera
from geoloc_cli.photos.lenses import lens_keys
from geoloc_cli.pipeline.map import MapOptions
from geoloc_cli.types import Camera

GUESS = guess_camera(1024, 768)
STATED = Camera("SIMPLE_PINHOLE", 1024, 768, (700.0, 512.0, 384.0), "exif_35mm", 0.05)


def groups(cameras: dict[str, Camera | None], share: str = "auto") -> list[list[str]]:
    keys = lens_keys(cameras, share)
    return sorted(sorted(path for path in keys if keys[path] == key) for key in set(keys.values()))


@pytest.mark.parametrize(
    ("paths", "together"),
    [
        (["a/IMG_0007.jpg", "a/IMG_0001.jpg", "a/IMG_0003.jpg"], True),
        (["v/frame_000000.png", "v/frame_000150.png", "v/frame_000300.png"], True),
        (["001.jpg", "002.jpg"], True),
        (["clip1.30fps.jpg", "clip1.31fps.jpg"], True),
        (["a/02928139_3448003521.jpg", "a/03903474_1471484089.jpg"], False),
        (["a/3448003521.jpg", "a/3448103521.jpg"], False),
        (["a/IMG_0001.jpg", "b/IMG_0002.jpg"], False),
        (["a/IMG_0001.jpg", "a/DSC_0002.jpg"], False),
        (["a/IMG_0001.jpg", "a/IMG_0002.png"], False),
        (["church.jpg", "tower.jpg"], False),
    ],
)
def test_names_that_count_are_a_sequence(paths: list[str], together: bool) -> None:
    assert (len(groups(dict.fromkeys(paths, GUESS))) == 1) == together


def test_sizes_and_what_is_stated_divide_and_what_is_stated_unites() -> None:
    upright = guess_camera(768, 1024)
    assert groups({"1.jpg": GUESS, "2.jpg": upright, "3.jpg": GUESS}) == [["1.jpg", "3.jpg"], ["2.jpg"]]
    assert groups({"1.jpg": GUESS, "2.jpg": STATED, "x/y.jpg": STATED}) == [["1.jpg"], ["2.jpg", "x/y.jpg"]]
    assert groups({"1.jpg": None, "2.jpg": None}) == [["1.jpg"], ["2.jpg"]]


def test_the_user_may_decide() -> None:
    cameras: dict[str, Camera | None] = {"a/x.jpg": GUESS, "a/y.jpg": GUESS, "b/1.jpg": GUESS, "b/2.jpg": STATED}
    assert groups(cameras) == [["a/x.jpg"], ["a/y.jpg"], ["b/1.jpg"], ["b/2.jpg"]]
    assert groups(cameras, "folder") == [["a/x.jpg", "a/y.jpg"], ["b/1.jpg"], ["b/2.jpg"]]
    assert len(groups({f"{n}.jpg": STATED for n in range(3)}, "none")) == 3
    with pytest.raises(UsageError, match="--share-camera is 'all'; give one of auto, folder, none"):
        MapOptions(share="all").check()


@pytest.mark.parametrize(("share", "low", "high"), [("auto", 0.0, 0.02), ("folder", 0.2, 1.0)])
def test_lenses_of_one_size_are_found_apart(tmp_path: Path, share: str, low: float, high: float) -> None:
    """A room seen by eight cameras of 450 to 730 px whose names do not count; no one focal length fits them."""
    focal = np.linspace(450.0, 730.0, PHOTOS)[[3, 0, 6, 1, 7, 4, 2, 5]]
    names = [f"{name}.made" for name in ("ash", "birch", "cedar", "elm", "fir", "oak", "pine", "yew")]
    cameras: dict[str, Camera | None] = dict.fromkeys(names, guess_camera(640, 480))
    keys = lens_keys(cameras, share)
    mapped, inside = [], []
    for number, name in enumerate(names):
        (tmp_path / f"{number}.made").touch()
        made = kill_map.made_photo(str(tmp_path / f"{number}.made")).features.keypoints.copy()
        seen = (made[:, 0] > 1) & (made[:, 0] < 639) & (made[:, 1] > 1) & (made[:, 1] < 479)
        made[:, :2] = (made[:, :2] - (320.0, 240.0)) * focal[number] / 520.0 + (320.0, 240.0)
        inside.append(seen & (made[:, :2] > 1).all(axis=1) & (made[:, 0] < 639) & (made[:, 1] < 479))
        mapped.append(colmap.MapPhoto(name, made, guess_camera(640, 480), keys[name]))
    matches = [
        (i, j, np.repeat(np.flatnonzero(inside[i] & inside[j])[:, None], 2, axis=1).astype(np.int32))
        for i, j in itertools.combinations(range(PHOTOS), 2)
    ]
    database = tmp_path / "database.db"
    listed, held, guessed = colmap.write_database(database, mapped, matches)
    found = mapping.reconstruct(database, listed, held, guessed, PHOTOS, tmp_path, lambda: None, lambda model: 0.0)
    images = colmap.read_model(found[0]).images
    assert len(images) == PHOTOS
    assert low < max(abs(image.camera.focal_px / focal[int(name)] - 1.0) for name, image in images.items()) < high
