"""Maps that are set upright by how their photographs say they were held; the truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from surveys import Survey, grid, model_of, noisy, stated, strip, walk

from geoloc_cli.maps.georeference import Georeference
from geoloc_cli.maps.similarity import rotation_of
from geoloc_cli.pipeline.placing import placed
from geoloc_cli.pose.answer import angles_deg
from geoloc_cli.types import Attitude

CHI2_MEDIAN_2 = 1.386


def attitudes(
    survey: Survey, rng: np.random.Generator, std_deg: float = 1.0, said_deg: float = 1.0
) -> dict[str, Attitude]:
    """What gimbals of this deviation say, and state of it."""
    said = {}
    for name, rotation in zip(survey.names, survey.cam_from_enu, strict=True):
        off = rotation_of(np.radians(rng.normal(0.0, std_deg, 3)))
        _, pitch, roll = angles_deg(off @ rotation)
        said[name] = Attitude(pitch, roll, said_deg, "dji")
    return said


def laid(survey: Survey, positions: np.ndarray, said: dict[str, Attitude]) -> Georeference:
    found = placed(model_of(survey), stated(survey, positions), attitudes=said).georeference
    assert found is not None
    return found


def tipped(survey: Survey, degrees: float) -> Survey:
    """Cameras that all lean to one side of their way north, as on a mount that is bent or before a wind."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return replace(survey, cam_from_enu=survey.cam_from_enu @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]))


@pytest.mark.parametrize(("pitch", "turn_deg"), [(-88.0, 0.0), (-45.0, 0.0), (4.0, 35.0), (4.0, 90.0)])
def test_a_straight_line_gets_its_roll_from_attitudes(pitch: float, turn_deg: float) -> None:
    """Forty gimbals of one degree: the mean of 25 of them is taken for the best there is, a fifth of a degree.

    The cameras lean by 12 degrees, which the assumption that they are held level takes for the map's.
    """
    rolls, errors, without = [], [], []
    for seed in range(7):
        rng = np.random.default_rng([seed, 5])
        survey = tipped(strip(seed, pitch=pitch, turn_deg=turn_deg), 12.0)
        positions = noisy(survey, rng, 0.5, 1.0)
        found = laid(survey, positions, attitudes(survey, rng))
        assert not any("line" in note for note in found.notes), found.notes
        std = np.sqrt(found.covariance[2, 2])
        rolls.append(np.degrees(abs(survey.turn_error(found)[1])))
        errors.append(abs(survey.turn_error(found)[1]) / std)
        assert 0.15 < np.degrees(std) < 0.3
        plain = laid(survey, positions, {})
        assert any("line" in note for note in plain.notes)
        without.append(np.degrees(abs(survey.turn_error(plain)[1])))
    # 1 / sqrt(40) is 0.16 degrees, and the median of a Gaussian's absolute value 0.67 of that.
    assert np.median(rolls) < 0.2
    assert max(rolls) < 0.7
    assert np.median(errors) < 1.0
    assert np.median(without) > 5.0


def test_one_wrong_attitude_of_ten_does_no_harm() -> None:
    rng = np.random.default_rng(1)
    survey = strip(1, count=10)
    positions, said = noisy(survey, rng, 0.5, 1.0), attitudes(survey, rng)
    clean = laid(survey, positions, said)
    for wrong in (Attitude(0.0, 0.0, 1.0, "dji"), Attitude(-70.0, 90.0, 1.0, "dji"), Attitude(-80.0, 5.0, 1.0, "dji")):
        found = laid(survey, positions, said | {survey.names[4]: wrong})
        # A tenth of the evidence is gone: a Gaussian tenth's weight moves the mean by its own error at the most.
        assert np.degrees(abs(survey.turn_error(found)[1] - survey.turn_error(clean)[1])) < 0.3
        assert np.degrees(abs(survey.turn_error(found)[1])) < 1.0
        assert not any("line" in note for note in found.notes)


def test_attitudes_of_another_convention_are_not_used_and_a_note_says_so() -> None:
    """Pitch counted from the nadir: on a line all say the same, and over a field those that fly back another."""
    rng = np.random.default_rng(2)
    line = strip(2, pitch=-45.0)
    for survey, why in ((line, "contradict their positions"), (grid(2), "contradict one another")):
        positions, said = noisy(survey, rng, 1.0, 2.0), attitudes(survey, rng)
        wrong = {name: replace(a, pitch_deg=a.pitch_deg + 60.0) for name, a in said.items()}
        found, plain = laid(survey, positions, wrong), laid(survey, positions, {})
        assert np.allclose(found.rotation, plain.rotation, atol=1e-9)
        assert why in " ".join(found.notes)
    # One alone proves nothing.
    survey = walk(2)
    positions = noisy(survey, rng)
    alone = {survey.names[0]: Attitude(30.0, 0.0, 1.0, "dji")}
    assert np.array_equal(laid(survey, positions, {}).rotation, laid(survey, positions, alone).rotation)


def test_attitudes_steady_a_map_whose_heights_are_bad() -> None:
    """A walk over 80 m with 6 m of vertical noise leans by degrees; with attitudes by tenths, and says so."""
    plain, helped, distances = [], [], []
    for seed in range(30):
        rng = np.random.default_rng([seed, 7])
        survey = walk(seed, count=30)
        positions = noisy(survey, rng)
        found = laid(survey, positions, attitudes(survey, rng))
        tilt = survey.turn_error(found)[:2]
        distances.append(tilt @ np.linalg.solve(found.covariance[1:3, 1:3], tilt))
        helped.append(np.degrees(np.linalg.norm(tilt)))
        plain.append(np.degrees(np.linalg.norm(survey.turn_error(laid(survey, positions, {}))[:2])))
        assert found.notes == ()
    assert np.median(plain) > 1.5
    assert np.median(helped) < 0.35
    assert 1 / 1.5 < np.median(distances) / CHI2_MEDIAN_2 < 1.5


def test_gimbals_that_scatter_more_than_they_say_are_believed_by_their_scatter() -> None:
    rng = np.random.default_rng(3)
    survey = strip(3)
    positions = noisy(survey, rng, 0.5, 1.0)
    found = laid(survey, positions, attitudes(survey, rng, std_deg=1.6))
    assert 0.2 < np.degrees(np.sqrt(found.covariance[2, 2])) < 0.5
