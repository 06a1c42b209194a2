"""Learns the vocabulary by which `anyloc` describes photographs, from photographs of the kind that is to be described.

    python scripts/learn_vocabulary.py PHOTOS... --out vocabulary.safetensors [--descriptor 'anyloc?weights=FILE'] \
        [--words 32] [--photos 1000]

PHOTOS is files, folders (recursive) or glob patterns; of more than --photos, that many evenly spaced ones are taken,
and what cannot be read is told and left out. The file holds `centers`, (words, C); the same photographs and options
give the same bytes. Then:

    geoloc index build PHOTOS --index DIR --descriptor 'anyloc?weights=FILE&vocabulary=vocabulary.safetensors'
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.descriptors.anyloc import AnyLocOptions, learn_vocabulary
from geoloc_cli.errors import GeolocError, PhotoError
from geoloc_cli.index.faiss_file import cluster
from geoloc_cli.models.weights import imported
from geoloc_cli.photos.decode import decode_rgb
from geoloc_cli.photos.scan import find_photos
from geoloc_cli.registry import parse, typed_options


def evenly(paths: Sequence[str], most: int) -> list[str]:
    """At most `most` of them, in their order, the first among them."""
    return [paths[i] for i in np.linspace(0, len(paths), min(most, len(paths)), endpoint=False).astype(int)]


def pictures(paths: Sequence[str], longest: int, read: list[str]) -> Iterator[NDArray[np.uint8]]:
    """The upright pictures, their longer side at most `longest`; the paths of those that could be read go to `read`."""
    for number, path in enumerate(paths, 1):
        print(f"\r{number} of {len(paths)}", end="", file=sys.stderr, flush=True)
        try:
            picture = decode_rgb(path, max_size=longest)
        except PhotoError as error:
            print(f"\n{error}", file=sys.stderr)
            continue
        read.append(path)
        yield picture
    print(file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--descriptor", default="anyloc")
    parser.add_argument("--words", type=int, default=32)
    parser.add_argument("--photos", dest="most", type=int, default=1000)
    given = parser.parse_args(arguments)
    spec = parse(given.descriptor)
    if spec.name != "anyloc":
        parser.error(f"--descriptor is {spec.name!r}, and only anyloc has a vocabulary of its own")
    try:
        options = typed_options(AnyLocOptions, spec.options, "descriptor 'anyloc'")
        paths = evenly(list(find_photos(given.photos)), given.most)
        read: list[str] = []
        found = pictures(paths, options.size_px or 1 << 20, read)
        centers = learn_vocabulary(found, options, cluster, words=given.words)
        imported("safetensors.numpy", "A vocabulary").save_file({"centers": centers}, given.out)
    except GeolocError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{given.out}: {len(centers)} words of {centers.shape[1]} numbers from {len(read)} photos.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
