"""The nouns of the project, in the order of the pipeline: Photo, Camera, Belief, Candidate, Pose, Fix, Failure.

Standard library only. Positions are WGS84 degrees, latitude first; lengths are metres; angles are degrees.
`radius_m` means one thing everywhere: the radius of the circle about (lat, lon) that holds 90 % of the probability.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["ok", "unlocated", "error"]
Stage = Literal["prior", "retrieval", "rerank", "pose"]
Level = Literal["exact", "street", "city", "region", "country", "none"]
"""How finely a place may be told, the finest first."""
Context = Literal["people", "children", "home_interior", "documents", "clinic", "protest"]
"""What a photograph shows that asks for its place to be told less finely."""


def _check_place(lat: float, lon: float) -> None:
    if not (math.isfinite(lat) and -90.0 <= lat <= 90.0):
        raise ValueError(f"latitude {lat} is not within -90 to 90 degrees")
    if not (math.isfinite(lon) and -180.0 <= lon <= 180.0):
        raise ValueError(f"longitude {lon} is not within -180 to 180 degrees")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a photo is said to have been taken, and by whom it is said (`source`: `exif`, `xmp` or `file`).

    `alt_m` counts from the datum that `alt_datum` names; nobody mixes the two (they differ by up to 105 m).
    `heading_deg` is clockwise from the north that `heading_ref` names.
    `radius_m` is None where the source says nothing of its accuracy.
    """

    lat: float
    lon: float
    alt_m: float | None = None
    alt_datum: Literal["ellipsoid", "sea_level"] | None = None
    heading_deg: float | None = None
    heading_ref: Literal["true", "magnetic"] | None = None
    radius_m: float | None = None
    source: str = "exif"

    def __post_init__(self) -> None:
        _check_place(self.lat, self.lon)
        if self.radius_m is not None and not (math.isfinite(self.radius_m) and self.radius_m >= 0):
            raise ValueError(f"radius_m {self.radius_m} is not a length")


@dataclass(frozen=True, slots=True)
class Altitude:
    """How high a photo is said to have been taken, with a place or without, and by whom (`source`: `exif` or `xmp`).

    `alt_m` counts from the datum that `datum` names, None where nothing does. `std_m` is its standard deviation, None
    where the source says nothing of its accuracy. `above_start_m` is a drone's height above where it took off.
    """

    alt_m: float
    datum: Literal["ellipsoid", "sea_level"] | None
    source: str
    std_m: float | None = None
    above_start_m: float | None = None


@dataclass(frozen=True, slots=True)
class Attitude:
    """How a camera was held, as its own sensors say of the upright picture (`source`: `dji`, `pix4d` or `gpano`).

    `pitch_deg` is that of the optical axis, up positive; `roll_deg` is about it, clockwise positive as the photographer
    sees it; `heading_deg` is clockwise from the north that `heading_ref` names. Together they are the angles of a
    `Pose`. `std_deg` is the standard deviation of the two axes that gravity tells of, and not of the heading.
    """

    pitch_deg: float
    roll_deg: float
    std_deg: float
    source: str
    heading_deg: float | None = None
    heading_ref: Literal["true", "magnetic"] | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.pitch_deg) and -90.0 <= self.pitch_deg <= 90.0):
            raise ValueError(f"pitch {self.pitch_deg} is not within -90 to 90 degrees")
        if not (math.isfinite(self.roll_deg) and -180.0 <= self.roll_deg <= 180.0):
            raise ValueError(f"roll {self.roll_deg} is not within -180 to 180 degrees")
        if not (math.isfinite(self.std_deg) and self.std_deg > 0.0):
            raise ValueError(f"std_deg {self.std_deg} is no standard deviation")


