"""`build_index`: `geoloc index build` for programs, with the same words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from geoloc_cli.api.run import Asked
from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import UsageError
from geoloc_cli.index.codes import codes_named
from geoloc_cli.models.offline import go_offline
from geoloc_cli.photos.positions import read_positions
from geoloc_cli.photos.scan import find_photos, read_exclude_list
from geoloc_cli.pipeline import build
from geoloc_cli.pipeline.build import BuildReport
from geoloc_cli.pipeline.describer import spec_for

FilePath: TypeAlias = str | os.PathLike[str]


def build_index(
    photos: FilePath | Iterable[FilePath],
    *,
    index: FilePath,
    exclude_list: FilePath | None = None,
    positions: FilePath | None = None,
    camera: str | None = None,
    focal_px: float | None = None,
    fov_deg: float | None = None,
    features: str | None = None,
    descriptor: str | None = None,
    dim: int | None = None,
    whiten: float | None = None,
    codes: str | None = None,
    scales: str | None = None,
    flip: bool | None = None,
    augment: int | None = None,
    cache: FilePath | None = None,
    offline: bool = False,
    workers: int | None = 1,
    progress: Callable[[str, int], None] | None = None,
) -> BuildReport:
    """Makes the index in the folder `index` of photos, folders and patterns, or adds what is new or changed to it.

    The arguments are the flags of `geoloc index build`; workers: processes, None for one on each core. progress is
    called with the name of a stage and the photos done in it since the last call. The report counts what was taken, and
    says of each photo that was left out why; what is wrong with the call or the index raises a RunError.
    """
    given = [photos] if isinstance(photos, (str, os.PathLike)) else photos
    exclude = read_exclude_list(os.fspath(exclude_list)) if exclude_list is not None else None
    paths = list(find_photos([os.fspath(each) for each in given], exclude=exclude))
    if not paths:
        raise UsageError("No photos were found; give files, folders or patterns.")
    if offline:
        go_offline()
    folder = os.fspath(index)
    reduction = _stated(dim=dim, whiten=whiten)
    views = _stated(scales=scales, flip=flip)
    return build.build_index(
        folder,
        paths,
        parallel_map=LocalPool(workers),
        positions=read_positions(os.fspath(positions)) if positions is not None else None,
        camera=Asked(camera=camera, focal_px=focal_px, fov_deg=fov_deg).override(),
        describer=spec_for(folder, features, descriptor, reduction, views),
        augment=augment,
        cache=None if cache is None else os.fspath(cache),
        codes=codes_named(codes) if codes else None,
        progress=progress,
    )


def _stated(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
