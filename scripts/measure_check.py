"""Checks claims that are known to be true and false, and prints how often each verdict was given.

    python scripts/measure_check.py [--data ../shared/data] [--keep FOLDER] [--sets seneca,lund,town] [--seed 0]

Of each set the held-out queries are checked against an index of the rest, in copies without their GPS. True claims are
discs about a place at a third of their radius from the truth, and at nine tenths of it; false ones are discs whose
middle lies 100 m, 300 m, 1 km and 50 km away in a random direction. Photographs of other sets are claimed to be of
where the index is (false), and of where they are (true, and unknown to the index). Drives the installed `geoloc` as a
user would. Prints one table, the claims that were decided wrongly, and one JSON line.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geoloc_cli.geo.earth import destination
from real_sets import geoloc, parser, pictures, place, split

# Name, whether it is true, the radius, and how far the disc's middle lies from the truth.
KINDS = (
    ("true, 25 m", True, 25.0, 25.0 / 3.0),
    ("true, 100 m", True, 100.0, 100.0 / 3.0),
    ("true, 100 m, near the rim", True, 100.0, 90.0),
    ("true, 1 km", True, 1000.0, 1000.0 / 3.0),
    ("false, 25 m, 100 m away", False, 25.0, 100.0),
    ("false, 50 m, 300 m away", False, 50.0, 300.0),
    ("false, 100 m, 1 km away", False, 100.0, 1000.0),
    ("false, 1 km, 50 km away", False, 1000.0, 50_000.0),
)
VERDICTS = ("supported", "undecided", "contradicted")
Place = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """One claim: what it is called, whether it is true, and what is written in the table of claims."""

    kind: str
    true: bool
    photo: Path
    at: Place
    radius_m: float


def town(folder: Path) -> tuple[Path, dict[Path, Place], dict[Path, Place]]:
    """A rendered town: its index, the queries with their places, and photographs of another town."""
    geoloc("demo", str(folder))
    said = json.loads((folder / "truth.json").read_text())
    truth = {Path(one["path"]).name: (one["lat"], one["lon"]) for one in said}
    queries, strangers = (
        {path: truth[path.name] for path in pictures(folder / part)} for part in ("queries", "elsewhere")
    )
    return folder / "index", queries, strangers


def real(data: Path, name: str, folder: Path) -> tuple[Path, dict[Path, Place]]:
    """A set of real photographs: the index of its references, and its queries without GPS, with their places."""
    photos, queries = split(data, name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "queries.txt").write_text("\n".join(query.name for query in queries))
    cache = str(folder.parent / "cache")
    geoloc(
        *("index", "build", str(photos), "--index", str(folder / "index")),
        *("--exclude-list", str(folder / "queries.txt"), "--cache", cache),
    )
    if not (folder / "queries").exists():
        geoloc("scrub", *map(str, queries), "--out", str(folder / "queries"))
    copies = {path.name: path for path in pictures(folder / "queries")}
    return folder / "index", {copies[query.name]: place(str(query)) for query in queries}


def claims_about(queries: dict[Path, Place], rng: np.random.Generator) -> list[Row]:
    found = []
    for photo, truth in queries.items():
        for kind, true, radius_m, away_m in KINDS:
            lat, lon = destination(*truth, float(rng.uniform(0.0, 360.0)), away_m)
            found.append(Row(kind, true, photo, (float(lat), float(lon)), radius_m))
    return found


def of_strangers(others: dict[Path, Place], at: Place) -> list[Row]:
    """Photographs that the index does not know: claimed to be of its middle, and of where they are."""
    false = [Row("false, 1 km, of strangers", False, photo, at, 1000.0) for photo in others]
    return false + [Row("true, 100 m, of strangers", True, photo, where, 100.0) for photo, where in others.items()]


def checked(rows: list[Row], index: Path, folder: Path) -> list[tuple[Row, dict[str, object]]]:
    table = folder / "claims.csv"
    lines = [f"{row.photo.resolve()},{row.at[0]:.8f},{row.at[1]:.8f},{row.radius_m}" for row in rows]
    table.write_text("\n".join(["path,lat,lon,radius", *lines]) + "\n")
    out = geoloc(
        *("check", "--claims", str(table), "--index", str(index), "--json", "--cache", str(folder.parent / "cache"))
    )
    return list(zip(rows, map(json.loads, out.splitlines()), strict=True))


def middle(places: dict[Path, Place]) -> Place:
    lat, lon = np.median(np.array(list(places.values())), axis=0)
    return float(lat), float(lon)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--keep", type=Path, help="a folder for what is built, used again by the next run")
    arguments.add_argument("--sets", default="seneca,lund,town")
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        home: Path = options.keep or Path(temporary)
        sets, strangers = {}, {}
        for name in options.sets.split(","):
            if name == "town":
                index, queries, strangers[name] = town(home / name)
            else:
                index, queries = real(options.data, name, home / name)
            sets[name] = index, queries
        counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        weights: dict[tuple[str, str], list[float]] = defaultdict(list)
        wrong, said = [], {}
        for name, (index, queries) in sets.items():
            others = dict(strangers.get(name, {}))
            for other, (_, theirs) in sets.items():
                others |= {} if other == name else theirs
            rows = claims_about(queries, rng) + of_strangers(others, middle(queries))
            for row, record in checked(rows, index, home / name):
                verdict = str(record["verdict"])
                counts[name, row.kind][verdict] += 1
                weights[name, row.kind].append(float(str(record["log10_lr"])))
                if verdict == ("contradicted" if row.true else "supported"):
                    wrong.append(f"{name}: {row.photo.name}, {row.kind}: {verdict}, log10 {record['log10_lr']}")
        print(
            f"\n{'set':10}{'claims':30}"
            + "".join(f"{verdict:>14}" for verdict in VERDICTS)
            + "   log10 LR: least, median, most"
        )
        for (name, kind), found in counts.items():
            least, median, most = np.quantile(weights[name, kind], (0.0, 0.5, 1.0))
            counted = "".join(f"{found[verdict]:14}" for verdict in VERDICTS)
            print(f"{name:10}{kind:30}{counted}   {least:+.2f} {median:+.2f} {most:+.2f}")
            said[f"{name}: {kind}"] = [found[verdict] for verdict in VERDICTS]
        for line in wrong:
            print(f"WRONG  {line}")
        total = sum(sum(found.values()) for found in counts.values())
        print(json.dumps({"claims": total, "wrong": len(wrong), "verdicts": list(VERDICTS), "counts": said}))


if __name__ == "__main__":
    main()
