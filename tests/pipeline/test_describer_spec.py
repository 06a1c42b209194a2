"""What a build is asked to describe by, beside what an index was made with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.index.manifest import Manifest, read_manifest, write_manifest
from geoloc_cli.pipeline.describer import default_spec, spec_for


def test_dim_and_whitening_are_written_into_the_options_of_vlad(tmp_path: Path) -> None:
    options = spec_for(tmp_path / "new", reduction={"dim": 64, "whiten": 1.0})["descriptor"]["options"]
    assert (options["dim"], options["whiten"]) == (64, 1.0)
    assert spec_for(tmp_path / "new") == default_spec()
    with pytest.raises(UsageError, match="vlad learns a reduction of its own, and takes no seed"):
        spec_for(tmp_path / "new", reduction={"seed": 1})
    with pytest.raises(UsageError, match="whiten is 2"):
        spec_for(tmp_path / "new", reduction={"whiten": 2.0})


def test_an_index_from_before_the_option_of_whitening_is_the_same(tmp_path: Path) -> None:
    old = default_spec()
    del old["descriptor"]["options"]["whiten"]
    write_manifest(tmp_path, Manifest(old, "2026-01-01T00:00:00+00:00"))
    assert spec_for(tmp_path) == old
    assert spec_for(tmp_path, reduction={"whiten": 0.5}) == old
    assert spec_for(tmp_path, descriptor="vlad") == old
    assert spec_for(tmp_path, reduction={"whiten": 1.0})["descriptor"]["options"]["whiten"] == 1.0
    assert json.loads(json.dumps(read_manifest(tmp_path).describer)) == old


def test_whitening_of_vectors_that_are_left_as_they_are_is_refused(tmp_path: Path) -> None:
    learned = default_spec() | {"descriptor": {"name": "somebodys", "options": {}}, "reduction": {"dim": 0}}
    write_manifest(tmp_path, Manifest(learned, "2026-01-01T00:00:00+00:00"))
    with pytest.raises(UsageError, match=r"--whiten 1.0 needs --dim"):
        spec_for(tmp_path, reduction={"whiten": 1.0})
    reduction = spec_for(tmp_path, reduction={"dim": 32, "whiten": 1.0})["reduction"]
    assert (reduction["dim"], reduction["whiten"]) == (32, 1.0)
