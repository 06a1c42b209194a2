"""A pose in its map: points and cameras from above, and from the side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geoloc_cli.errors import PhotoError
from geoloc_cli.export.ground import length, round_step
from geoloc_cli.export.scene import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    VERMILION,
    Area,
    Dots,
    Line,
    Panel,
    Scene,
    Words,
    box,
    fitted,
)
from geoloc_cli.geo.earth import Floats
from geoloc_cli.geo.fisher import R90_PER_SIGMA
from geoloc_cli.maps.folder import Component
from geoloc_cli.maps.poses import rotation_of_quaternion
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.opening import shown
from geoloc_cli.types import Camera, Fix, Pose

SIDE = 776.0  # of each of the two square views
_MARGIN, _GAP, _SIZE, _LINE = 16.0, 16.0, 15.0, 21.0
_MOST_POINTS = 6000
_MIDDLE = (10.0, 90.0)  # percentiles of the points that are shown: a few lie anywhere
_ROOM = 1.08
# How long a camera's pyramid is, over the side of what is shown, and how wide where nothing is known of the lens.
_DEPTH, _DEPTH_INDEXED = 0.08, 0.03
_USUAL_HALF = (0.6, 0.45)


@dataclass(frozen=True, slots=True)
class _Stage:
    """What is shown, in one frame with z up: metres east, north and up where `unit` is m, else units of the map.

    indexed: of each photograph of the map its camera's place, cam_from_frame and lens.
    """

    points: Floats
    indexed: dict[str, tuple[Floats, Floats, Camera]]
    center: Floats
    turn: Floats  # (3, 3), cam_from_frame
    camera: Camera | None
    std: tuple[float, float, float] | None
    unit: str


@dataclass(frozen=True, slots=True)
class _Axes:
    """A flat view: `across` (3,) to the right, `up` (3,) upwards, `middle` (3,), and pixels for one unit."""

    across: Floats
    up: Floats
    middle: Floats
    scale: float

    def at(self, points: Floats) -> Floats:
        """(N, 3) of the frame -> (N, 2) of the picture."""
        away = np.atleast_2d(points) - self.middle
        plane = np.stack([away @ self.across, -(away @ self.up)], axis=-1)
        placed: Floats = SIDE / 2.0 + self.scale * plane
        return placed


def map_scene(fix: Fix, pose: Pose, component: Component, matched: frozenset[str] = frozenset()) -> Scene:
    """The map's points in grey, its photographs' cameras in blue, those of `matched` green and filled, and the pose.

    The ellipse about it holds nine tenths, from the standard deviations of the record. In a map that lies nowhere on
    the Earth up is how most of its cameras were held, and lengths are its own.
    """
    stage = _stage(fix, pose, component)
    forward = stage.turn[2] * (1.0, 1.0, 0.0)
    if np.linalg.norm(forward) < 0.2:  # straight up or down: as the picture's upper edge looks
        forward = -stage.turn[1] * (1.0, 1.0, 0.0)
    forward = forward / np.linalg.norm(forward)
    up = np.array([0.0, 0.0, 1.0])
    above = _axes(stage, np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    side = _axes(stage, forward, up)
    scene = Scene(2.0 * _MARGIN + _GAP + 2.0 * SIDE, 0.0, f"How {shown(fix.photo)} lies in its map: {_said(fix, pose)}")
    along = "along the way that the camera looks" if pose.heading_deg is None else f"along {pose.heading_deg:.0f}°"
    views = (("from above", above, True), (f"from the side, {along} to the right", side, False))
    for number, (name, axes, is_above) in enumerate(views):
        x = _MARGIN + number * (SIDE + _GAP)
        panel = _drawn(stage, axes, matched)
        if is_above and pose.georeferenced:
            _north(panel)
        panel.add(Words(12.0, 24.0, name, _SIZE, halo="#ffffff"))
        scene.add(Panel(x, _MARGIN, panel), Line([box(x, _MARGIN, SIDE, SIDE)], FAINT))
    y = _MARGIN + SIDE + _LINE
    scene.add(Words(_MARGIN, y, fitted(shown(fix.photo), _SIZE, 2.0 * SIDE, keep_end=True), _SIZE))
    held = len(matched & set(stage.indexed))
    told = [(_said(fix, pose), VERMILION), (f"{held} photos of the map in which it was found", GREEN)]
    told.append((f"{len(stage.indexed) - held} others, and {len(component.model.points)} points", BLUE))
    for text, colour in told:
        y += _LINE
        scene.add(Dots(np.array([[_MARGIN + 5.0, y - 5.0]]), 4.0, colour, edge=INK))
        scene.add(Words(_MARGIN + 18.0, y, text, _SIZE))
    scene.height = y + _LINE
    return scene


def _stage(fix: Fix, pose: Pose, component: Component) -> _Stage:
    georeference, model = component.georeference, component.model
    own = rotation_of_quaternion(np.array(pose.rotation_wxyz))
    images = model.images.values()
    if georeference is not None and pose.georeferenced:
        turn, unit = georeference.rotation, "m"
        moved = georeference.in_enu
    else:
        turn, unit = _upright([image.rotation for image in images]), ""

        def moved(x_in_map: Floats) -> Floats:
            return np.asarray(x_in_map) @ turn.T

    indexed = {i.path: (moved(i.center_in_map), i.rotation @ turn.T, i.camera) for i in images}
    points = model.points
    if len(points) > _MOST_POINTS:
        points = points[np.linspace(0, len(points) - 1, _MOST_POINTS).astype(np.int64)]
    center = moved(np.array(pose.center_in_map))
    std = pose.position_std_m if unit else None
    return _Stage(moved(points), indexed, center, own @ turn.T, _lens(fix.photo), std, unit)


def _upright(rotations: Sequence[Floats]) -> Floats:
    """A rotation that sets upright, on the whole, what cameras of these cam_from_map hold upright."""
    up = -np.mean([rotation[1] for rotation in rotations], axis=0)
    up = up / max(float(np.linalg.norm(up)), 1e-9)
    aside = np.cross(up, np.eye(3)[int(np.abs(up).argmin())])
    aside = aside / max(float(np.linalg.norm(aside)), 1e-9)
    turn: Floats = np.stack([aside, np.cross(up, aside), up])
    return turn


def _lens(path: str) -> Camera | None:
    """As the file states or lets guess it; None where it is gone."""
    try:
        return read_photo(path).camera
    except PhotoError:
        return None


def _axes(stage: _Stage, across: Floats, up: Floats) -> _Axes:
    """A view that holds the cameras, and the points but for the outermost."""
    cameras = np.stack([stage.center, *(center for center, _, _ in stage.indexed.values())])
    plane = np.stack([across, up])
    low, high = (cameras @ plane.T).min(axis=0), (cameras @ plane.T).max(axis=0)
    if len(stage.points):
        outer = np.percentile(stage.points @ plane.T, _MIDDLE, axis=0)
        low, high = np.minimum(low, outer[0]), np.maximum(high, outer[1])
    extent = max(float((high - low).max()), 1e-6) * _ROOM
    middle = (low + high) / 2.0 @ plane
    return _Axes(across, up, middle, SIDE / extent)


def _drawn(stage: _Stage, axes: _Axes, matched: frozenset[str]) -> Scene:
    panel = Scene(SIDE, SIDE, ground="#fbfaf7")
    if len(stage.points):
        at = axes.at(stage.points)
        at = at[np.all((at > 0.0) & (at < SIDE), axis=1)]
        panel.add(Dots(at, 1.4, FAINT, opacity=0.55, kind="point"))
    size = SIDE / axes.scale
    for path in sorted(stage.indexed, key=lambda path: path in matched):
        center, turn, camera = stage.indexed[path]
        edges = _pyramid(center, turn, camera, _DEPTH_INDEXED * size)
        if path in matched:
            panel.add(Area([axes.at(edges[0])], GREEN, 0.6, kind="found"))
        panel.add(Line([axes.at(edge) for edge in edges], GREEN if path in matched else BLUE, 1.2, kind="indexed"))
    edges = _pyramid(stage.center, stage.turn, stage.camera, _DEPTH * size)
    panel.add(Area([axes.at(edges[0])], VERMILION, 0.25, kind="sight"))
    panel.add(Line([axes.at(e) for e in edges], VERMILION, 2.2, halo=INK, kind="pose"))
    if stage.std is not None:
        ellipse = axes.at(_ellipse(stage, axes))
        panel.add(Area([ellipse], VERMILION, 0.2, kind="ellipse"), Line([ellipse], VERMILION, 1.5, kind="ellipse"))
    panel.add(Dots(axes.at(stage.center), 4.5, VERMILION, edge=INK, kind="camera"))
    _bar(panel, size, stage.unit)
    return panel


def _pyramid(center: Floats, turn: Floats, camera: Camera | None, depth: float) -> list[Floats]:
    """The far edge of what a camera sees, at a depth, and the four edges from its centre to it: (N, 3) each."""
    half = _USUAL_HALF
    if camera is not None:
        half = camera.width / 2.0 / camera.focal_px, camera.height / 2.0 / camera.focal_px
    signs = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    in_cam = np.concatenate([signs * half, np.ones((4, 1))], axis=1) * depth
    far = in_cam @ turn + center
    return [np.concatenate([far, far[:1]]), *(np.stack([center, corner]) for corner in far)]


def _ellipse(stage: _Stage, axes: _Axes) -> Floats:
    """(N, 3) about the camera's place, in the view's plane: nine tenths of a Gaussian of the record's deviations."""
    variance = np.diag(np.square(np.array(stage.std)))
    plane = np.stack([axes.across, axes.up])
    lengths, directions = np.linalg.eigh(plane @ variance @ plane.T)
    angle = np.linspace(0.0, 2.0 * np.pi, 73)
    round_it = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * R90_PER_SIGMA * np.sqrt(np.maximum(lengths, 0.0))
    placed: Floats = round_it @ directions.T @ plane + stage.center
    return placed


