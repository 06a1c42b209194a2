"""What every reader of a data set hands back: photographs with what is known of them, in columns.

Big sets are why columns: the test of OSV-5M has 210 thousand photographs, MP-16 4.7 million.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.types import Camera

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Poses:
    """cam_from_map of N photographs in COLMAP's camera axes: rotation (N, 3, 3), translation (N, 3); NaN where unknown.

    The map is the set's own frame, in metres.
    """

    rotation: Floats
    translation: Floats

    def __post_init__(self) -> None:
        count = len(self.rotation)
        if self.rotation.shape != (count, 3, 3) or self.translation.shape != (count, 3):
            raise ValueError(f"rotations {self.rotation.shape} and translations {self.translation.shape} do not fit")

    def __len__(self) -> int:
        return len(self.rotation)

    @property
    def centers_in_map(self) -> Floats:
        """(N, 3): where the cameras are."""
        centers: Floats = -np.einsum("nji,nj->ni", self.rotation, self.translation)
        return centers


@dataclass(frozen=True, slots=True)
class Labelled:
    """N photographs of a set in its own order, and in columns what it says of each.

    `names` are paths under `folder`; `ids` are what the set calls the photographs where that is something else.
    `lat` and `lon` (N,) are WGS84 degrees, NaN where the set tells of no place on the Earth. `plane` (N, 2) is where
    the set's own rule measures distances (easting and northing in metres of one UTM zone, or a frame's number).
    `groups` name the scene or the city of each: a query is looked for among the references of its own group, and each
    group has a plane and a map of its own. `cameras` holds None where the set states no intrinsics.
    """

    folder: Path
    names: Sequence[str]
    lat: Floats
    lon: Floats
    ids: Sequence[str] | None = None
    plane: Floats | None = None
    groups: Sequence[str] | None = None
    poses: Poses | None = None
    cameras: Sequence[Camera | None] | None = None

    def __post_init__(self) -> None:
        columns = (self.lat, self.lon, self.ids, self.plane, self.groups, self.poses, self.cameras)
        lengths = {len(column) for column in columns if column is not None}
        if lengths != {len(self.names)}:
            raise ValueError(f"{len(self.names)} photographs have columns of {sorted(lengths)} entries")
        if self.plane is not None and self.plane.shape != (len(self.names), 2):
            raise ValueError(f"plane is {self.plane.shape}, not ({len(self.names)}, 2)")

    def __len__(self) -> int:
        return len(self.names)

    def path(self, row: int) -> Path:
        return self.folder / self.names[row]

    @classmethod
    def none(cls, folder: Path) -> Labelled:
        """No photographs, for a set that has no references or no queries."""
        return cls(folder, [], np.empty(0), np.empty(0))


@dataclass(frozen=True, slots=True)
class Rule:
    """When a reference shows a query's place, as the set's authors count it: at most `radius` away, in `unit`."""

    radius: float
    unit: str = "m"


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """A data set as it lies on disk: references to search in, queries to answer, and what to know of it.

    `rule` is None where the set scores distances or poses and no retrieval. `notes` are one sentence each. `stated`:
    the places are the set's, and not what the files of the photographs say.
    """

    name: str
    references: Labelled
    queries: Labelled
    rule: Rule | None = None
    notes: tuple[str, ...] = ()
    stated: bool = True


@dataclass(frozen=True, slots=True)
class Reader:
    """How a set is read: `read(name, root)` raises UsageError in one sentence where a file is missing or wrong.

    `home` is where it is published. `terms` are the words of its licence where its publisher states one, else what was
    seen of its terms.
    """

    name: str
    what: str
    home: str
    terms: str
    read: Callable[[str, Path], LabelledSet]
