"""The describer of an index: which features and which descriptor, from the spec that its manifest records."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from geoloc_cli.contracts import Descriptor, Features
from geoloc_cli.descriptors.vlad import VladDescriptor, VladOptions
from geoloc_cli.errors import IndexMismatch
from geoloc_cli.features.sift import SiftOptions
from geoloc_cli.index.reader import Index
from geoloc_cli.registry import BackendSpec, create

Spec = dict[str, Any]


def default_spec() -> dict[str, Spec]:
    """The embedded default, with every option written out, so that an index says how it was made."""
    return {
        "features": {"name": "sift", "options": asdict(SiftOptions())},
        "descriptor": {"name": "vlad", "options": asdict(VladOptions())},
    }


def build_features(spec: Spec) -> tuple[Features, int]:
    """The extractor of a spec, and the longest side in pixels at which it wants its pictures."""
    features = create("features", BackendSpec(spec["name"], spec["options"]))
    return features, int(features.options.max_size_px)


def build_descriptor(index: Index) -> Descriptor:
    """The descriptor of an index, restored from what was learned when it was built."""
    spec = index.manifest.describer["descriptor"]
    if spec["name"] != VladDescriptor.name:
        raise IndexMismatch(
            f"The index in {index.folder} was made with the descriptor '{spec['name']}', which is not installed here; "
            "install the package that brings it, or build the index again."
        )
    return VladDescriptor(index.state())