def _bar(panel: Scene, size: float, unit: str) -> None:
    step = round_step(size / 8.0)
    right, y = SIDE - 14.0, SIDE - 14.0
    left = right - step / size * SIDE
    panel.add(Line([np.array([[left, y - 5.0], [left, y], [right, y], [right, y - 5.0]])], INK, 1.5, kind="bar"))
    said = length(step) if unit else f"{step:g} of the map's units"
    panel.add(Words(right, y - 9.0, said, 13.0, anchor="end", halo="#ffffff"))


def _north(panel: Scene) -> None:
    x, top = SIDE - 26.0, 16.0
    arrow = np.array([[x, top], [x + 8.0, top + 26.0], [x, top + 20.0], [x - 8.0, top + 26.0]])
    panel.add(Area([arrow], INK, kind="north"))
    panel.add(Words(x, top + 44.0, "N", _SIZE, anchor="middle", halo="#ffffff"))


def _said(fix: Fix, pose: Pose) -> str:
    held = f"{pose.inliers} inliers, {pose.reprojection_px:.1f} px"
    if pose.heading_deg is None or pose.pitch_deg is None or pose.roll_deg is None:
        return f"{held}, in a map that lies nowhere on the Earth"
    angles = f"heading {pose.heading_deg:.1f}°, pitch {pose.pitch_deg:+.1f}°, roll {pose.roll_deg:+.1f}°"
    if fix.lat is None or fix.lon is None or fix.radius_m is None:
        return f"{angles}, {held}"
    return f"{fix.lat:.6f}, {fix.lon:.6f} ± {length(fix.radius_m)}, {angles}, {held}"
