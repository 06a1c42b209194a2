"""Posed photos as a COLMAP model in text, without points, in the frame of their map: `cameras.txt` and `images.txt`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from geoloc_cli.errors import PhotoError, UsageError
from geoloc_cli.export.located import Located, is_utf8
from geoloc_cli.photos.intrinsics import CameraOverride, guess_camera
from geoloc_cli.photos.opening import shown
from geoloc_cli.types import Camera


def files(
    photos: Sequence[Located], left_out: Counter[str], map_name: str | None, said: CameraOverride
) -> dict[str, bytes]:
    """The model's files by name; photos without a pose, in another map or with a name of no use are counted.

    Cameras are what is `said` of them, else those that the poses rest on, else, where a record keeps none, those that
    the photos state. Raises UsageError where the poses are of several maps and none is named, or of none.
    """
    map_name = map_name or _only_map(photos)
    cameras: dict[Camera, int] = {}
    images: list[str] = []
    for photo in photos:
        fix, camera = photo.fix, _camera(photo, said)
        if fix.pose is None:
            left_out["without a pose"] += 1
        elif fix.pose.map != map_name:
            left_out["in another map"] += 1
        elif fix.photo.split() != [fix.photo] or not is_utf8(fix.photo):
            left_out["with a space or no UTF-8 in its name, which COLMAP's text does not read"] += 1
        elif camera is None:
            left_out["not where the record says, or of another shape than --camera"] += 1
        else:
            number = cameras.setdefault(camera, len(cameras) + 1)
            pose = " ".join(repr(value) for value in (*fix.pose.rotation_wxyz, *fix.pose.translation))
            images.append(f"{len(images) + 1} {pose} {number} {fix.photo}\n\n")
    head = f"# Posed in {shown(map_name)}, x_in_cam = cam_from_map * x_in_map\n"
    lenses = [
        f"{number} {camera.model} {camera.width} {camera.height} {' '.join(map(repr, camera.params))}\n"
        for camera, number in cameras.items()
    ]
    written = {"cameras.txt": "".join(lenses), "images.txt": "".join(images), "points3D.txt": ""}
    return {name: (head + text).encode() for name, text in written.items()}


def _only_map(photos: Sequence[Located]) -> str:
    names = Counter(photo.fix.pose.map for photo in photos if photo.fix.pose)
    if not names:
        raise UsageError("None of the photos has a pose; ask for it with `geoloc locate --pose`.")
    if len(names) > 1:
        some = ", ".join(f"{shown(name)} ({count})" for name, count in names.most_common(3))
        raise UsageError(f"The photos are posed in {len(names)} maps, as {some}; name one with --map.")
    return next(iter(names))


def _camera(photo: Located, said: CameraOverride) -> Camera | None:
    lens = photo.fix.pose.camera if photo.fix.pose else None
    if lens is not None and said == CameraOverride():
        return Camera(lens.model, lens.width, lens.height, lens.params, "map", 0.0)
    stated = photo.photo
    if stated is None:
        return said.camera
    try:
        return said.apply(stated).camera or guess_camera(stated.width, stated.height)
    except PhotoError:
        return None
