"""A photograph beside its candidates: each line ends where the keypoints are, and there are as many as inliers."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from geoloc_cli.export.matches import BANDS, MOST_LINES, bands, evenly, match_scene
from geoloc_cli.export.scene import Line, Picture, Scene, Words
from geoloc_cli.export.scene_png import image
from geoloc_cli.export.scene_svg import svg
from geoloc_cli.pipeline.extract import fingerprint
from geoloc_cli.pipeline.sightings import Compared
from geoloc_cli.retrieval.verify import Matched
from geoloc_cli.types import Belief, Candidate, Component, Fix

if TYPE_CHECKING:
    from pathlib import Path

SIZE, OTHER = (400, 300), (200, 300)
# Both boxes are 772 wide and at most 640 high: 1.93 units a pixel for the one, 640 / 300 for the other.
LEFT, RIGHT = (16.0, 16.0, 1.93), (812.0, 16.0, 640.0 / 300.0)
LETTERS = re.compile(r"M(-?[\d.]+) (-?[\d.]+)l(-?[\d.]+) ?(-?[\d.]+)")


def pair(folder: Path, matches: int, inliers: int, query: str = "query.jpg") -> tuple[Fix, dict[str, Compared]]:
    rng = np.random.default_rng(5)
    paths = [str(folder / query), str(folder / "indexed.jpg")]
    for path, size, colour in zip(paths, (SIZE, OTHER), ("#800000", "#000080"), strict=True):
        Image.new("RGB", size, colour).save(path, quality=95)
    a, b = rng.uniform(0, SIZE, (matches, 2)), rng.uniform(0, OTHER, (matches, 2))
    stands = np.arange(matches) < inliers
    seen = Candidate(paths[1], 47.0, 8.0, 0.8, score=1.0, matches=matches, inliers=inliers)
    belief = Belief((Component(47.0, 8.0, 10.0, 0.9),), 0.1)
    fix = Fix(paths[0], "ok", "rerank", 47.0, 8.0, None, 10.0, 0.9, belief, candidates=(seen,))
    matched = Matched(a, b, stands, SIZE, OTHER)
    return fix, {paths[1]: Compared(paths[1], fingerprint(paths[1])[0], 50.0, matched)}


def lines(scene: Scene, kind: str) -> np.ndarray:
    """(n, 2, 2): the ends of all lines of a kind, as the SVG has them."""
    root = ElementTree.fromstring(svg(scene))
    data = "".join(str(e.get("d")) for e in root.iter() if e.get("class") == kind)
    found = np.array([[float(v) for v in m] for m in LETTERS.findall(data)]).reshape(-1, 2, 2)
    found[:, 1] += found[:, 0]
    return found


def told(scene: Scene) -> list[str]:
    return [item.text for item in scene.items if isinstance(item, Words)]


def test_lines_end_at_the_keypoints(tmp_path: Path) -> None:
    fix, compared = pair(tmp_path, 60, 40)
    scene = match_scene(fix, compared)
    ends = lines(scene, "inlier")
    assert len(ends) == 40
    (one,) = compared.values()
    for column, (points, (x, y, scale)) in enumerate(((one.matched.in_query, LEFT), (one.matched.in_reference, RIGHT))):
        expected = points[:40] * scale + (x, y)
        # Within the tenth to which the SVG is written.
        assert np.abs(ends[:, column] - expected).max() < 0.11
    assert not len(lines(scene, "rejected"))
    assert len(lines(match_scene(fix, compared, rejected=True), "rejected")) == 20
    assert "0 m from the answer · 40 inliers of 60 matches · similarity 0.80" in "\n".join(told(scene))


def test_pixels_have_the_pictures_and_the_colour_of_a_line(tmp_path: Path) -> None:
    fix, compared = pair(tmp_path, 10, 1)
    scene = match_scene(fix, compared)
    seen = np.asarray(image(scene))
    assert seen[60, 40].tolist() == pytest.approx([128, 0, 0], abs=3)
    assert seen[60, 830].tolist() == pytest.approx([0, 0, 128], abs=3)
    line = next(item for item in scene.items if isinstance(item, Line) and item.kind == "inlier")
    (strand,) = line.strands
    x, y = (strand[0] + 0.5 * (strand[1] - strand[0])).astype(int)
    colour = list(bytes.fromhex(line.colour[1:]))
    assert min(np.abs(seen[y + d, x].astype(int) - colour).sum() for d in (-1, 0, 1)) < 60


def test_of_many_inliers_lines_are_spread_and_all_are_dots(tmp_path: Path) -> None:
    fix, compared = pair(tmp_path, 900, 800)
    scene = match_scene(fix, compared)
    assert len(lines(scene, "inlier")) == MOST_LINES
    root = ElementTree.fromstring(svg(scene))
    dots = "".join(str(e.get("d")) for e in root.iter() if e.get("class") == "keypoint")
    assert dots.count("M") == 2 * 800
    assert f"{MOST_LINES} drawn" in "".join(told(scene))


def test_chosen_lines_reach_every_part_of_the_picture() -> None:
    """Nine tenths of the points lie in a hundredth of the picture, and take no more than a tenth of the lines."""
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.uniform(0, 10, (900, 2)), rng.uniform(0, 100, (100, 2))])
    chosen = evenly(points, 50)
    assert len(set(chosen.tolist())) == 50
    assert np.count_nonzero(chosen < 900) <= 5
    assert np.array_equal(evenly(points[:7], 50), np.arange(7))


def test_colours_go_from_the_upper_edge_to_the_lower_in_equal_parts() -> None:
    numbers = bands(np.array([50.0, 10.0, 30.0, 20.0, 40.0, 60.0, 70.0]))
    assert numbers.tolist() == [4, 0, 2, 1, 3, 5, 6]
    assert np.bincount(bands(np.random.default_rng(0).normal(size=70))).tolist() == [10] * 7


# What eyes see that lack one kind of receptor, in linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
SIGHT = {
    "all": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no long waves": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "no middle waves": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "no short waves": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}


@pytest.mark.parametrize("sight", SIGHT)
def test_neighbouring_colours_differ_to_every_eye(sight: str) -> None:
    """By over 35 in CIELAB, where 2.3 can just be noticed."""
    shown = np.array([list(bytes.fromhex(colour[1:])) for colour in BANDS]) / 255.0
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    seen = (linear @ np.transpose(SIGHT[sight])).clip(0, 1)
    over_white = np.array([[0.4339, 0.3762, 0.1899], [0.2127, 0.7152, 0.0722], [0.0178, 0.1095, 0.8727]])  # D65's
    root = np.cbrt(seen @ over_white.T)
    x, y, z = np.where(root > 6.0 / 29.0, root, 7.787 * root**3 + 16.0 / 116.0).T
    lab = np.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=-1)
    assert np.linalg.norm(np.diff(lab, axis=0), axis=1).min() > 35.0


def test_a_picture_that_is_gone_or_another_says_so(tmp_path: Path) -> None:
    fix, compared = pair(tmp_path, 20, 12)
    Image.new("RGB", OTHER, "#ffffff").save(tmp_path / "indexed.jpg")
    scene = match_scene(fix, compared)
    assert "cture that the index describes." in " ".join(told(scene))
    assert len([item for item in scene.items if isinstance(item, Picture)]) == 1
    (tmp_path / "query.jpg").unlink()
    scene = match_scene(fix, compared)
    assert not [item for item in scene.items if isinstance(item, Picture)]
    assert len(lines(scene, "inlier")) == 12
    assert image(scene).width == 1600


def test_names_are_text_and_pictures_stay_small(tmp_path: Path) -> None:
    fix, compared = pair(tmp_path, 20, 12, query="<script>alert(1)<&gt;\u202e.jpg".replace("/", ""))
    Image.new("L", (9000, 6700), 90).save(fix.photo, "JPEG", quality=30)
    written = svg(match_scene(fix, compared))
    assert b"<script" not in written
    assert len(written) < 200_000
    assert ElementTree.fromstring(written) is not None


def test_without_comparisons_the_picture_says_so(tmp_path: Path) -> None:
    fix = Fix(str(tmp_path / "a.jpg"), "unlocated", None, None, None, None, None, 0.0, Belief())
    (words,) = told(match_scene(fix, {}))
    assert words.startswith("No candidate was compared")
