"""`geoloc prior`, as its user calls it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from program import called

if TYPE_CHECKING:
    from conftest import SmallTown


def test_it_answers_for_each_photo_and_says_who_knew_what(town: SmallTown) -> None:
    done = called("prior", town.photos[0].path, town.queries[0].path, "--prior", "exif", "--workers", "1", "--quiet")
    assert done.returncode == 0, done.stderr
    placed, bare = (json.loads(line) for line in done.stdout.splitlines())
    assert (placed["status"], placed["stage"], placed["priors"][0]["name"]) == ("ok", "prior", "exif")
    assert (bare["status"], bare["reason"], bare["belief"], bare["spread"]) == ("unlocated", "nothing_known", [], 1.0)
    assert bare["priors"] == [
        {"name": "exif", "lat": None, "lon": None, "radius_m": None, "rationale": "it knows nothing of this photo"}
    ]


def test_a_missing_file_is_a_line_and_a_call_without_priors_is_refused(town: SmallTown) -> None:
    lost = called("prior", "missing.jpg", "--prior", "exif", "--quiet")
    assert lost.returncode == 1
    assert json.loads(lost.stdout)["status"] == "error"
    none = called("prior", town.queries[0].path)
    assert none.returncode == 2
    assert "give --prior NAME" in none.stderr
