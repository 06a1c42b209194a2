"""Matchers as the stages of a run take them: by name, with what the stage and the index say of their options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from geoloc_cli.contracts import Matcher
from geoloc_cli.errors import PhotoError, PhotoNotFound
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.index.reader import Index
from geoloc_cli.index.rows import IndexedPhoto
from geoloc_cli.models.catalogue import spec_for_model
from geoloc_cli.photos.decode import decode_gray
from geoloc_cli.pipeline.extract import fingerprint
from geoloc_cli.registry import create


def build_matcher(index: Index, text: str, max_ratio: float) -> Matcher:
    """A matcher of an index's features from `NAME?KEY=VALUE`; max_ratio: the stage's, where it takes one."""
    features = index.manifest.describer["features"]["name"]
    matcher: Matcher = create(
        "matcher", spec_for_model("matcher", text), {"max_ratio": max_ratio, "features": features}
    )
    return matcher


def pinned(matcher: Matcher) -> dict[str, Any]:
    """A matcher's name and options, every one written out, as plain JSON: another process builds the same of it."""
    return {"name": matcher.name, "options": _options(matcher)}


def key_of_matcher(matcher: Matcher) -> list[Any]:
    """What its matches depend on, as plain JSON; not where its weights lie, which the identity tells by their hash."""
    options = {name: value for name, value in _options(matcher).items() if name != "weights"}
    return [matcher.name, matcher.identity, options]


def _options(matcher: Matcher) -> dict[str, Any]:
    return {} if matcher.options is None else asdict(matcher.options)


def pictured(features: LocalFeatures, path: str) -> LocalFeatures:
    """Features with the picture that they describe, decoded from the photo's file if they do not have it yet.

    Raises PhotoError's kin where there is no such file, or one of another size.
    """
    if features.picture is not None:
        return features
    # Described pictures are never enlarged, so that the longer side of one gives the same size again.
    pixels = decode_gray(path, max_size=max(features.width, features.height)).pixels
    if pixels.shape != (features.height, features.width):
        raise _other_picture(path)
    return replace(features, picture=pixels)


class References:
    """The features of an index's photos, with their pictures for a matcher that needs them.

    No other matcher makes it open a photo's file. `lost` says of which photos there was none, by path: the run goes on
    without them.
    """

    def __init__(self, index: Index, matcher: Matcher) -> None:
        self._index, self._needed = index, matcher.needs_pictures
        self.lost: dict[str, PhotoError] = {}

    def load(self, photo: IndexedPhoto) -> LocalFeatures | None:
        """None where the matcher needs the picture and the file is gone, or another than the index describes."""
        local = self._index.local(photo.row_id)
        if not self._needed:
            return local
        try:
            self._check(photo)
            return pictured(local, photo.path)
        except PhotoError as error:
            self.lost[photo.path] = error
            return None

    def at_hand(self, photos: Sequence[IndexedPhoto]) -> list[IndexedPhoto]:
        """Those that can be compared, as far as their files' hashes say; no picture is decoded."""
        held = []
        for photo in photos:
            try:
                if self._needed:
                    self._check(photo)
                held.append(photo)
            except PhotoError as error:
                self.lost[photo.path] = error
        return held

    def _check(self, photo: IndexedPhoto) -> None:
        if fingerprint(photo.path)[0] != photo.sha256:
            raise _other_picture(photo.path)


def _other_picture(path: str) -> PhotoNotFound:
    return PhotoNotFound(
        f"'{path}' is no longer the picture that the index describes; put that one back, or build the index again."
    )
