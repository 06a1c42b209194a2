"""Models of several files: a folder in which each file is pinned, brought whole or not at all.

Until every file is there and verified they lie in `<folder>.part`, which a later pull continues. A folder is told by
the SHA-256 of what `sha256sum` would write of its files.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from geoloc_cli.errors import DiskFull, WeightsMismatch
from geoloc_cli.index.files import room, sha256_of, sync_folder
from geoloc_cli.models import hub
from geoloc_cli.models.catalogue import READ, Model, Part
from geoloc_cli.models.fetch import Remote, Step, fetch
from geoloc_cli.models.places import cached


def stated(model: Model) -> str:
    """What the folder must be, by its entry."""
    return _digest({part.name: part.sha256 for part in model.files})


def digest_of(model: Model, folder: Path) -> str:
    """What a folder is: its pinned files, and any other that a library would read, are read whole.

    A folder in it is one too many; a hidden one or a file of another kind, such as a README, counts for nothing. Raises
    OSError for one that cannot be read.
    """
    names = {part.name for part in model.files}
    names |= {path.name for path in folder.iterdir() if path.suffix in READ or (path.is_dir() and path.name[0] != ".")}
    return _digest({name: sha256_of(folder / name) if (folder / name).is_file() else "" for name in names})


def bring(model: Model, target: Path, step: Step) -> str:
    """Makes `target` the model's folder, and returns what it is. What is here and sound is not fetched again.

    Raises what `fetch` and `hub.download` raise; then what lay at `target` is as it was.
    """
    from filelock import FileLock

    staging, old = (target.with_name(f"{target.name}{end}") for end in (".part", ".old"))
    with room(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f"{target.name}.lock")):
            staging.mkdir(exist_ok=True)
            _check_room(model, target, staging)
            done = 0
            for part in model.files:
                _bring(model, part, target, staging, _counted(step, done, model.whole_bytes))
                done += part.size_bytes
            _remove(*(path for path in staging.iterdir() if path.name not in {part.name for part in model.files}))
            sync_folder(staging)
            _remove(old)
            if target.is_symlink() or target.exists():
                target.rename(old)
            staging.rename(target)
            sync_folder(target.parent)
            _remove(old)
    return stated(model)


def _digest(files: Mapping[str, str]) -> str:
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _bring(model: Model, part: Part, target: Path, staging: Path, step: Step) -> None:
    """One file into the staging folder: from the folder that is to be replaced or the hub's cache where it is sound."""
    path = staging / part.name
    if path.is_file() and sha256_of(path) == part.sha256:
        return
    one = replace(model, hub_file=part.name if model.hub else "", sha256=part.sha256)
    for here in (target / part.name, *cached(one)):
        if here.is_file() and sha256_of(here) == part.sha256:
            _link(here.resolve(), path)
            return
    owner = f"{part.name} of the model '{model.name}'"
    if model.url:
        fetch(Remote(f"{model.url}{part.name}", owner, part.size_bytes, part.sha256), path, step)
        return
    hub.download(one, step, again=path.is_file(), into=staging)
    digest = sha256_of(path)
    if digest != part.sha256:
        path.unlink()
        raise WeightsMismatch(
            f"What the hub sends is not {owner} (its SHA-256 begins with {digest[:12]}, and should with "
            f"{part.sha256[:12]}); it was thrown away: ask the authors whether they changed it."
        )


def _link(here: Path, path: Path) -> None:
    """The same file under another name; a copy where the file system has no links, or it lies on another one."""
    path.unlink(missing_ok=True)
    try:
        os.link(here, path)
    except OSError:
        shutil.copyfile(here, path)


def _check_room(model: Model, target: Path, staging: Path) -> None:
    """Raises DiskFull before anything is fetched, where not all that is not here in some form will find room."""
    here = [*staging.rglob("*"), *(target / part.name for part in model.files)]
    lacking = model.whole_bytes - sum(path.stat().st_size for path in here if path.is_file())
    if shutil.disk_usage(staging).free < lacking:
        raise DiskFull(
            f"The model '{model.name}' needs {lacking / 1e6:.0f} MB, for which there is no room on the disk of "
            f"{staging.parent}; free some space, or name another folder in GEOLOC_MODELS."
        )


def _counted(step: Step, before: int, whole: int) -> Step:
    return lambda done, total: step(before + done, whole)


def _remove(*paths: Path) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
