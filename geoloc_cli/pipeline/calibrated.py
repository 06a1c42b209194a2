"""Answers that mean what they say: what sources were found to be worth on labelled photos, applied to their beliefs.

A source is a prior by its name and what it depends on (`prior_key`), or a stage of a fix. How it is learned is in
`evaluate/calibrate.py`, how it is kept in `calibration_file.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from geoloc_cli.errors import PhotoNotFound
from geoloc_cli.geo.belief import credible_radius_m, mass_within
from geoloc_cli.geo.tempered import tempered
from geoloc_cli.pipeline.asking import Trust, spec_of
from geoloc_cli.pipeline.extract import fingerprint
from geoloc_cli.registry import BackendSpec, canonical, written
from geoloc_cli.types import Belief, Failure, Fix

# Options that say how a backend is reached or paid, or what it is asked beside the place, and nothing of what it says.
_ASIDE = {
    *("url", "key_env", "env_proxy", "timeout_s", "retries", "concurrency", "input_price", "output_price", "cache"),
    *("device", "batch", "compile", "context"),
}
# Of a photo's SHA-256, what tells it from others: 64 bits.
HASH_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Reliability:
    """What a source's beliefs are to be tempered by (`geo/tempered.py`): it is off by `inflate` times what it says, and
    wrong altogether in a share `doubt` of the cases in which it is sure.
    """

    inflate: float = 1.0
    doubt: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.inflate) and self.inflate > 0.0 and math.isfinite(self.doubt) and self.doubt <= 1.0):
            raise ValueError(f"no source is worth inflate {self.inflate} and doubt {self.doubt}")

    def of(self, belief: Belief) -> Belief:
        return tempered(belief, self.inflate, self.doubt)


@dataclass(frozen=True, slots=True)
class Reliabilities:
    """Of priors by `prior_key`, and of the stages of a fix; a source that is missing is taken at its word.

    dependence: of the priors on each other (`asking.Trust`).
    """

    priors: Mapping[str, Reliability] = field(default_factory=dict)
    stages: Mapping[str, Reliability] = field(default_factory=dict)
    dependence: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.dependence <= 1.0:
            raise ValueError(f"a dependence of {self.dependence} is not within 0 to 1")

    def trust(self, keys: Iterable[str]) -> Trust:
        """Of priors by their keys, in their order."""
        found = [self.priors.get(key) for key in keys]
        return Trust(tuple(None if worth is None else worth.of for worth in found), self.dependence)

    def tempered(self, fix: Fix) -> Fix:
        """The fix with its belief tempered by its stage, and its radius and confidence anew from that."""
        found = self.stages.get(fix.stage or "")
        if found is None or fix.lat is None or fix.lon is None or not fix.belief.components:
            return fix
        belief = found.of(fix.belief)
        return replace(
            fix,
            belief=belief,
            radius_m=round(max(credible_radius_m(belief, fix.lat, fix.lon, 0.9), 0.001), 3),
            confidence=round(float(mass_within(belief, fix.lat, fix.lon, 1000.0)), 4),
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was learned of `whole`, all labelled photos; and for each of these, what the other folds taught.

    photos: the fold of a labelled photo by the first digits of its SHA-256. Its own answer is tempered by what was
    learned without it, so that no figure is ever taken on what it was fitted on, whoever asks for it
    (cross-fitting: Chernozhukov et al. 2018).
    """

    whole: Reliabilities
    folds: tuple[Reliabilities, ...] = ()
    photos: Mapping[str, int] = field(default_factory=dict)

    def of(self, path: str) -> Reliabilities:
        """What is to be believed about one photo; labelled ones are known by `photo_key`."""
        if not self.photos:
            return self.whole
        fold = self.photos.get(photo_key(path))
        return self.whole if fold is None else self.folds[fold]

    def tempered(self, answer: Fix | Failure) -> Fix | Failure:
        """A run's answer by the worth of its stage."""
        if isinstance(answer, Failure) or answer.stage not in self.whole.stages:
            return answer
        return self.of(answer.photo).tempered(answer)

    def for_priors(self, keys: Sequence[str]) -> Calibration:
        """Without what was learned of priors together (the stage `prior`), unless they are asked together again."""
        if set(keys) == set(self.whole.priors):
            return self
        return replace(
            self,
            whole=_without_prior_stage(self.whole),
            folds=tuple(_without_prior_stage(fold) for fold in self.folds),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            **_as_json(self.whole),
            "folds": [_as_json(fold) for fold in self.folds],
            "photos": dict(self.photos),
        }


def calibration_of(stated: Mapping[str, Any]) -> Calibration:
    """The calibration of its JSON. Raises KeyError, TypeError or ValueError where it is none."""
    folds = tuple(_reliabilities(fold) for fold in stated["folds"])
    photos = {str(name): int(fold) for name, fold in stated["photos"].items()}
    if not all(0 <= fold < len(folds) for fold in photos.values()):
        raise ValueError("a photo is of no fold")
    return Calibration(_reliabilities(stated), folds, photos)


def prior_key(text: str) -> str:
    """`backend_key` of a prior as the user writes it."""
    return backend_key("prior", spec_of(text))


def backend_key(kind: str, given: BackendSpec) -> str:
    """A backend by its name and those of its options that change what it says, in the order of their names.

    Of a file or a folder the last part alone: the same one may lie elsewhere. Raises UnknownBackend.
    """
    spec = canonical(kind, given)
    kept = {name: value for name, value in spec.options.items() if name not in _ASIDE}
    return written(BackendSpec(spec.name, {name: _placeless(name, value) for name, value in sorted(kept.items())}))


def photo_key(path: str) -> str:
    """What tells a photo from others: the first digits of its file's SHA-256; its name where there is no such file."""
    try:
        return fingerprint(path)[0][:HASH_DIGITS]
    except PhotoNotFound:
        return PurePath(path).name


def _placeless(name: str, value: Any) -> Any:
    if not isinstance(value, str) or (name == "model" and not PurePath(value).is_absolute()):
        return value
    return PurePath(value).name


def _without_prior_stage(found: Reliabilities) -> Reliabilities:
    return replace(found, stages={stage: worth for stage, worth in found.stages.items() if stage != "prior"})


def _as_json(found: Reliabilities) -> dict[str, Any]:
    worths = {
        kind: {name: {"inflate": worth.inflate, "doubt": worth.doubt} for name, worth in named.items()}
        for kind, named in (("priors", found.priors), ("stages", found.stages))
    }
    return {**worths, "dependence": found.dependence}


def _reliabilities(stated: Mapping[str, Any]) -> Reliabilities:
    priors, stages = (
        {str(name): Reliability(float(worth["inflate"]), float(worth["doubt"])) for name, worth in stated[kind].items()}
        for kind in ("priors", "stages")
    )
    return Reliabilities(priors, stages, float(stated["dependence"]))
