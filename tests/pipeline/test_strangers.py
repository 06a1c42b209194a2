"""Houses of the same build in another town: matched corners are many, and must not be taken for the place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from geoloc_cli.features.match import MutualNearest
from geoloc_cli.features.sift import SiftFeatures
from geoloc_cli.photos.decode import decode_gray
from geoloc_cli.retrieval.verify import Query, VerifyOptions, verify_pair
from geoloc_cli.testing.demo import OTHER_TOWN_AT, TOWN_AT, query_cameras, street_cameras
from geoloc_cli.testing.photos import Noise, write_photos
from geoloc_cli.testing.town import Town


def test_twins_give_evidence_but_not_enough(tmp_path: Path) -> None:
    # The walk and the views of the demo, of which the third stranger once passed for a photo of the town.
    town, other = Town(0, *TOWN_AT), Town(1000, *OTHER_TOWN_AT)
    rng = np.random.default_rng(0)
    walk = street_cameras(town, rng)
    query_cameras(town, 12, rng)
    strangers = query_cameras(other, 3, rng)
    features, options = SiftFeatures(), VerifyOptions()

    def seen(paths: list[str]) -> list[Query]:
        found = [features.extract(decode_gray(path, max_size=1280).pixels) for path in paths]
        return [Query(local, MutualNearest(), options.quick_query) for local in found]

    walked = write_photos(town, walk[72:79], tmp_path / "walk", noise=Noise(sensor_std=2.0))
    references = [query.features for query in seen([photo.path for photo in walked])]
    asked = seen([photo.path for photo in write_photos(other, strangers, tmp_path / "strangers", seed=2)])
    evidence = max(verify_pair(q, r, options).evidence for q in asked for r in references)
    assert 5.0 < evidence < 0.85 * options.min_evidence
    # Views of the town itself, two metres aside and ten degrees off, leave the threshold far below.
    aside = [
        replace(c, center_in_enu=tuple(np.add(c.center_in_enu, (1.5, 1.5, 0.2))), heading_deg=c.heading_deg + 10)
        for c in walk[73:78:2]
    ]
    for home in seen([photo.path for photo in write_photos(town, aside, tmp_path / "homes", seed=1)]):
        best = max(verify_pair(home, r, options).evidence for r in references)
        assert best > 5.0 * options.min_evidence