@dataclass(frozen=True, slots=True)
class Camera:
    """Intrinsics of an upright picture, in COLMAP's model names and parameter order.

    `params` are pixels of a `width` x `height` picture with the centre of the top-left pixel at (0.5, 0.5).
    `source` says how the focal length was come by; `focal_std` is its relative standard deviation (0.05 = 5 %), and 0
    where all of the intrinsics were stated, and are to be held.
    """

    model: str
    width: int
    height: int
    params: tuple[float, ...]
    source: str
    focal_std: float

    @property
    def focal_px(self) -> float:
        """The focal length in pixels (the mean of fx and fy where the model has both)."""
        if self.model in ("PINHOLE", "OPENCV", "OPENCV_FISHEYE", "FULL_OPENCV"):
            return (self.params[0] + self.params[1]) / 2.0
        return self.params[0]


@dataclass(frozen=True, slots=True)
class Clock:
    """When a photo was taken by the clock that dated it, and how far that clock is ahead of UTC.

    `source` says who states the offset: `exif`, `gps` (the satellites' time beside the camera's), `exif+gps` where both
    say the same, or `xmp`.
    """

    utc: str  # ISO 8601
    offset_min: int
    source: str

    def __post_init__(self) -> None:
        if not -720 <= self.offset_min <= 840:
            raise ValueError(f"an offset of {self.offset_min} minutes is no place's: they run from -720 to 840")


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph as its file describes it, before a pixel is decoded.

    `path` is the name by which the user gave it (undecodable bytes as surrogates). `width` and `height` are upright,
    after the EXIF `orientation` (1 to 8). `ev100` is the exposure value at ISO 100, None where a flash lit the scene.
    `notes` are doubts about its metadata, each one sentence.
    """

    path: str
    width: int
    height: int
    orientation: int = 1
    position: Position | None = None
    taken_at: str | None = None  # ISO 8601, with offset where the file gives one
    make: str | None = None
    model: str | None = None
    serial: str | None = None
    camera: Camera | None = None
    attitude: Attitude | None = None
    altitude: Altitude | None = None
    clock: Clock | None = None
    ev100: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Component:
    """One von Mises-Fisher component of a belief; `radius_m` holds 90 % of it, `weight` is its share of the whole."""

    lat: float
    lon: float
    radius_m: float
    weight: float

    def __post_init__(self) -> None:
        _check_place(self.lat, self.lon)
        if not (math.isfinite(self.radius_m) and self.radius_m > 0):
            raise ValueError(f"radius_m {self.radius_m} is not a positive length")
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise ValueError(f"weight {self.weight} is not a share")


@dataclass(frozen=True, slots=True)
class Belief:
    """A probability over places on the Earth: a mixture of components, and a share `spread` evenly over the globe.

    The weights and `spread` add up to one. `spread` is what the source admits it might have got wrong.
    """

    components: tuple[Component, ...] = ()
    spread: float = 1.0

    def __post_init__(self) -> None:
        total = self.spread + sum(c.weight for c in self.components)
        if not math.isclose(total, 1.0, abs_tol=1e-6) or not -1e-9 <= self.spread <= 1 + 1e-9:
            raise ValueError(f"a belief's weights and spread add up to one, these to {total:.6f}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An indexed photo that may show the query's place, with the evidence for it; a map's photo may have no place.

    `similarity` is the cosine of the global descriptors, or with the retriever `cann` its score from 0 to 1; `matches`
    and `inliers` are None until verified; `score` is what the candidates are ordered by (the formula is stated in
    `retrieval/rerank.py`).
    """

    photo: str
    lat: float | None
    lon: float | None
    similarity: float
    prior_distance_km: float | None = None
    score: float = 0.0
    matches: int | None = None
    inliers: int | None = None


