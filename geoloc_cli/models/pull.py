"""Models brought here on purpose, and compared with what they should be."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Literal

from geoloc_cli.errors import UsageError, WeightsMismatch, WeightsMissing
from geoloc_cli.index.files import room, sha256_of, write_durable
from geoloc_cli.models import hub, parts
from geoloc_cli.models.catalogue import Model
from geoloc_cli.models.fetch import Remote, Step, fetch
from geoloc_cli.models.offline import offline
from geoloc_cli.models.places import WEIGHTS_VARIABLE, Place, folders_of, models_folder, places, record_of, recorded

State = Literal["good", "recorded", "unknown", "damaged", "missing"]


@dataclass(frozen=True, slots=True)
class Checked:
    """A model's file as it was read: its SHA-256 (of a folder that of its list, `models/parts.py`), and what that was
    compared with.

    state: `good`, of the catalogue's hash; `recorded`, as when it was pulled first, for which nobody vouches;
    `unknown`, never recorded; `damaged`; or `missing`, with neither path nor hash.
    """

    name: str
    state: State
    path: Path | None = None
    sha256: str = ""
    wanted: str = ""


def check(model: Model) -> Checked:
    """Reads the model's file whole; of several the first that is what it must be. Opens no connection."""
    refused = None
    pinned = parts.stated(model) if model.files else model.sha256
    here = map(Place, folders_of(model), repeat(pinned)) if model.files else places((model.file,), (model,))
    for place in here:
        wanted = pinned or place.sha256
        try:
            digest = parts.digest_of(model, place.path) if model.files else sha256_of(place.path)
        except OSError as error:
            raise WeightsMissing(f"{place.path} cannot be read ({error.strerror}); check its permissions.") from error
        if not wanted or digest == wanted:
            state: State = "good" if pinned else "recorded" if wanted else "unknown"
            return Checked(model.name, state, place.path, digest, wanted)
        refused = refused or Checked(model.name, "damaged", place.path, digest, wanted)
    return refused or Checked(model.name, "missing", wanted=pinned)


def pull(model: Model, step: Step = lambda done, total: None) -> tuple[Checked, bool]:
    """The model's file, and whether it had to be fetched: one that is here, and sound, is not.

    What is fetched is compared with the catalogue's SHA-256. Where there is none, the hash that is seen first is
    recorded beside the file, and is what every later pull and load compares with.
    Raises UsageError offline, WeightsMissing where it cannot be had, and WeightsMismatch where it is another file.
    """
    here = check(model)
    if here.state not in ("missing", "damaged"):
        return here, False
    if not model.pulled:
        put = f"download {model.file} from {model.source}, and put it" if model.source else f"put {model.file} again"
        raise WeightsMissing(
            f"Nobody serves the file of '{model.name}' for programs; {put} into {models_folder()} or the folder that "
            f"{WEIGHTS_VARIABLE} names."
        )
    if offline():
        raise UsageError(
            f"'{model.name}' is {'damaged' if here.path else 'not here'}, and nothing is fetched offline; run "
            f"`geoloc models pull {model.name}` without --offline, HF_HUB_OFFLINE and GEOLOC_OFFLINE."
        )
    target = models_folder() / model.file
    wanted = model.sha256 or recorded(target)
    try:
        if model.files:
            digest = parts.bring(model, target, step)
            return Checked(model.name, "good", target, digest, digest), True
        if model.url:
            path = target
            digest = fetch(Remote(model.url, f"the model '{model.name}'", model.size_bytes, wanted), target, step)
        else:
            path = hub.download(model, step, again=here.state == "damaged")
            digest = sha256_of(path)
            _same(model, digest, wanted)
        _record(target, digest)
    except OSError as error:
        raise WeightsMissing(
            f"'{model.name}' cannot be kept: {error.filename or models_folder()} cannot be written ({error.strerror}); "
            "name another folder in GEOLOC_MODELS, or HF_HOME."
        ) from error
    return Checked(model.name, "good" if model.sha256 else "recorded", path, digest, digest), True


def _same(model: Model, digest: str, wanted: str) -> None:
    if wanted and digest != wanted:
        raise WeightsMismatch(
            f"What the hub sends is not the file of the model '{model.name}' (its SHA-256 begins with {digest[:12]}, "
            f"and should with {wanted[:12]}); it is never loaded: ask the authors whether they changed it."
        )


def _record(target: Path, digest: str) -> None:
    """Notes the SHA-256 of what was pulled, as `sha256sum -c` reads it."""
    record = record_of(target)
    with room(record.parent):
        record.parent.mkdir(parents=True, exist_ok=True)
    write_durable(record.parent, record.name, [f"{digest}  {target.name}\n".encode()])
