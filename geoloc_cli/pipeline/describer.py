"""The describer of an index: which features and which descriptor, from the spec that its manifest records."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from geoloc_cli.contracts import Descriptor, Features
from geoloc_cli.descriptors.vlad import VladDescriptor, VladOptions
from geoloc_cli.errors import IndexMismatch, UnknownBackend, UsageError
from geoloc_cli.features.cached import CachedFeatures
from geoloc_cli.features.sift import SiftOptions
from geoloc_cli.index.manifest import NAME, read_manifest
from geoloc_cli.index.reader import Index
from geoloc_cli.registry import BackendSpec, create, parse
from geoloc_cli.store import Store

Spec = dict[str, Any]


def default_spec() -> dict[str, Spec]:
    """The embedded default, with every option written out, so that an index says how it was made."""
    return {
        "features": {"name": "sift", "options": asdict(SiftOptions())},
        "descriptor": {"name": "vlad", "options": asdict(VladOptions())},
    }


def spec_for(folder: str | Path, features: str | None) -> dict[str, Spec]:
    """The describer for a build into `folder`, with features as `registry.parse` reads them, `aliked?weights=...`.

    Without any, an index that exists keeps its own, and a new one gets the default. Learned features come back with
    their file of weights pinned; one that lies elsewhere than when the index was made is still the same.
    """
    recorded = read_manifest(Path(folder)).describer if (Path(folder) / NAME).exists() else None
    if features is None:
        return recorded or default_spec()
    given = parse(features)
    options = asdict(create("features", given).options)
    spec = default_spec() | {"features": {"name": given.name, "options": options}}
    if recorded is not None and _without_place(recorded) == _without_place(spec):
        return recorded
    return spec


def _without_place(spec: dict[str, Spec]) -> dict[str, Any]:
    features = spec["features"]
    options = {name: value for name, value in features["options"].items() if name != "weights"}
    return spec | {"features": features | {"options": options}}


def build_features(spec: Spec, cache: str | None = None) -> tuple[Features, int]:
    """The extractor of a spec, and the longest side in pixels at which it wants its pictures.

    cache: a folder in which features are kept, so that no picture is described twice.
    """
    features: Features = create("features", BackendSpec(spec["name"], spec["options"]))
    if cache is not None:
        features = CachedFeatures(features, Store(cache))
    return features, int(features.options.max_size_px)


def features_of(index: Index, cache: str | None = None) -> tuple[Features, int]:
    """The extractor that an index's photos were described by. Raises IndexMismatch where this version has none such."""
    try:
        return build_features(index.manifest.describer["features"], cache)
    except (UnknownBackend, UsageError) as error:
        raise IndexMismatch(
            f"The index in {index.folder} was described as this version cannot ({str(error).rstrip('.')}); use the "
            "program that built it, or build it again."
        ) from error


def build_descriptor(index: Index) -> Descriptor:
    """The descriptor of an index, restored from what was learned when it was built."""
    spec = index.manifest.describer["descriptor"]
    if spec["name"] != VladDescriptor.name:
        raise IndexMismatch(
            f"The index in {index.folder} was made with the descriptor '{spec['name']}', which is not installed here; "
            "install the package that brings it, or build the index again."
        )
    return VladDescriptor(index.state())
