"""Claims as they are given: `LAT,LON,RADIUS` and a time, or a table of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from geoloc_cli.claims.check import Asked, Claim, Unchecked
from geoloc_cli.claims.file_says import moment_of
from geoloc_cli.claims.region import area_of_file, disc
from geoloc_cli.errors import UsageError
from geoloc_cli.geo.stated import length_of
from geoloc_cli.types import Failure

# Spreadsheets write semicolons where commas are decimal.
_DELIMITERS = (",", ";", "\t")
_COLUMNS = ("path", "lat", "lon", "radius")


def claim_of(place: str | None, region: str | None, time: str | None) -> Claim:
    """The claim of the options. Raises UsageError, which says what is wrong with it."""
    if (place is None) == (region is None):
        raise UsageError("Give --claim LAT,LON,RADIUS or --claim-region FILE, and not both.")
    try:
        moment = moment_of(time) if time is not None else None
    except ValueError as error:
        raise UsageError(str(error)) from None
    if region is not None:
        return Claim(area_of_file(region), moment)
    parts = (place or "").split(",")
    if len(parts) != 3:
        raise UsageError(f"--claim is {place!r}; give LAT,LON,RADIUS, as in 48.8584,2.2945,200m.")
    return Claim(disc(_degrees(parts[0]), _degrees(parts[1]), length_of(parts[2], "The claim's radius")), moment)


def read_claims(path: str) -> Iterator[Asked | Unchecked]:
    """The claims of a CSV file, by commas, semicolons or tabs: the columns path, lat, lon, radius and perhaps time.

    Photos are named from the file's folder. A row that is none becomes an answer that says why. Raises UsageError where
    the file is no such table.
    """
    home = Path(path).parent
    try:
        with Path(path).open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
            header = lines.readline()
            lines.seek(0)
            rows = csv.DictReader(lines, delimiter=max(_DELIMITERS, key=header.count))
            lacking = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
            if lacking:
                raise UsageError(f"{path} lacks the column {lacking[0]}; it takes path, lat, lon, radius and time.")
            for row in rows:
                yield _row(path, rows.line_num, row, home)
    except (OSError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as a table of claims ({error}).") from error


def _row(path: str, line: int, row: Mapping[str | None, str | None], home: Path) -> Asked | Unchecked:
    photo = row.get("path") or ""
    named = str(home / photo) if photo else f"{path}, line {line}"
    try:
        if not photo:
            raise UsageError("It names no photo.")
        place = disc(_degrees(row.get("lat")), _degrees(row.get("lon")), length_of(row.get("radius") or "", "radius"))
        return named, Claim(place, moment_of(time) if (time := row.get("time")) else None)
    except (UsageError, ValueError) as error:
        return Unchecked(Failure(named, "bad_claim", f"{path}, line {line}: {error}"))


def _degrees(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise UsageError(f"The claim's place holds {text!r}, which is no number of degrees.") from None
