"""Claims about photos -> verdicts: each photo is located as ever, and what came of it is weighed against its claim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import NoneType
from typing import Any

import numpy as np

from geoloc_cli.claims import file_says, picture
from geoloc_cli.claims.picture import Searched, Seen
from geoloc_cli.claims.region import Disc, Region
from geoloc_cli.claims.sightings import sightings_of
from geoloc_cli.claims.verdict import Piece, Verdict, threshold_of, verdict_of
from geoloc_cli.claims.weigh import ELSEWHERE, Elsewhere
from geoloc_cli.contracts import ParallelMap
from geoloc_cli.errors import PhotoError, UsageError
from geoloc_cli.index.reader import Index
from geoloc_cli.maps.folder import index_of, read_manifest
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.intrinsics import CameraOverride, parse_camera
from geoloc_cli.photos.opening import shown
from geoloc_cli.pipeline import sightings
from geoloc_cli.pipeline.asking import spec_of
from geoloc_cli.pipeline.batch import ask_photos, locate_photos
from geoloc_cli.pipeline.extract import fingerprint
from geoloc_cli.pipeline.hiding import Hiding
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.pipeline.posing import stage_spec
from geoloc_cli.types import Belief, Failure, Fix

# What these say is the file's word or the user's own, and would come back as if the picture had said it.
_NOT_OF_THE_PICTURE = {
    "exif": "The file's position is weighed by itself",
    "clock": "The file's clock is weighed by itself",
    "terrain": "The file's altitude is no word of the picture",
    "near": "A place that is given is no evidence for itself",
}
# The indexed copy of a photo has its place from the same file, and no prior is to read it there either.
_HIDE = Hiding(position=True, itself=True)
# What options are, as JSON has them; the others are texts, which may be absent.
_NUMBER = (int, float, NoneType)
_KINDS: dict[str, tuple[type, ...]] = {
    "pose": (bool,),
    "priors": (list,),
    "top_k": (int,),
    "focal_px": _NUMBER,
    "fov_deg": _NUMBER,
}


@dataclass(frozen=True, slots=True)
class Claim:
    """Where and, if `moment` is there, when a photo is said to have been taken."""

    region: Region
    moment: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        return {**self.region.as_json(), "time": self.moment.isoformat() if self.moment else None}


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What claims are weighed by: scalars, as they are kept beside the verdicts. A map carries its own index.

    `camera`, `focal_px` and `fov_deg` state the intrinsics, as `geoloc locate` takes them.
    """

    index: str | None = None
    map: str | None = None
    pose: bool = False
    priors: tuple[str, ...] = ()
    top_k: int = 15
    retriever: str = "global"
    matcher: str = "mutual-nn"
    solver: str = "auto"
    camera: str | None = None
    focal_px: float | None = None
    fov_deg: float | None = None
    elsewhere: Elsewhere = "scales"
    strictness: str = "usual"

    def check(self) -> None:
        """Raises UsageError where they do not go together."""
        threshold_of(self.strictness)
        if self.elsewhere not in ELSEWHERE:
            raise UsageError(f"There is no elsewhere '{self.elsewhere}'; give one of {', '.join(ELSEWHERE)}.")
        if self.index is not None and self.map is not None:
            raise UsageError("Give --index DIR or --map DIR, and not both: a map carries its own index.")
        if self.elsewhere == "index" and self.searched is None:
            raise UsageError("--elsewhere index asks for an index; give --index or --map.")
        if self.pose and self.searched is None:
            raise UsageError("--pose asks for an index; give --index or --map.")
        for text in self.priors:
            name = spec_of(text).name
            if name in _NOT_OF_THE_PICTURE:
                raise UsageError(f"{_NOT_OF_THE_PICTURE[name]}; leave out --prior {name}.")

    @property
    def searched(self) -> str | None:
        """The index that is searched."""
        return str(index_of(Path(self.map))) if self.map is not None else self.index

    @property
    def override(self) -> CameraOverride | None:
        if self.camera is None and self.focal_px is None and self.fov_deg is None:
            return None
        camera = parse_camera(self.camera) if self.camera else None
        return CameraOverride(focal_px=self.focal_px, fov_deg=self.fov_deg, camera=camera)


