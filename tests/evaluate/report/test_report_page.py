"""The page: maps, curves and the worst photographs, in which every name is only text."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from geoloc_cli.evaluate.compared import compare
from geoloc_cli.evaluate.diagnosis import Diagnosis
from geoloc_cli.evaluate.evaluated import Evaluated
from geoloc_cli.evaluate.metrics.pose import Poses
from geoloc_cli.evaluate.posed import Frame, pose_figures
from geoloc_cli.evaluate.predicted import Candidates
from geoloc_cli.evaluate.published import published
from geoloc_cli.evaluate.report import errors_map as errors_map_module
from geoloc_cli.evaluate.report.content import report
from geoloc_cli.evaluate.report.curves import area_curves, error_curves, held_bars, reliability_diagram, risk_curves
from geoloc_cli.evaluate.report.entry import Entry
from geoloc_cli.evaluate.report.errors_map import MOST, errors_map, sample
from geoloc_cli.evaluate.report.html import html
from geoloc_cli.evaluate.report.made import entries
from geoloc_cli.evaluate.report.worst import find, worst
from geoloc_cli.types import Pose

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from geoloc_cli.evaluate.report.entry import Placed
    from geoloc_cli.evaluate.score import How

    Made = Callable[..., Evaluated]
    Place = Callable[[Evaluated], Placed]

NAN = float("nan")
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>\u202egpj.exe'


def parsed(page: str) -> ElementTree.Element:
    assert page.startswith("<!DOCTYPE html>\n")
    return ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


def drawn(markup: str, kind: str) -> int:
    return len(re.findall(rf'class="[^"]*\b{kind}\b', markup))


def test_the_map_has_each_answer_in_the_colour_of_its_error_the_worst_on_top(make: Made, place: Place) -> None:
    found = errors_map(place(make("run", [9e6, 500.0, 20e3, NAN, 100e3, 600e3, 2e6])))
    grades = re.findall(r'<path class="point (grade-\d)" role="img"', found.picture)
    assert grades == [f"grade-{n}" for n in range(6)]
    assert drawn(found.picture, "point truth") == 6 + 1  # and the legend's
    for said in ("guess within 1 km (1)", "beyond 2500 km (1)", "0.jpg: 9000 km away", "0.jpg: the truth"):
        assert said in found.picture
    assert found.caption == "6 photographs; 1 without an answer are not on it. The worst are on top."


def test_of_many_photographs_a_sample_is_drawn_that_holds_the_worst_and_says_so(
    make: Made, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = np.linspace(1e3, 5e6, MOST + 500)
    order = sample(np.arange(len(errors)))
    assert (len(order), len(set(order.tolist()))) == (MOST, MOST)
    assert order[-20:].tolist() == list(range(len(errors) - 20, len(errors)))
    assert np.all(np.diff(order) > 0)
    # By chance: the better half has its share of the sample, to four standard deviations.
    assert abs(int(np.sum(order < len(errors) // 2)) - MOST / 2) < 4.0 * np.sqrt(MOST * 0.25 * 0.2) + 20
    assert sample(np.arange(7)).tolist() == list(range(7))
    monkeypatch.setattr(errors_map_module, "MOST", 100)
    found = errors_map(place(make("run", errors[::5], spread_deg=0.01)))
    assert found.caption.startswith("A sample: 100 of 500 photographs, the 20 worst and the others drawn by chance")
    assert drawn(found.picture, "point truth") == 100 + 1


def test_a_few_far_guesses_do_not_make_a_map_of_a_street_one_of_the_earth(make: Made, place: Place) -> None:
    found = errors_map(place(make("run", [*np.linspace(1.0, 30.0, 39), 5e6], spread_deg=1e-4)))
    assert 'class="sheet"' in found.picture  # metres, and no sea
    assert "1 points lie outside of it" in found.caption


def test_the_worst_come_first_with_what_is_known_of_them(make: Made, place: Place) -> None:
    near, east = np.array([40.0, 40.0, 40.0, 40.0]), np.array([0.51, 0.5, 0.53, 0.9])
    photos = ["a/x.jpg", "b.jpg", "c.jpg", "d.jpg"]
    said = {
        "candidates": Candidates(np.array([0, 0, 4, 4]), photos, near, east, np.ones(4), np.ones(4)),
        "stages": ["prior", "rerank", None],
        "reasons": [None, "no_pose_few_matches", None],
        "rationales": [None, f"geoclip: {HOSTILE}", None],
        "confidence": np.array([0.2, 0.75, NAN]),
        "radius_m": np.array([NAN, 1500.0, NAN]),
    }
    run = place(make("run", [1e3, 700e3, NAN], **said))
    first, second = worst(run)
    assert (first.photo, first.error, second.photo) == ("1.jpg", "700 km", "0.jpg")
    why = dict(first.why)
    assert (why["truth"], why["stage"], why["reason"]) == ("40.00000, 0.50000", "rerank", "no_pose_few_matches")
    assert (why["confidence"], why["radius"], why["rationale"]) == ("0.75", "1.5 km", f"geoclip: {HOSTILE}")
    # A hundredth of a degree of longitude at 40 degrees north is 852 m.
    assert why["first 3 of 4 candidates"] == (
        "x.jpg (852 m from the truth), b.jpg (0 m from the truth), c.jpg (2.6 km from the truth)"
    )
    assert why["nearest candidate"] == "rank 2, 0 m from the truth"
    assert [name for name, _ in second.why] == ["truth", "guess", "stage", "confidence"]
    assert len(worst(place(make("run", np.arange(1.0, 31.0))))) == 20


def test_pictures_are_regular_files_where_the_run_or_the_user_says(tmp_path: Path) -> None:
    (tmp_path / "here.jpg").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.jpg")
    folder = str(tmp_path)
    assert find("q/here.jpg", "here.jpg", [folder]) == str(tmp_path / "here.jpg")
    for name in ("pipe.jpg", "gone.jpg", ".", "\0", "x" * 5000, "/dev/zero"):
        assert find(name, name, [folder]) is None


def test_curves_show_the_shares_of_all_photographs(make: Made, place: Place) -> None:
    sure = np.array([0.9, 0.9, 0.1, NAN])
    radius_m = np.array([1e3, 1e3, 10.0, NAN])
    said = {"confidence": sure, "radius_m": radius_m, "stages": ["pose", "pose", "prior", None]}
    run = place(make("run", [500.0, 3e3, 90e3, NAN], **said))
    assert drawn(error_curves([run]), "band") == 1
    assert drawn(error_curves([run, run, run]), "band") == 0
    assert drawn(error_curves([run, run, run]), "marker") == 2  # 1 km and 25 km, of 100 m to 100 km
    assert drawn(area_curves([run]), "line") == 1
    diagram = reliability_diagram(run)
    assert diagram is not None
    assert re.findall(r"(\d) answers, (\d+)% sure, (\d+)% right", diagram) == [("1", "10", "0"), ("2", "90", "50")]
    assert risk_curves([run]) is not None
    bars = held_bars(run)
    assert bars is not None
    assert re.findall(r"<title>([^<]*)</title>", bars) == ["all (3): 0.3333", "pose (2): 0.5", "prior (1): 0"]
    assert drawn(bars, "marker") == 1
    bare = place(make("run", [1.0, 2.0]))
    assert (reliability_diagram(bare), risk_curves([bare]), held_bars(bare)) == (None, None, None)


def test_a_run_of_poses_alone_has_curves_of_their_errors(how: How) -> None:
    """Three cameras at the origin, found 0.1 m and 10 m off, and not at all."""
    true = Poses(np.broadcast_to(np.eye(3), (3, 3, 3)).copy(), np.zeros((3, 3)))
    frames = {"map": Frame(1.0, np.eye(3), np.zeros(3))}

    def pose(off_m: float) -> Pose:
        translation = (-off_m, 0.0, 0.0)
        nothing = (None, None, None, None)
        ends = (50, 0.5, 1.0, None, None, "poselib")
        return Pose("map", True, (1.0, 0.0, 0.0, 0.0), translation, (off_m, 0.0, 0.0), *nothing, *ends)

    figures = pose_figures([pose(0.1), pose(10.0), None], true, None, frames)
    np.testing.assert_allclose(figures.errors_m, [0.1, 10.0, np.nan])
    np.testing.assert_allclose(figures.errors_deg, [0.0, 0.0, np.nan], atol=1e-9)
    run = Evaluated("7scenes", poses=figures)
    assert "errors_m" not in run.as_json()["poses"]
    page = html(report([Entry("7scenes", run)], [], how, published(["7scenes"])))
    assert page.count('role="img" aria-label="The share within a ') == 2
    assert page.count("Published, not measured here") == 2
    assert "PoseNet17 [7scenes]" in page


def test_every_name_on_the_page_is_only_text_and_nothing_is_fetched(make: Made, how: How, tmp_path: Path) -> None:
    names = [f"{HOSTILE}{number}" for number in range(3)]
    Image.new("RGB", (40, 30)).save(tmp_path / "0.jpg")
    said = {"rationales": [HOSTILE] * 3, "stages": [HOSTILE] * 3, "confidence": np.array([0.5, 0.6, 0.7])}
    one = make(f"{HOSTILE}.csv", [1e3, 1e6, NAN], photos=names, reasons=[HOSTILE] * 3, **said)
    other = make("other.csv", [1e3, 1e6, 5e6], photos=names)
    assert one.score is not None
    assert other.score is not None
    one = replace(one, score=replace(one.score, diagnoses=(Diagnosis("odd", HOSTILE),)))
    told = entries([one, other], [str(tmp_path)])
    told[0] = replace(told[0], facts=((HOSTILE, HOSTILE),))
    comparisons = compare([run.score for run in (one, other) if run.score], how.sure)
    page = html(report(told, comparisons, how, published(["im2gps"]), ["geoloc", "evaluate", HOSTILE]))
    root = parsed(page)
    assert not {e.tag for e in root.iter()} & {"script", "img", "iframe", "object", "embed", "link", "base", "form"}
    assert all(not name.startswith("on") for e in root.iter() for name in e.attrib)
    targets = {e.get(name, "#") for e in root.iter() for name in ("href", "src")}
    assert all(target.startswith("#") for target in targets)
    assert page.count("&lt;script&gt;alert(2)&lt;/script&gt;\\u202egpj.exe") > 20
    assert "\u202e" not in page
    ids = [e.get("id") for e in root.iter() if "id" in e.attrib]
    assert len(set(ids)) == len(ids)


def test_the_worst_photographs_of_one_run_are_shown_and_those_of_several_folded(
    make: Made, how: How, tmp_path: Path
) -> None:
    Image.new("RGB", (400, 300), (200, 30, 30)).save(tmp_path / "0.jpg")
    run = make("run", [5e6, 1e3])
    told = entries([run], [str(tmp_path)])
    page = parsed(html(report(told, [], how)))
    (folded,) = page.iter("details")
    (picture,) = page.iter("img")
    assert folded.get("open") == ""
    assert (picture.get("alt"), picture.get("width"), picture.get("height")) == ("0.jpg", "200", "150")
    assert picture.get("src", "").startswith("data:image/jpeg;base64,")
    assert "This picture was not found." in "".join(folded.itertext())
    both = parsed(html(report([*told, Entry("again", run)], [], how)))
    assert ["open" in e.attrib for e in both.iter("details")] == [False, False]


@pytest.mark.parametrize("errors", [[0.0, 0.0], [NAN, NAN], [NAN, 3.0]])
def test_a_run_without_errors_or_without_answers_is_reported_too(make: Made, how: How, errors: list[float]) -> None:
    page = html(report(entries([make("run", errors)]), [], how))
    parsed(page)
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page).lower().replace("nances", "")
