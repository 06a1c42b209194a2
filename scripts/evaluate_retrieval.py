"""Finds the held-out photographs of each real set in an index of the rest, and prints how often the right ones come up.

    python scripts/evaluate_retrieval.py [--data ../shared/data] [--sets seneca,lund,corridor,sacre_coeur]
        [--features aliked] [--descriptor NAME] [--matcher lightglue] [--cache FOLDER] [--keep FOLDER]

Drives the installed `geoloc` as a user would. Recall at k is the share of queries with a right photograph among the k
that look most alike: within 25 m by GPS, or one that the set's truth lists; `reachable` queries have one at all.
`verified_first` is the share whose first candidate is right once keypoints have been compared, `inliers` the mean of
what the best one has. Of photographs of one place (sacre_coeur, fountain) every pair is compared instead. Seconds are
one build's and one query's, of which `describe_s` go into its keypoints, and with --cache none where they are there.
Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from geoloc_cli.index.reader import Index
from geoloc_cli.pipeline.matching import build_matcher, pictured
from geoloc_cli.retrieval.verify import Query, VerifyOptions, verify_pair
from real_sets import geoloc, invented, parser, pictures, retrieval_set

ONE_PLACE = ("sacre_coeur", "fountain")
RANKS = (1, 5, 10)


def built(references: list[Path], index: Path, placed: bool, options: argparse.Namespace) -> float:
    """Makes the index of a set's references; returns its seconds."""
    index.parent.mkdir(parents=True, exist_ok=True)
    how = ["--features", options.features, *(["--descriptor", options.descriptor] if options.descriptor else [])]
    how += [] if placed else invented(references, index.with_suffix(".csv"))
    began = time.perf_counter()
    geoloc("index", "build", *map(str, references), "--index", str(index), *how, *cached(options))
    return time.perf_counter() - began


def cached(options: argparse.Namespace) -> list[str]:
    return ["--cache", str(options.cache)] if options.cache else []


def found_row(name: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    real = retrieval_set(options.data, name)
    build_s = built(real.references, folder / name, real.placed, options)
    asked = ["--index", str(folder / name), "--format", "jsonl", "--explain", "--matcher", options.matcher]
    began = time.perf_counter()
    lines = geoloc("locate", *map(str, real.queries), *asked, *cached(options)).splitlines()
    query_s = (time.perf_counter() - began) / len(real.queries)
    fixes = [json.loads(line) for line in lines]
    ranks, firsts, inliers = [], 0, []
    for fix in fixes:
        alike = sorted(fix["candidates"], key=lambda candidate: -candidate["similarity"])
        right = [rank for rank, candidate in enumerate(alike, 1) if real.is_right(fix["photo"], candidate["photo"])]
        ranks.append(right[0] if right else np.inf)
        if fix["status"] == "ok":
            firsts += real.is_right(fix["photo"], fix["candidates"][0]["photo"])
            inliers.append(fix["candidates"][0]["inliers"])
    return {
        "queries": len(fixes),
        "references": len(real.references),
        "reachable": sum(any(real.is_right(str(q), str(r)) for r in real.references) for q in real.queries),
        **{f"recall@{k}": float(np.mean(np.array(ranks) <= k)) for k in RANKS},
        "verified": len(inliers),
        "verified_first": firsts / len(fixes),
        "inliers": float(np.mean(inliers)) if inliers else 0.0,
        "build_s": build_s,
        "query_s": query_s,
        "describe_s": float(np.median([fix["timing_ms"]["describe"] for fix in fixes])) / 1000.0,
    }


def pairs_row(name: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    photos = pictures(options.data / name)
    build_s = built(photos, folder / name, False, options)
    verify = VerifyOptions()
    verified, inliers = 0, []
    began = time.perf_counter()
    with Index.open(folder / name) as index:
        matcher = build_matcher(index, options.matcher, verify.max_ratio)
        local = [index.local(photo.row_id) for photo in index.all_photos()]
        if matcher.needs_pictures:
            local = [pictured(features, photo.path) for features, photo in zip(local, index.all_photos(), strict=True)]
        for a, b in itertools.combinations(local, 2):
            result = verify_pair(Query(a, matcher, verify.full_query), b, verify)
            if result.evidence >= verify.min_evidence:
                verified += 1
                inliers.append(result.inliers)
    pairs = len(local) * (len(local) - 1) // 2
    return {
        "pairs": pairs,
        "verified": verified,
        "inliers": float(np.sum(inliers)),
        "build_s": build_s,
        "pair_s": (time.perf_counter() - began) / pairs,
    }


def main() -> None:
    said = parser(__doc__)
    said.add_argument("--sets", default="seneca,lund,corridor,sacre_coeur")
    said.add_argument("--features", default="sift", help="as of `geoloc index build`")
    said.add_argument("--descriptor", help="as of `geoloc index build`; its default without")
    said.add_argument("--matcher", default="mutual-nn", help="as of `geoloc locate`")
    said.add_argument("--cache", type=Path, help="as of `geoloc index build`")
    said.add_argument("--keep", type=Path, help="leave the indexes in this folder")
    options = said.parse_args()
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        for name in options.sets.split(","):
            report[name] = (pairs_row if name in ONE_PLACE else found_row)(name, folder, options)
            facts = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in report[name].items())
            print(f"{name}: {facts}", flush=True)
    print(json.dumps({"evaluate_retrieval": report}))


if __name__ == "__main__":
    main()