@dataclass(frozen=True, slots=True)
class Checked:
    """A claim that was weighed. `remarks` are of the claim itself and weigh nothing."""

    photo: str
    sha256: str
    claim: Claim
    verdict: Verdict
    pieces: tuple[Piece, ...]
    remarks: tuple[str, ...]
    seen: Seen


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A claim that could not be weighed, and why; without a claim where that could not be read."""

    failure: Failure
    claim: Claim | None = None


Asked = tuple[str, Claim]


def check_claims(
    asked: Sequence[Asked | Unchecked], options: CheckOptions, parallel_map: ParallelMap, cache: str | None = None
) -> Iterator[Checked | Unchecked]:
    """One answer for each claim, in their order; a photo of several claims is located once.

    Raises the RunErrors of options, index, map and priors before the first photo is read.
    """
    options.check()
    paths = list(dict.fromkeys(one[0] for one in asked if not isinstance(one, Unchecked)))
    known: dict[str, Seen | Failure] = {}
    with ExitStack() as stack:
        answers = _seen(paths, options, parallel_map, cache, stack)
        for one in asked:
            if isinstance(one, Unchecked):
                yield one
                continue
            path, claim = one
            while path not in known:
                answer = next(answers)
                known[answer.photo if isinstance(answer, Failure) else answer.fix.photo] = answer
            yield weighed(path, claim, known[path], options)


def weighed(path: str, claim: Claim, seen: Seen | Failure, options: CheckOptions) -> Checked | Unchecked:
    """A claim weighed by what is known of its photo."""
    if isinstance(seen, Failure):
        return Unchecked(seen, claim)
    region, indexed = claim.region, seen.searched.places if seen.searched else None
    try:
        photo, sha256 = read_photo(path), fingerprint(path)[0]
    except PhotoError as error:
        return Unchecked(Failure(path, error.code, str(error)), claim)
    try:
        pieces = picture.pieces_of(seen, region, options.elsewhere)
        pieces += file_says.pieces_of(photo, region, claim.moment, options.elsewhere, indexed)
    except UsageError as error:  # where all of the index lies inside of this very claim
        return Unchecked(Failure(path, "no_elsewhere", str(error)), claim)
    remarks = [*file_says.remarks_of(region, claim.moment), *_exchanged(seen.fix, region)]
    if seen.searched is not None and sha256 in seen.searched.contents:
        remarks.append("The index holds this very file, which was left out: a photo is no witness of itself.")
    remarks += [
        f"The indexed {shown(one.photo)} seems to be this very picture in another file: its place is a claim, too."
        for one in seen.sightings
        if one.same_picture
    ]
    verdict = verdict_of(pieces, threshold_of(options.strictness))
    return Checked(path, sha256, claim, verdict, tuple(pieces), tuple(remarks), seen)


def _exchanged(fix: Fix, region: Region) -> Iterator[str]:
    """Whether the answer fits a claimed disc of which latitude and longitude were exchanged."""
    if not isinstance(region, Disc) or fix.lat is None or fix.lon is None or not abs(region.lon) <= 90.0:
        return
    other = Disc(region.lon, region.lat, region.radius_m)
    if region.away_m(fix.lat, fix.lon) > 0.0 and other.away_m(fix.lat, fix.lon) <= (fix.radius_m or 0.0):
        yield "The answer lies where the claim would if its latitude and longitude were exchanged."


def _seen(
    paths: Sequence[str], options: CheckOptions, parallel_map: ParallelMap, cache: str | None, stack: ExitStack
) -> Iterator[Seen | Failure]:
    """What is known of each photo, in their order."""
    if options.searched is None:
        if not options.priors:
            return (_looked_at(path) for path in paths)
        return map(_unsearched, ask_photos(paths, options.priors, parallel_map, cache, _HIDE))
    if options.map is not None:
        read_manifest(Path(options.map))
    posed = options.pose or options.map is not None
    pose = stage_spec(options.map, options.override, options.solver, options.matcher) if posed else None
    how = LocateOptions(top_k=options.top_k, list_k=options.top_k, hide=_HIDE)
    how.check()
    index = stack.enter_context(Index.open(options.searched))
    kept = Path(stack.enter_context(TemporaryDirectory(prefix="geoloc-")))
    photos = index.all_photos()
    places = [(photo.position.lat, photo.position.lon) for photo in photos if photo.position]
    contents = frozenset(photo.sha256 for photo in photos)
    searched = Searched(len(photos), np.array(places, dtype=np.float64).reshape(-1, 2), contents)
    answers = locate_photos(
        options.searched,
        paths,
        how,
        parallel_map,
        options.priors,
        cache,
        pose,
        options.retriever,
        options.matcher,
        witness=str(kept),
    )
    return (answer if isinstance(answer, Failure) else _compared(answer, searched, kept) for answer in answers)


def _compared(fix: Fix, searched: Searched, kept: Path) -> Seen:
    compared = {path: one for path, one in (sightings.read(kept, fix.photo) or {}).items() if one.stands}
    return Seen(fix, sightings_of(fix, compared), searched, compared)


def _looked_at(path: str) -> Seen | Failure:
    """Of a photo that nothing was asked about but its file."""
    try:
        read_photo(path)
    except PhotoError as error:
        return Failure(path, error.code, str(error))
    nothing = Fix(path, "unlocated", None, None, None, None, None, 0.0, Belief(), reason="nothing_known")
    return Seen(nothing)


def _unsearched(answer: Fix | Failure) -> Seen | Failure:
    return answer if isinstance(answer, Failure) else Seen(answer)


def options_as_json(options: CheckOptions) -> dict[str, Any]:
    """Options as plain JSON, and `options_of` back."""
    return {**asdict(options), "priors": list(options.priors)}


def options_of(said: Mapping[str, Any]) -> CheckOptions:
    """Raises TypeError where they are of another version, or no options at all."""
    for name, value in said.items():
        if not isinstance(value, _KINDS.get(name, (str, NoneType))):
            raise TypeError(f"{name} is {value!r}")
    if not all(isinstance(prior, str) for prior in said["priors"]):
        raise TypeError(f"priors are {said['priors']!r}")
    return CheckOptions(**{**said, "priors": tuple(said["priors"])})
