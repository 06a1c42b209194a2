"""The land and the borders of the world for maps in reports: geoloc_cli/export/data/world.json.

Natural Earth 4.1.0 at 1:110 million (public domain), as the npm package world-atlas carries it in TopoJSON (ISC):

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python scripts/make_world.py package

A ring is latitudes and longitudes in hundredths of a degree: the first point, then the steps from each to the next, the
last one's way back to the first left out. Its inside lies on the right of who walks along it, so that a ring about a
pole, or across the antimeridian, says which side is land. Borders are lines between countries, each once.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).resolve().parent.parent / "geoloc_cli" / "export" / "data"
UNIT_DEG = 0.01  # 1.1 km; the outlines are good to some 20 km
Points = NDArray[np.int64]  # (N, 2): latitude and longitude in units


def main() -> None:
    package = Path(sys.argv[1])
    source = (package / "countries-110m.json").read_bytes()
    version = json.loads((package / "package.json").read_bytes())["version"]
    topology = json.loads(source)
    arcs = [_degrees(arc, topology["transform"]) for arc in topology["arcs"]]
    (land,) = topology["objects"]["land"]["geometries"]
    rings = [_right_handed(_ring(ring, arcs)) for polygon in land["arcs"] for ring in polygon]
    uses = Counter(number_of(arc) for arc in _flat([g["arcs"] for g in topology["objects"]["countries"]["geometries"]]))
    borders = [_units(arcs[i]) for i, count in sorted(uses.items()) if count > 1]
    head = {
        "source": f"Natural Earth 4.1.0, 1:110 million, by world-atlas {version} (npm)",
        "licence": "public domain (Natural Earth); ISC (world-atlas, LICENSE.world-atlas)",
        "sha256": hashlib.sha256(source).hexdigest(),
        "unit_deg": UNIT_DEG,
    }
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    for name, parts in (("land", rings), ("borders", borders)):
        rows = ",\n".join(json.dumps(_steps(part), separators=(",", ":")) for part in parts if len(part) > 1)
        lines.append(f'"{name}": [\n{rows}\n]')
    out = DATA / "world.json"
    out.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")
    shutil.copyfile(package / "LICENSE", DATA / "LICENSE.world-atlas")
    print(f"{out.name}: {len(rings)} rings, {len(borders)} borders, {out.stat().st_size} bytes")


def number_of(arc: int) -> int:
    """The number of an arc; TopoJSON writes ~i for the arc i walked backwards."""
    return ~arc if arc < 0 else arc


def _flat(nested: Any) -> list[int]:
    return [nested] if isinstance(nested, int) else [arc for part in nested for arc in _flat(part)]


def _degrees(arc: list[list[int]], transform: dict[str, list[float]]) -> NDArray[np.float64]:
    """(N, 2) latitudes and longitudes of an arc, whose points are steps on a grid, longitude first."""
    at = np.cumsum(np.array(arc), axis=0) * transform["scale"] + transform["translate"]
    return at[:, ::-1]


def _ring(arcs_of: list[int], arcs: list[NDArray[np.float64]]) -> Points:
    """The points of a ring, each arc without its last one, which begins the next."""
    return _units(np.concatenate([(arcs[a] if a >= 0 else arcs[~a][::-1])[:-1] for a in arcs_of]))


def _units(degrees: NDArray[np.float64]) -> Points:
    units = np.rint(degrees / UNIT_DEG).astype(np.int64)
    moved = np.any(np.diff(units, axis=0) != 0, axis=1)
    return units[np.concatenate([[True], moved])]


def _right_handed(ring: Points) -> Points:
    """The ring walked so that the smaller of its two sides, which is its inside, lies on the right."""
    lat, lon = np.radians(np.vstack([ring, ring[:1]]) * UNIT_DEG).T
    east = (np.diff(lon) + np.pi) % (2.0 * np.pi) - np.pi
    turns = round(float(east.sum()) / (2.0 * np.pi))
    area = float(np.sum((np.sin(lat[:-1]) + np.sin(lat[1:])) / 2.0 * east)) + 2.0 * np.pi * abs(turns)
    return ring if area % (4.0 * np.pi) <= 2.0 * np.pi else ring[::-1]


def _steps(points: Points) -> list[int]:
    steps = np.diff(points, axis=0)
    return [int(v) for v in np.vstack([points[:1], steps]).ravel()]


if __name__ == "__main__":
    main()
