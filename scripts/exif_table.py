"""What the files below given folders say of themselves: one row each, and at the end how many failed and how.

    python scripts/exif_table.py ../shared/data/exif ../shared/data/immich ../shared/data/exif_gps

Every file is read, whatever its name ends in. The exit status is 1 where one failed with anything but a PhotoError.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from geoloc_cli.errors import PhotoError
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.opening import shown
from geoloc_cli.types import Photo

COLUMNS = ("file", "size", "turn", "lat, lon", "alt_m", "heading", "radius_m", "taken_at", "camera", "focal/long", "by")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folders", nargs="+", type=Path)
    outcomes: Counter[str] = Counter()
    rows: list[tuple[str, ...]] = [COLUMNS]
    remarks: list[str] = []
    for folder in parser.parse_args().folders:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = shown(os.path.relpath(path, folder.parent))
            try:
                photo = read_photo(str(path))
            except PhotoError as error:
                outcomes[error.code] += 1
                remarks.append(f"{name}: {error.code}: {error}")
            except Exception as error:
                outcomes["UNEXPECTED"] += 1
                remarks.append(f"{name}: UNEXPECTED {type(error).__name__}: {error}")
            else:
                outcomes["read"] += 1
                outcomes["with position"] += photo.position is not None
                outcomes["with a focal length of its own"] += photo.camera is not None and photo.camera.focal_std < 0.4
                rows.append(row(name, photo))
                remarks += [f"{name}: {note}" for note in photo.notes]
    widths = [max(len(r[i]) for r in rows) for i in range(len(COLUMNS))]
    for cells in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    print("", *remarks, "", sep="\n")
    print(", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()))
    return 1 if outcomes["UNEXPECTED"] else 0


def row(name: str, photo: Photo) -> tuple[str, ...]:
    position, camera = photo.position, photo.camera
    altitude = heading = radius = place = "-"
    if position is not None:
        place = f"{position.lat:.6f}, {position.lon:.6f}"
        if position.alt_m is not None:
            altitude = f"{position.alt_m:.1f} {(position.alt_datum or '?')[:3]}"
        if position.heading_deg is not None:
            heading = f"{position.heading_deg:.1f} {(position.heading_ref or '?')[:1]}"
        if position.radius_m is not None:
            radius = f"{position.radius_m:.1f}"
    ratio, source = "-", "-"
    if camera is not None:
        ratio, source = f"{camera.focal_px / max(camera.width, camera.height):.3f}", camera.source
        source += f" ({100 * camera.focal_std:.0f} %)"
    made_by = " ".join(part for part in (photo.make, photo.model) if part) or "-"
    size = f"{photo.width}x{photo.height}"
    return (
        name,
        size,
        str(photo.orientation),
        place,
        altitude,
        heading,
        radius,
        photo.taken_at or "-",
        made_by,
        ratio,
        source,
    )


if __name__ == "__main__":
    sys.exit(main())
