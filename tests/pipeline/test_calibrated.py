"""What sources are worth, applied in a run: to each prior before it is joined, to each answer by its stage, or not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import credible_radius_m, from_components, mass_within
from geoloc_cli.index.reader import Index
from geoloc_cli.pipeline.asking import Trust, fused
from geoloc_cli.pipeline.batch import ask_photos, locate_photos
from geoloc_cli.pipeline.calibrated import (
    Calibration,
    Reliabilities,
    Reliability,
    calibration_of,
    photo_key,
    prior_key,
)
from geoloc_cli.pipeline.calibration_file import (
    Stored,
    misfit,
    read_calibration,
    searched_in,
    unknown_priors,
    write_calibration,
)
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.types import Belief, Component, Fix, PriorGuess

if TYPE_CHECKING:
    from conftest import SmallTown

PARIS, LYON = (48.85, 2.35), (45.76, 4.84)
WIDE, DOUBTED = Reliability(inflate=3.0), Reliability(doubt=0.5)


def answer(town: SmallTown, path: str, calibration: Calibration | None, priors: tuple[str, ...] = ()) -> Fix:
    (fix,) = locate_photos(town.index, [path], LocateOptions(), LocalPool(1), priors=priors, calibration=calibration)
    assert isinstance(fix, Fix)
    return replace(fix, timing_ms={})


def replayed(folder: Path, said: dict[str, str]) -> str:
    """Recorded answers as a prior's text."""
    file = folder / "answers.jsonl"
    file.write_text("".join(json.dumps({"photo": photo, "answer": text}) + "\n" for photo, text in said.items()))
    return f"vlm-replay?file={file}"


def test_an_answer_is_tempered_by_its_stage_and_its_radius_and_confidence_follow(town: SmallTown) -> None:
    path = town.queries[0].path
    plain = answer(town, path, None)
    other = answer(town, path, Calibration(Reliabilities(stages={"pose": WIDE})))
    assert other == plain
    found = answer(town, path, Calibration(Reliabilities(stages={"rerank": Reliability(3.0, 0.04)})))
    assert (found.lat, found.lon, found.stage) == (plain.lat, plain.lon, "rerank")
    assert [c.radius_m for c in found.belief.components] == [3.0 * c.radius_m for c in plain.belief.components]
    assert found.belief.spread == pytest.approx(plain.belief.spread + 0.04 * (1.0 - plain.belief.spread))
    assert found.lat is not None
    assert found.lon is not None
    assert found.radius_m == pytest.approx(credible_radius_m(found.belief, found.lat, found.lon), abs=0.01)
    assert found.confidence == pytest.approx(mass_within(found.belief, found.lat, found.lon, 1000.0), abs=1e-4)


def test_sources_that_are_worth_their_word_change_nothing(town: SmallTown) -> None:
    path = town.queries[0].path
    word = Calibration(Reliabilities(stages={"rerank": Reliability()}))
    plain, found = answer(town, path, None), answer(town, path, word)
    assert found.belief == plain.belief
    assert found.radius_m == pytest.approx(plain.radius_m, abs=0.01)


def test_a_prior_is_tempered_before_it_is_joined_wherever_it_is_asked(town: SmallTown, tmp_path: Path) -> None:
    path = town.queries[0].path
    recorded = replayed(tmp_path, {path: '{"lat": 59.95, "lon": 24.5}'})
    key = prior_key(recorded)
    (plain,) = ask_photos([path], [recorded], LocalPool(1))
    (found,) = ask_photos([path], [recorded], LocalPool(1), calibration=Calibration(Reliabilities({key: WIDE})))
    (unknown,) = ask_photos([path], [recorded], LocalPool(1), calibration=Calibration(Reliabilities({"ocr": WIDE})))
    assert isinstance(plain, Fix)
    assert isinstance(found, Fix)
    assert isinstance(unknown, Fix)
    assert [c.radius_m for c in found.belief.components] == [3.0 * c.radius_m for c in plain.belief.components]
    assert unknown.belief == plain.belief
    assert found.priors == plain.priors  # evidence stays what was said
    # The same in a run with an index: what the priors send the search to is wider, too.
    searched = [
        answer(town, path, calibration, (recorded,)).search
        for calibration in (None, Calibration(Reliabilities({key: DOUBTED})))
    ]
    assert searched[0] is not None
    assert searched[1] is not None
    assert searched[0].region_photos == searched[1].region_photos == 14


def test_what_was_learned_of_priors_together_counts_for_the_same_ones_alone(town: SmallTown) -> None:
    both = Calibration(Reliabilities({"ocr": WIDE, "clock": WIDE}, {"prior": DOUBTED, "rerank": WIDE}))
    assert both.for_priors(["clock", "ocr"]) == both
    for others in (["ocr"], ["ocr", "clock", "geoclip"], []):
        left = both.for_priors(others)
        assert left.whole.stages == {"rerank": WIDE}
        assert left.whole.priors == both.whole.priors


def said(place: tuple[float, float], spread: float = 0.1) -> tuple[Belief, PriorGuess]:
    return from_components([Component(*place, 50e3, 1.0 - spread)], spread), PriorGuess("one", *place, 50e3)


