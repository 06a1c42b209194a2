"""Which scripts the OCR prior reads, and what it makes of place names: signs that are drawn here, and a table.

    python scripts/measure_ocr.py FONT...                       e.g. of fonts-noto-core and fonts-noto-cjk (Debian)
    python scripts/measure_ocr.py FONT... --photos FOLDER       and what it says of real pictures

Each name is drawn by the first font that has all of its letters, light on dark like a sign, at two sizes; a script
without a font is said to be without one. `read`: the key of the name (`priors/names.py`) stands in what was read.
`found`: the belief's guess lies within 100 km of the place; `wrong`: the place is
beyond twice the guess's own radius. Prints a table by script and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.photos.decode import decode_rgb
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.priors.names import key_of
from geoloc_cli.priors.ocr import OcrOptions, OcrPrior
from geoloc_cli.priors.reading import Reader

SIGNS: dict[str, list[tuple[str, float, float]]] = {
    "Latin": [
        ("Winterthur", 47.50, 8.75),
        ("Marseille", 43.30, 5.38),
        ("Barcelona", 41.39, 2.16),
        ("Rotterdam", 51.92, 4.48),
        ("Edinburgh", 55.95, -3.19),
        ("Chicago", 41.85, -87.65),
        ("Melbourne", -37.81, 144.96),
        ("Lagos", 6.45, 3.39),
        ("Nairobi", -1.28, 36.82),
        ("Bogota", 4.61, -74.08),
        ("Jakarta", -6.21, 106.85),
        ("Casablanca", 33.59, -7.61),
    ],
    "Latin with accents": [
        ("Zürich", 47.37, 8.55),
        ("Genève", 46.20, 6.15),
        ("São Paulo", -23.55, -46.64),
        ("Málaga", 36.72, -4.42),
        ("Kraków", 50.06, 19.94),
        ("Malmö", 55.61, 13.00),
        ("Łódź", 51.76, 19.46),
        ("Plzeň", 49.75, 13.38),
        ("Győr", 47.68, 17.64),
        ("İzmir", 38.41, 27.14),
        ("Timișoara", 45.75, 21.23),
        ("Tromsø", 69.65, 18.96),
        ("Đà Nẵng", 16.07, 108.22),
        ("Reykjavík", 64.14, -21.90),
    ],
    "Chinese, simplified": [
        ("上海", 31.22, 121.46),
        ("广州", 23.12, 113.25),
        ("重庆", 29.56, 106.55),
        ("西安", 34.26, 108.93),
        ("武汉", 30.58, 114.27),
    ],
    "Chinese, traditional": [
        ("臺北", 25.05, 121.53),
        ("高雄", 22.62, 120.31),
        ("香港", 22.28, 114.17),
        ("臺中", 24.15, 120.68),
    ],
    "Japanese": [
        ("東京", 35.69, 139.69),
        ("横浜市", 35.44, 139.64),
        ("札幌", 43.07, 141.35),
        ("名古屋", 35.18, 136.91),
        ("さいたま", 35.91, 139.66),
    ],
    "Greek": [
        ("Αθήνα", 37.98, 23.72),
        ("ΘΕΣΣΑΛΟΝΙΚΗ", 40.64, 22.93),
        ("Πάτρα", 38.25, 21.73),
        ("Ηράκλειο", 35.33, 25.14),
    ],
    "Cyrillic": [
        ("Москва", 55.75, 37.62),
        ("Київ", 50.45, 30.52),
        ("София", 42.70, 23.32),
        ("Екатеринбург", 56.85, 60.61),
    ],
    "Hangul": [("서울", 37.57, 126.98), ("부산", 35.10, 129.03), ("인천", 37.46, 126.71)],
    "Arabic": [("القاهرة", 30.06, 31.25), ("بغداد", 33.34, 44.40), ("الرياض", 24.69, 46.72)],
    "Hebrew": [("ירושלים", 31.77, 35.22), ("חיפה", 32.82, 34.99)],
    "Thai": [("เชียงใหม่", 18.79, 98.98), ("กรุงเทพ", 13.75, 100.50)],
    "Devanagari": [("मुंबई", 19.07, 72.88), ("दिल्ली", 28.65, 77.23)],
    "Georgian": [("თბილისი", 41.69, 44.83)],
    "Armenian": [("Երևան", 40.18, 44.51)],
}
SIZES = (64, 120)


def drawn(name: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    picture = Image.new("RGB", (1200, 800), (118, 132, 120))
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = draw.textbbox((0, 0), name, font=font)
    box = (300, 300, 300 + right - left + 80, 300 + bottom - top + 60)
    draw.rectangle(box, fill=(20, 60, 150), outline="white", width=4)
    draw.text((340 - left, 330 - top), name, font=font, fill="white")
    return picture


def has_letters(font: ImageFont.FreeTypeFont, name: str) -> bool:
    """Whether none of the letters is drawn as the box that stands for a missing one."""
    missing = bytes(font.getmask("\U000fffff"))
    return all(bytes(font.getmask(letter)) not in (missing, b"") for letter in name if not letter.isspace())


def signs(fonts: list[Path]) -> Iterator[tuple[str, str, float, float, list[Image.Image]]]:
    """Script, name, place and pictures; no pictures where no font has its letters."""
    for script, names in SIGNS.items():
        for name, lat, lon in names:
            font = next((f for f in fonts if has_letters(ImageFont.truetype(f, 40), name)), None)
            pictures = [drawn(name, ImageFont.truetype(font, size)) for size in SIZES] if font else []
            yield script, name, lat, lon, pictures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fonts", nargs="*", type=Path)
    parser.add_argument("--photos", type=Path)
    given = parser.parse_args()
    reader, prior, options = Reader(), OcrPrior(), OcrOptions()
    table: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for script, name, lat, lon, pictures in signs(given.fonts):
            row = table.setdefault(script, [0, 0, 0, 0])
            for picture in pictures:
                path = Path(folder) / "sign.png"
                picture.save(path)
                lines = reader.read(decode_rgb(str(path), max_size=options.max_px), options.min_score)
                _, guess = prior.believe(read_photo(str(path))) or (None, None)
                known = guess is not None and guess.lat is not None
                away_m = float(haversine_m(lat, lon, guess.lat, guess.lon)) if known else 0.0
                near = known and away_m < 100_000
                far = known and away_m > max(100_000, 2.0 * guess.radius_m)
                read = key_of(name) in {key_of(line.text) for line in lines}
                row[:] = [a + b for a, b in zip(row, (1, read, near, far), strict=True)]
                if not (read and near):
                    print(f"  {script}: {name} read as {[line.text for line in lines]}", file=sys.stderr)
    print(f"{'script':24}{'signs':>7}{'read':>7}{'found':>7}{'wrong':>7}")
    for script, (count, read, near, far) in table.items():
        print(f"{script:24}{count:7d}" + (f"{read:7d}{near:7d}{far:7d}" if count else "   no font"))
    print(json.dumps(table, ensure_ascii=False))
    for path in sorted(given.photos.rglob("*.jpg")) if given.photos else []:
        said = prior.believe(read_photo(str(path)))
        print(f"{path.name}: {said[1] if said else 'nothing'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
