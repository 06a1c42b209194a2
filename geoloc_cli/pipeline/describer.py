"""The describer of an index: which features and which descriptor, from the spec that its manifest records."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import Descriptor, Features, PictureDescriptor
from geoloc_cli.descriptors.cached import CachedDescriptor
from geoloc_cli.descriptors.look import LookDescriptor
from geoloc_cli.descriptors.reduction import ReductionOptions
from geoloc_cli.descriptors.views import ViewOptions, ViewsDescriptor
from geoloc_cli.descriptors.vlad import VladDescriptor, VladOptions
from geoloc_cli.errors import IndexMismatch, UnknownBackend, UsageError
from geoloc_cli.features.cached import CachedFeatures
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.features.sift import SiftOptions
from geoloc_cli.index.manifest import NAME, read_manifest
from geoloc_cli.index.reader import Index
from geoloc_cli.models.catalogue import spec_for_model
from geoloc_cli.photos.decode import decode_gray, decode_rgb
from geoloc_cli.registry import BackendSpec, create, typed_options
from geoloc_cli.store import opened

Spec = dict[str, Any]

# Larger than any picture: decoded at its full size.
_FULL_PX = 1 << 20
# Options that change how fast a picture is described, and not what is found.
_PACE = {"compile", "batch"}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A photo's upright picture: gray (H, W) uint8, and rgb (H', W', 3) uint8 where a descriptor wants it."""

    gray: NDArray[np.uint8]
    rgb: NDArray[np.uint8] | None


class Describer:
    """A photo's file -> its local features, with its look where the descriptor is one of pictures."""

    def __init__(self, features: Features, pictures: PictureDescriptor | None) -> None:
        self.features, self.pictures = features, pictures

    def decode(self, path: str, look: NDArray[np.float32] | None = None) -> Decoded:
        """look: where it was found before, no colours are decoded for it. Raises PhotoError's kin."""
        gray = decode_gray(path, max_size=int(self.features.options.max_size_px)).pixels
        rgb = decode_for(self.pictures, path) if self.pictures is not None and look is None else None
        return Decoded(gray, rgb)

    def describe(self, decoded: Decoded, look: NDArray[np.float32] | None = None) -> LocalFeatures:
        """The features of a picture with this look, or the one that it has here."""
        if self.pictures is not None and decoded.rgb is not None:
            look = self.pictures.embed([decoded.rgb])[0]
        found = self.features.extract(decoded.gray)
        return found if look is None else replace(found, look=look)


def decode_for(pictures: PictureDescriptor, path: str) -> NDArray[np.uint8]:
    """A photo's upright picture in colour, as large as a descriptor wants it. Raises PhotoError's kin."""
    return decode_rgb(path, max_size=pictures.wanted_px() or _FULL_PX)


def default_spec() -> dict[str, Spec]:
    """The embedded default, with every option written out, so that an index says how it was made."""
    return {
        "features": {"name": "sift", "options": asdict(SiftOptions())},
        "descriptor": {"name": "vlad", "options": asdict(VladOptions())},
    }


def spec_for(
    folder: str | Path,
    features: str | None = None,
    descriptor: str | None = None,
    reduction: Spec | None = None,
    views: Spec | None = None,
) -> dict[str, Spec]:
    """The describer for a build into `folder`, by what the user says of it; an index that exists keeps the rest.

    features, descriptor: backends or models by name, `aliked?weights=...` or `aliked-n16`; reduction: options of
    `descriptors/reduction.py`, of which `vlad` takes `dim` and `whiten`; views: those of `descriptors/views.py`.
    Learned ones come back with their file of weights pinned; one that lies elsewhere than when the index was made is
    still the same.
    """
    recorded = read_manifest(Path(folder)).describer if (Path(folder) / NAME).exists() else None
    spec = dict(recorded or default_spec())
    if features is not None:
        spec["features"] = _pinned("features", spec_for_model("features", features))
    if descriptor is not None:
        spec["descriptor"] = _descriptor_spec(spec_for_model("descriptor", descriptor))
        spec = {part: said for part, said in spec.items() if part not in ("reduction", "views")}
    spec = _with_views(_with_reduction(spec, reduction or {}), views or {})
    if recorded is None:
        return spec
    # One from before an option is of its default.
    same = identity_of(_with_reduction(recorded, {})) == identity_of(spec)
    return recorded if same else spec