@dataclass(frozen=True, slots=True)
class Lens:
    """Intrinsics as a pose rests on them, in COLMAP's model names and parameter order, of the upright picture."""

    model: str
    width: int
    height: int
    params: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a camera is and how it is held: `x_in_cam = cam_from_map * x_in_map`, COLMAP's camera axes.

    `camera` is its lens, the focal length as it was refined with the pose; None where that has no model.
    """

    map: str
    georeferenced: bool
    rotation_wxyz: tuple[float, float, float, float]
    translation: tuple[float, float, float]
    center_in_map: tuple[float, float, float]
    center_in_enu: tuple[float, float, float] | None
    heading_deg: float | None
    pitch_deg: float | None
    roll_deg: float | None
    inliers: int
    inlier_ratio: float
    reprojection_px: float
    position_std_m: tuple[float, float, float] | None
    rotation_std_deg: tuple[float, float, float] | None
    solver: str
    camera: Lens | None = None


@dataclass(frozen=True, slots=True)
class Searched:
    """How much of an index was searched for a photo.

    `region_photos` is how many indexed photos lie where the priors sent the search, and so what precision can come of
    it; None where nothing bounded it. `looked_at_share` is the part of the index whose vectors were compared, and
    `widened` says that nothing stood in the region, and that the whole index was searched after it.
    """

    region_photos: int | None
    looked_at_share: float
    widened: bool


@dataclass(frozen=True, slots=True)
class PriorGuess:
    """What one prior said, kept in the record as evidence; no place where it knows nothing, and the rationale why.

    `details` are plain JSON, left out where there are none.
    """

    name: str
    lat: float | None
    lon: float | None
    radius_m: float | None
    rationale: str = ""
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Disclosed:
    """How far an answer was coarsened before it left the program, and by whom (`option` or `policy`).

    `contexts` are those that a policy went by; None where the photograph's were not known, or no policy was asked.
    """

    level: Level
    by: Literal["option", "policy"] = "option"
    contexts: tuple[Context, ...] | None = None


@dataclass(frozen=True, slots=True)
class InAlbum:
    """What the other photographs of one camera made of a photo's answer.

    `chain` numbers the ways of the album, one for each camera and outing; `camera` is its make and model. `time` says
    when the photo was taken: by its `exif`, or between others by the `order` of the names. `own` is the probability
    that what the photo says of itself is right, `borrowed_from` are those that the answer rests on beside it, and
    `travel` is how one gets from them to it. The radii are those of the answer alone, and with the album.
    """

    chain: int
    camera: str | None
    time: Literal["exif", "order"]
    own: float
    borrowed_from: tuple[str, ...]
    radius_before_m: float | None
    radius_after_m: float | None
    travel: Literal["stop", "stroll", "walk", "ride", "drive", "rail", "fly", "jump"] | None


@dataclass(frozen=True, slots=True)
class Fix:
    """The answer for one photo that was handled: located (`ok`), or honestly not (`unlocated`, with its reason).

    `confidence` is the probability that the answer is within 1 km; of one that is `disclosed` by cells, that of the
    answer as it was. `reason` is one of `not_in_index`, `too_few_matches`, `prior_disagrees`, `not_georeferenced`,
    `nothing_known` (by any prior, which were all that was asked) where `status` is `unlocated`; where a pose was asked
    for and there is none, `no_pose_` and why (`pose/estimate.py`), or `pose_less_sure` than retrieval's place; with a
    pose, `pose_without_gravity`, `_altitude` or both where that contradicts the picture, and was left out of it. In a
    sequence or an album it is `off_the_track` where the photo's own answer was refused: `unlocated`, or `ok` at stage
    `prior` where the track says where it was; a photo that had no answer keeps its reason there. A pose in a map that
    is nowhere on the Earth is `ok`, with no `lat` and `lon`. `disclosed` is None where everything is told; it is
    `withheld` where nothing of a place is. `sha256` is of the file that was looked at; None where there was none, or it
    is not told.
    """

    photo: str
    status: Literal["ok", "unlocated"]
    stage: Stage | None
    lat: float | None
    lon: float | None
    alt_m: float | None
    radius_m: float | None
    confidence: float
    belief: Belief
    reason: str | None = None
    candidates: tuple[Candidate, ...] = ()
    pose: Pose | None = None
    priors: tuple[PriorGuess, ...] = ()
    search: Searched | None = None
    album: InAlbum | None = None
    timing_ms: dict[str, float] = field(default_factory=dict)
    disclosed: Disclosed | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A photo that could not be handled: a value that flows to the output beside the fixes, never an exception."""

    photo: str
    code: str
    message: str
