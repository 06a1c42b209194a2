"""What the scripts that measure on real photographs share: the installed `geoloc`, and the sets' queries and truth."""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.photos.exif import read_photo

# The field counts a photograph as found within this many metres of the truth.
WITHIN_M = 25.0
PICTURES = (".jpg", ".jpeg", ".png")


def geoloc(*arguments: str) -> str:
    """Standard output of the installed command; exit status 1 (some photos failed) is an answer too."""
    done = subprocess.run([sys.executable, "-m", "geoloc_cli", *arguments], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"geoloc {' '.join(arguments[:2])} ended with {done.returncode}: {done.stderr}")
    print(done.stderr, end="", file=sys.stderr)
    return done.stdout


def parser(description: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    return made


def split(data: Path, name: str) -> tuple[Path, list[Path]]:
    """The folder of a set's photographs, and those of them that are the queries."""
    said = json.loads((data / "splits.json").read_text())[name]
    return data / said["photos"], [data / said["photos"] / query for query in said["queries"]]


def pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)


@functools.cache
def place(photo: str) -> tuple[float, float]:
    """Where EXIF says that a photograph was taken."""
    position = read_photo(photo).position
    assert position is not None, photo
    return position.lat, position.lon


@dataclass(frozen=True)
class RetrievalSet:
    """Queries, the references that are indexed, is_right(query, reference) by their paths, and if they have GPS."""

    queries: list[Path]
    references: list[Path]
    is_right: Callable[[str, str], bool]
    placed: bool


def within_reach(query: str, reference: str) -> bool:
    return float(haversine_m(*place(reference), *place(query))) <= WITHIN_M


def retrieval_set(data: Path, name: str) -> RetrievalSet:
    """seneca and lund by GPS, corridor by the numbers that its truth lists."""
    if name == "corridor":
        folder = data / name
        listed = json.loads((folder / "ground_truth.json").read_text())

        def is_listed(query: str, reference: str) -> bool:
            return int(Path(reference).stem) in listed[str(int(Path(query).stem))]

        return RetrievalSet(pictures(folder / "query"), pictures(folder / "ref"), is_listed, placed=False)
    photos, queries = split(data, name)
    references = [path for path in pictures(photos) if path not in queries]
    return RetrievalSet(queries, references, within_reach, placed=True)


def invented(photos: list[Path], at: Path) -> list[str]:
    """Options of `geoloc index build` for photographs without GPS: one metre apart along a meridian, in order."""
    rows = [f"{path},{45 + i * 9e-6:.7f},7\n" for i, path in enumerate(photos)]
    at.write_text("path,lat,lon\n" + "".join(rows))
    return ["--positions", str(at)]