def _descriptor_spec(given: BackendSpec) -> Spec:
    if given.name == VladDescriptor.name:
        return {"name": given.name, "options": asdict(typed_options(VladOptions, given.options, "descriptor 'vlad'"))}
    return _pinned("descriptor", given)


def _pinned(kind: str, given: BackendSpec) -> Spec:
    options = create(kind, given).options
    return {"name": given.name, "options": {} if options is None else asdict(options)}


def _with_reduction(spec: dict[str, Spec], given: Spec) -> dict[str, Spec]:
    descriptor = spec["descriptor"]
    if descriptor["name"] != VladDescriptor.name:
        options = typed_options(ReductionOptions, spec.get("reduction", {}) | given, "reduction")
        if "whiten" in given and not options.dim:
            raise UsageError(f"--whiten {given['whiten']} needs --dim: vectors of all their numbers stay as they are.")
        return spec | {"reduction": asdict(options)}
    strange = sorted(given.keys() - {"dim", "whiten"})
    if strange:
        raise UsageError(f"vlad learns a reduction of its own, and takes no {strange[0]}; give --dim and --whiten.")
    options = typed_options(VladOptions, descriptor["options"] | given, "descriptor 'vlad'")
    return spec | {"descriptor": {"name": VladDescriptor.name, "options": asdict(options)}}


def _with_views(spec: dict[str, Spec], given: Spec) -> dict[str, Spec]:
    """An index without views says nothing of them, as those do that were made before there were any."""
    if not given:
        return spec
    if spec["descriptor"]["name"] == VladDescriptor.name:
        raise UsageError("vlad is made of keypoints, not of the picture: it takes no --scales, and no --flip.")
    options = typed_options(ViewOptions, spec.get("views", {}) | given, "views").settled()
    seen = {part: said for part, said in spec.items() if part != "views"}
    if options != ViewOptions():
        seen["views"] = asdict(options)
        build_pictures(seen)  # refuses here what it cannot scale, and not in every worker
    return seen


def identity_of(spec: dict[str, Spec]) -> dict[str, Any]:
    """A describer without the options that say where a file lies which another one pins by its hash, and without those
    that change nothing of what is found: the same for two indexes whose photos can be compared.
    """
    return {part: _placeless(said) if part in ("features", "descriptor") else said for part, said in spec.items()}


def _placeless(said: Spec) -> Spec:
    options = said["options"]
    kept = {n: value for n, value in options.items() if f"{n}_sha256" not in options and n not in _PACE}
    return said | {"options": kept}


def build_describer(spec: dict[str, Spec], cache: str | None = None, *, ahead: bool = False) -> Describer:
    """The describer of a spec; cache: a folder that keeps its findings, so that no picture is described twice.

    ahead: looks come with the photos (`pipeline/ahead.py`), and no descriptor is built.
    """
    features: Features = create("features", BackendSpec(**spec["features"]))
    if store := opened(cache):
        features = CachedFeatures(features, store)
    return Describer(features, None if ahead else build_pictures(spec, cache))


def build_pictures(spec: dict[str, Spec], cache: str | None = None) -> PictureDescriptor | None:
    """The descriptor of pictures of a spec; None where its vectors are made of the keypoints."""
    named = BackendSpec(**spec["descriptor"])
    if named.name == VladDescriptor.name:
        return None
    pictures: PictureDescriptor = create("descriptor", named)
    if "views" in spec:
        pictures = ViewsDescriptor(pictures, typed_options(ViewOptions, spec["views"], "views"))
    store = opened(cache)
    return CachedDescriptor(pictures, store) if store else pictures


def describer_of(index: Index, cache: str | None = None, *, ahead: bool = False) -> Describer:
    """What an index's photos were described by. Raises IndexMismatch where this version has none such."""
    try:
        return build_describer(index.manifest.describer, cache, ahead=ahead)
    except (UnknownBackend, UsageError) as error:
        raise IndexMismatch(
            f"The index in {index.folder} was described as this version cannot ({str(error).rstrip('.')}); use the "
            "program that built it, or build it again."
        ) from error


def build_descriptor(index: Index) -> Descriptor:
    """The descriptor of an index, restored from what was learned when it was built."""
    name = index.manifest.describer["descriptor"]["name"]
    return VladDescriptor(index.state()) if name == VladDescriptor.name else LookDescriptor(name, index.state())
