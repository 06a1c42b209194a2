"""Recorded answers take the way of fresh ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geoloc_cli import registry
from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import credible_radius_m
from geoloc_cli.priors.vlm_replay import ReplayOptions, ReplayPrior
from geoloc_cli.types import Photo

PARIS = '{"lat": 48.8584, "lon": 2.2945, "city": "Paris"}'
ROWS = [("a/1.jpg", PARIS), ("a/1.jpg", "I cannot tell."), ("b/2.jpg", "No idea."), ("c/2.jpg", PARIS)]


def csv_file(folder: Path, header: str = "photo,answer") -> Path:
    quoted = ['{},"{}"'.format(photo, answer.replace('"', '""')) for photo, answer in ROWS]
    path = folder / "answers.csv"
    path.write_text("\n".join([header, *quoted]), encoding="utf-8")
    return path


def jsonl_file(folder: Path) -> Path:
    path = folder / "answers.jsonl"
    path.write_text("\n".join(json.dumps({"photo": p, "answer": a}) for p, a in ROWS) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["csv", "published csv", "jsonl"])
def test_answers_are_read_and_joined(tmp_path: Path, kind: str) -> None:
    path = jsonl_file(tmp_path) if kind == "jsonl" else csv_file(tmp_path)
    if kind == "published csv":
        path = csv_file(tmp_path, "image_name,model_response")
    prior = registry.create("prior", registry.parse(f"vlm-replay?file={path}"))
    assert prior.photos() == ["a/1.jpg", "b/2.jpg", "c/2.jpg"]
    belief, guess = prior.believe(Photo("a/1.jpg", 1, 1))
    assert (guess.lat, guess.lon) == (48.8584, 2.2945)
    assert guess.details["answered"] == 1
    assert guess.details["samples"] == 2
    assert belief.spread > 0.5  # the sample that said nothing
    assert prior.recall("b/2.jpg") is None


def test_a_photo_is_found_by_its_file_name_where_that_is_unique(tmp_path: Path) -> None:
    prior = ReplayPrior(ReplayOptions(file=str(csv_file(tmp_path))))
    assert prior.recall("/elsewhere/1.jpg") is not None
    assert prior.recall("/elsewhere/2.jpg") is None  # b/2.jpg or c/2.jpg
    assert prior.recall("/elsewhere/3.jpg") is None


def test_a_calibration_sets_the_radius(tmp_path: Path) -> None:
    scales = {"sharp": {"radii_m": [1000.0], "weights": [0.95], "spread": 0.05}}
    (tmp_path / "scales.json").write_text(json.dumps(scales), encoding="utf-8")
    answers = str(csv_file(tmp_path))
    sharp = ReplayPrior(ReplayOptions(answers, str(tmp_path / "scales.json"), "sharp")).recall("c/2.jpg")
    assert sharp is not None
    # 0.95 * (1 - 0.1 ** (r / 1 km) ** 2) = 0.9
    assert credible_radius_m(sharp[0], 48.8584, 2.2945) == pytest.approx(1131, rel=0.02)
    with pytest.raises(UsageError, match="dull"):
        ReplayPrior(ReplayOptions(answers, str(tmp_path / "scales.json"), "dull"))


@pytest.mark.parametrize("text", ["photo,text2\na,b\n", "photo,answer\na\n", "{}", ""])
def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / ("x.jsonl" if text.startswith("{") else "x.csv")
    path.write_text(text, encoding="utf-8")
    if not text:
        assert ReplayPrior(ReplayOptions(file=str(path))).photos() == []
        return
    with pytest.raises(UsageError, match=r"x\.(csv|jsonl)"):
        ReplayPrior(ReplayOptions(file=str(path)))


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        ReplayPrior(ReplayOptions(file=str(tmp_path / "none.csv")))
    with pytest.raises(UsageError, match="file="):
        ReplayPrior(ReplayOptions())
