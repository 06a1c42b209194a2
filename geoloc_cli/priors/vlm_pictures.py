"""A photo as a model is shown it: whole, in equivalent views, and in parts that it wants to see larger."""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geoloc_cli.errors import PhotoNotFound
from geoloc_cli.photos.decode import decode_rgb
from geoloc_cli.priors.vlm_talk import Shown

Box = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the picture's width and height."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
# The longer side at which a part is cut out at most: 150 MB of pixels for a moment, and more than most cameras have.
_LARGEST_PX = 8192
# A part is enlarged this much at most: more adds nothing that could be seen.
_ENLARGED = 4.0


@dataclass(frozen=True, slots=True)
class View:
    """A picture of the same place: a part of it, mirrored or not, at a quality of JPEG.

    `weight`: of an answer to it beside one to the picture itself. `told`: what the model must know of it.
    """

    name: str
    box: Box = WHOLE
    mirrored: bool = False
    quality: int = 90
    weight: float = 1.0
    told: str = ""


# The least equal comes last: a mirror exchanges the sides of the road, and makes writing illegible. An answer to it has
# less to go by, and where it differs that is only half a reason to doubt the others.
VIEWS = (
    View("plain"),
    View("cropped", box=(0.05, 0.05, 0.95, 0.95)),
    View("coarse", quality=50),
    View(
        "mirrored",
        mirrored=True,
        weight=0.5,
        told="This copy of the photograph is mirrored left to right: take neither its writing nor the side of the road "
        "as it stands.",
    ),
)


class Picture:
    """A photo's file as it is shown: decoded when it is first needed, so that answers on disk need no decoding."""

    def __init__(self, path: str, max_px: int) -> None:
        self._path, self._max_px = path, max_px
        self._digest = ""
        self._whole: dict[str, Shown] = {}

    def shown(self, view: View = VIEWS[0]) -> Shown:
        """The whole picture, its longer side `max_px` at most."""
        if view.name not in self._whole:
            self._whole[view.name] = self._shown(view, WHOLE, 1.0)
        return self._whole[view.name]

    def part(self, box: Box, view: View = VIEWS[0]) -> Shown:
        """A part of a view, cut from the photo at its full resolution, its longer side `max_px` where that has it."""
        return self._shown(view, box, _ENLARGED)

    def pixels(self, box: Box, longest_px: int, enlarged: float = 1.0) -> NDArray[np.uint8]:
        """The upright pixels (H, W, 3) of a part, enlarged so many times at most. Raises PhotoError's kin."""
        left, top, right, bottom = box
        needed = math.ceil(longest_px / min(right - left, bottom - top))
        full = decode_rgb(self._path, max_size=longest_px if box == WHOLE else min(needed, _LARGEST_PX))
        if box == WHOLE:
            return full
        height, width = full.shape[:2]
        x, y = min(int(left * width), width - 1), min(int(top * height), height - 1)
        part = full[y : max(y + 1, round(bottom * height)), x : max(x + 1, round(right * width))]
        factor = min(longest_px / max(part.shape[:2]), enlarged)
        size = max(1, round(part.shape[1] * factor)), max(1, round(part.shape[0] * factor))
        return np.asarray(Image.fromarray(part).resize(size, Image.Resampling.LANCZOS), dtype=np.uint8)

    def _shown(self, view: View, box: Box, enlarged: float) -> Shown:
        if not self._digest:
            self._digest = f"{self._file_digest()}/{self._max_px}"
        cut = "" if box == WHOLE else "/" + ",".join(f"{share:g}" for share in box)
        digest = self._digest + ("" if view == VIEWS[0] else f"/{view.name}") + cut
        return Shown(digest, cache(partial(self._encoded, view, box, enlarged)))

    def _encoded(self, view: View, box: Box, enlarged: float) -> bytes:
        pixels = self.pixels(inside(view, box), self._max_px, enlarged)
        return encoded(np.ascontiguousarray(pixels[:, ::-1]) if view.mirrored else pixels, view.quality)

    def _file_digest(self) -> str:
        try:
            with open(self._path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise PhotoNotFound(f"{self._path} cannot be read ({error.strerror}); check the path.") from error


def inside(view: View, box: Box) -> Box:
    """Where a part of a view lies in the photo itself."""
    left, top, right, bottom = (1.0 - box[2], box[1], 1.0 - box[0], box[3]) if view.mirrored else box
    x, y, width, height = view.box[0], view.box[1], view.box[2] - view.box[0], view.box[3] - view.box[1]
    return x + left * width, y + top * height, x + right * width, y + bottom * height


def encoded(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Pixels alone as JPEG: made from an array, the file can hold nothing of the photo's metadata."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