def test_measured_sources_are_not_doubted_a_second_time() -> None:
    """Nobody measured: each is granted 2 %. Measured: what it says, tempered, is multiplied as it is."""
    heard = [said(PARIS, 0.02), said(LYON, 0.02)]
    plain, measured = fused(heard), fused(heard, Trust((Reliability().of, Reliability().of)))
    one_of_two = fused(heard, Trust((Reliability().of, None)))
    assert measured.belief.spread < one_of_two.belief.spread < plain.belief.spread


def test_sources_that_depend_on_each_other_are_averaged_as_far_as_they_do() -> None:
    heard = [said(PARIS), said(PARIS)]
    radii, spreads = [], []
    for dependence in (0.0, 0.5, 1.0):
        belief = fused(heard, Trust((None, None), dependence)).belief
        radii.append(credible_radius_m(belief, *PARIS, 0.5))
        spreads.append(belief.spread)
    assert radii[0] < radii[1] < radii[2]
    # Wholly dependent, they say what each says alone.
    assert spreads[2] == pytest.approx(0.1)
    assert radii[2] == pytest.approx(credible_radius_m(said(PARIS)[0], *PARIS, 0.5))
    alone = fused([said(PARIS), (Belief(), PriorGuess("two", None, None, None))], Trust((None, None), 1.0))
    assert alone.belief == said(PARIS)[0]


def test_a_labelled_photo_is_told_what_was_learned_without_it(town: SmallTown, tmp_path: Path) -> None:
    own, other = town.queries[0].path, town.queries[1].path
    renamed = str(tmp_path / "renamed.jpg")
    shutil.copy(own, renamed)
    folds = (Reliabilities(stages={"rerank": Reliability(5.0)}),)
    calibration = Calibration(Reliabilities(stages={"rerank": Reliability(2.0)}), folds, {photo_key(own): 0})
    for path, factor in ((own, 5.0), (renamed, 5.0), (other, 2.0)):
        plain, found = answer(town, path, None), answer(town, path, calibration)
        assert found.belief.components[0].radius_m == factor * plain.belief.components[0].radius_m


def test_a_prior_is_known_by_what_it_says_and_not_by_how_it_is_reached() -> None:
    key = prior_key(
        "vlm?url=http://user:secret@host/v1&model=Qwen/VL-7B&concurrency=8&samples=3&key_env=OPENAI_API_KEY"
    )
    assert key == "vlm?model=Qwen%2FVL-7B&samples=3"
    assert prior_key("vlm?samples=3&model=Qwen/VL-7B") == key
    assert prior_key("vlm?samples=1&model=Qwen/VL-7B") == "vlm?model=Qwen%2FVL-7B"
    assert prior_key("vlm-replay?file=/somewhere/else/answers.csv") == "vlm-replay?file=answers.csv"
    assert prior_key("near=48.85,2.35,5km").startswith("near?at=")


def stored(town: SmallTown, **provenance: Any) -> Stored:
    with Index.open(town.index) as index:
        searched = searched_in(index, "global", "mutual-nn")
    learned = Reliabilities({"ocr": WIDE}, {"rerank": DOUBTED}, 0.25)
    calibration = Calibration(learned, (Reliabilities(), learned), {"00ff": 1, "a.jpg": 0})
    told = {"created_at": "2024-05-01T12:00:00+00:00", "photographs": 33} | provenance
    return Stored(calibration, searched, told)


def test_what_is_stored_is_read_back(town: SmallTown, tmp_path: Path) -> None:
    kept = stored(town, command="geoloc evaluate", figures=[])
    write_calibration(tmp_path / "calibration.json", kept)
    assert read_calibration(tmp_path / "calibration.json") == kept
    assert kept.told == "33 photographs, 2024-05-01"
    assert calibration_of(json.loads(json.dumps(kept.calibration.as_json()))) == kept.calibration


def test_it_fits_the_index_that_it_was_learned_with_and_no_other(town: SmallTown) -> None:
    kept = stored(town)
    assert kept.searched is not None
    now = dict(kept.searched)
    assert misfit(kept, now) is None
    assert misfit(kept, now | {"photos": 28}) is None
    assert "has grown from 14 photos to 29" in str(misfit(kept, now | {"photos": 29}))
    assert "with the matcher mutual-nn" in str(misfit(kept, now | {"matcher": "loftr"}))
    assert "described otherwise" in str(misfit(kept, now | {"describer": {}}))
    assert misfit(replace(kept, searched=None), now) is None
    assert unknown_priors(kept, ["ocr", "clock", "near?at=1%2C2%2C3", "exif"]) == ["clock"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "no calibration of this program"),
        ("[]", "no calibration of this program"),
        ('{"schema": "geoloc.calibration/2"}', "says schema 'geoloc.calibration/2'"),
        ('{"schema": "geoloc.calibration/1", "priors": {"ocr": {"inflate": -1, "doubt": 0}}}', "no calibration of"),
    ],
)
def test_what_is_no_calibration_is_refused_with_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    file = tmp_path / "calibration.json"
    file.write_text(content)
    with pytest.raises(UsageError, match=sentence):
        read_calibration(file)
    with pytest.raises(UsageError, match="cannot be read"):
        read_calibration(tmp_path / "missing.json")
