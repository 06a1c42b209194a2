"""Small indexes of made photos, shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from geoloc_cli.index.reader import Index
from geoloc_cli.pipeline.build import BuildReport, build_index
from geoloc_cli.pipeline.describer import build_descriptor
from geoloc_cli.testing.fakes import MadeExtraction, made_features, small_describer


def build(index: Path, paths: list[str], **options: Any) -> BuildReport:
    return build_index(index, paths, parallel_map=MadeExtraction(), describer=small_describer(), **options)


def found(index: Path, seed: int = 9000, k: int = 1000) -> list[tuple[str, float]]:
    """Every path that a query of made features finds, best first, with its similarity to six decimals."""
    with Index.open(index) as reader:
        hits = reader.search(build_descriptor(reader).describe(made_features(seed)), k)
        photos = reader.photos([int(row) for row in hits.row_ids])
        return [(photo.path, round(float(s), 6)) for photo, s in zip(photos, hits.similarities, strict=True)]


def paths_in(index: Path) -> list[str]:
    with Index.open(index) as reader:
        return [photo.path for photo in reader.all_photos()]
