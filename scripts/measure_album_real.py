"""What an album is worth on real photographs of which every second one is blurred.

    python scripts/measure_album_real.py lund seneca --blur 12

Every second photograph of a set is indexed; the others are the album, and every second of these is blurred by a
Gaussian of so many pixels. Their own GPS scores the answers and finds none. It prints a table and one line of JSON for
each set: of all photographs of the album, and of the blurred ones.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from measure_album import print_table, scores
from PIL import Image, ImageFilter

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.photos.moments import moment_of, natural_order
from geoloc_cli.pipeline.album import AlbumOptions, smooth_album
from geoloc_cli.pipeline.batch import locate_photos
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.locate import LocateOptions
from real_sets import parser, pictures, place, split


def main() -> None:
    given = parser(__doc__)
    given.add_argument("sets", nargs="+", choices=("lund", "seneca"))
    given.add_argument("--blur", type=float, default=12.0, help="standard deviation in pixels")
    given.add_argument("--speed", default="auto")
    given.add_argument("--work", type=Path, help="keep the index and the first answers' features here")
    asked = given.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for name in asked.sets:
            work = (asked.work or Path(scratch)) / name
            measure(name, split(asked.data, name)[0], work, asked.blur, asked.speed)


def measure(name: str, folder: Path, work: Path, blur: float, speed: str) -> None:
    ordered = sorted(map(str, pictures(folder)), key=natural_order)
    cache = str(work / "cache")
    if not (work / "index").exists():
        build_index(work / "index", ordered[::2], parallel_map=LocalPool(1), cache=cache)
    originals = ordered[1::2]
    # All in one folder, as photographs of no known camera are an album of their folder.
    taken = [copied(path, work / f"blur-{blur:g}", blur if i % 2 else 0.0) for i, path in enumerate(originals)]
    alone = list(locate_photos(work / "index", taken, LocateOptions(), LocalPool(1), cache=cache))
    album, told = smooth_album(alone, {path: moment_of(path) for path in taken}, AlbumOptions(speed))
    truth = [place(path) for path in originals]
    rows = {}
    for part, chosen in (("all", slice(None)), ("blurred", slice(1, None, 2)), ("sharp", slice(0, None, 2))):
        rows[f"{part} alone"] = scores(alone[chosen], truth[chosen])
        rows[f"{part} album"] = scores(album[chosen], truth[chosen])
    print(f"{name}: {len(taken)} photographs, every second blurred by {blur:g} px")
    print_table(rows)
    print(json.dumps({"script": "measure_album_real", "set": name, "blur_px": blur, "speed": speed, **rows}))
    for odd in told.odd:
        print(f"odd: {odd}")


def copied(path: str, folder: Path, sigma_px: float) -> str:
    """A copy in the folder, under its name and with its EXIF; blurred where sigma_px is not 0."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / Path(path).name
    if not sigma_px:
        shutil.copyfile(path, copy)
        return str(copy)
    with Image.open(path) as picture:
        exif = picture.info.get("exif", b"")
        picture.convert("RGB").filter(ImageFilter.GaussianBlur(sigma_px)).save(copy, quality=95, exif=exif)
    return str(copy)


if __name__ == "__main__":
    main()
