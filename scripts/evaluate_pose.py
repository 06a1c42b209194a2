"""Maps each real set, poses its held-out photographs in the map, and prints the errors against their known places.

    python scripts/evaluate_pose.py [--data ../shared/data] [--sets fountain,fox,...] [--mapper global] [--keep FOLDER]
        [--features xfeat] [--matcher lighterglue] [--solver torch] [--cache FOLDER]

Drives the installed `geoloc` as a user would. Where the truth is a pose in a frame of its own (fountain, fox), the map
is laid over it by one similarity, fitted on the map's own photographs alone. Prints a table and one JSON line.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.maps.folder import open_map
from geoloc_cli.maps.model import MapImage
from geoloc_cli.maps.similarity import umeyama
from geoloc_cli.photos.exif import read_photo
from real_sets import geoloc, parser, pictures, split

Floats = NDArray[np.float64]
# Rotation cam_from_world and centre of each photograph, by its name.
Poses = dict[str, tuple[Floats, Floats]]


def fountain(data: Path) -> tuple[Poses, list[str]]:
    said = json.loads((data / "fountain" / "poses.json").read_text())
    poses = {name: (np.array(p["R_cam_from_world"]), np.array(p["center_in_world"])) for name, p in said.items()}
    p = next(iter(said.values()))
    return poses, ["--camera", f"PINHOLE,{p['width']},{p['height']},{p['fx']},{p['fy']},{p['cx']},{p['cy']}"]


def fox(data: Path) -> tuple[Poses, list[str]]:
    said = json.loads((data / "fox" / "transforms.json").read_text())
    poses = {}
    for frame in said["frames"]:
        world_from_gl = np.array(frame["transform_matrix"])
        # OpenGL's camera looks along -z with y up.
        name = Path(frame["file_path"]).name
        poses[name] = np.diag([1.0, -1.0, -1.0]) @ world_from_gl[:3, :3].T, world_from_gl[:3, 3]
    lens = ",".join(str(said[k]) for k in ("w", "h", "fl_x", "fl_y", "cx", "cy", "k1", "k2", "p1", "p2"))
    return poses, ["--camera", "OPENCV," + lens.replace("1080.0,1920.0", "1080,1920")]


def turn_deg(a: Floats, b: Floats) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(a @ b.T) - 1.0) / 2.0, -1.0, 1.0))))


def against_poses(
    images: dict[str, MapImage], fixes: list[dict[str, Any]], poses: Poses
) -> tuple[list[float], list[float]]:
    """Errors of place (in the truth's units) and of rotation (degrees) of the posed photographs.

    images: those of the map that the poses are in, by which it is laid over the truth.
    """
    names = sorted(images)
    scale, turn, shift = umeyama(
        np.stack([images[n].center_in_map for n in names]), np.stack([poses[Path(n).name][1] for n in names])
    )
    places, turns = [], []
    for fix in fixes:
        if not fix["pose"] or Path(fix["photo"]).name not in poses:
            continue
        rotation, center = poses[Path(fix["photo"]).name]
        w, x, y, z = fix["pose"]["cam_from_map"]["rotation_wxyz"]
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        cam_from_map = np.eye(3) + 2 * w * cross + 2 * cross @ cross
        places.append(float(np.linalg.norm(scale * turn @ np.array(fix["pose"]["center_in_map"]) + shift - center)))
        turns.append(turn_deg(cam_from_map @ turn.T, rotation))
    return places, turns


class How(NamedTuple):
    """Options of `geoloc map build`, and of `geoloc locate`."""

    build: list[str]
    locate: list[str]


def mapped(name: str, data: Path, folder: Path, lens: list[str], how: How) -> tuple[list[dict[str, Any]], float, float]:
    """The fixes of the queries of a set in a map of the rest; seconds of the map and of the queries."""
    photos, queries = split(data, name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    listed = folder.with_suffix(".txt")
    listed.write_text("".join(f"{query.name}\n" for query in queries))
    began = time.perf_counter()
    geoloc("map", "build", str(photos), "--map", str(folder), "--exclude-list", str(listed), *lens, *how.build)
    built = time.perf_counter()
    asked = ["--pose", "--format", "jsonl", *how.locate, *lens]
    lines = geoloc("locate", *map(str, queries), "--map", str(folder), *asked).splitlines()
    return [json.loads(line) for line in lines], built - began, time.perf_counter() - built


def posed_row(name: str, data: Path, folder: Path, poses: Poses, lens: list[str], how: How) -> dict[str, Any]:
    fixes, build_s, query_s = mapped(name, data, folder, lens, how)
    places, turns = against_poses(open_map(folder)[0].model.images, fixes, poses)
    centers = np.stack([poses[Path(f["photo"]).name][1] for f in fixes])
    radius = float(np.median(np.linalg.norm(centers - np.stack([c for _, c in poses.values()]).mean(axis=0), axis=1)))
    return {
        "queries": len(fixes),
        "posed": len(places),
        "median": float(np.median(places)),
        "worst": float(np.max(places)),
        "median_deg": float(np.median(turns)),
        "circle": radius,
        "registered": len(open_map(folder)[0].model.images),
        "build_s": build_s,
        "query_s": query_s / len(fixes),
    }


def placed_row(name: str, data: Path, folder: Path, how: How) -> dict[str, Any]:
    fixes, build_s, query_s = mapped(name, data, folder, [], how)
    errors, inside, radii = [], 0, []
    for fix in fixes:
        place = read_photo(fix["photo"]).position
        if fix["stage"] != "pose" or place is None:
            print(f"  {fix['photo']}: {fix['status']}, {fix['reason']}", file=sys.stderr)
            continue
        errors.append(float(haversine_m(fix["lat"], fix["lon"], place.lat, place.lon)))
        inside += errors[-1] <= fix["radius_m"]
        radii.append(fix["radius_m"])
    return {
        "queries": len(fixes),
        "posed": len(errors),
        "median": float(np.median(errors)) if errors else None,
        "worst": max(errors, default=None),
        "inside": inside,
        "median_radius_m": float(np.median(radii)) if radii else None,
        "registered": len(open_map(folder)[0].model.images),
        "build_s": build_s,
        "query_s": query_s / len(fixes),
    }


def against_joint(data: Path, folder: Path, how: How) -> dict[str, Any]:
    """The queries of seneca in a map of the others, against one reconstruction of all, laid over it by the others."""
    photos, _ = split(data, "seneca")
    fixes, _, _ = mapped("seneca", data, folder / "references", [], how)
    geoloc("map", "build", str(photos), "--map", str(folder / "joint"), *how.build)
    joint = open_map(folder / "joint")[0]
    georeference = joint.georeference
    assert georeference is not None
    poses = {
        Path(path).name: (image.rotation @ georeference.rotation.T, georeference.in_enu(image.center_in_map))
        for path, image in joint.model.images.items()
    }
    references = open_map(folder / "references")[0].model.images
    for path in [path for path in references if Path(path).name not in poses]:
        del references[path]
    places, turns = against_poses(references, fixes, poses)
    return {
        "queries": len(fixes),
        "posed": len(places),
        "median_m": float(np.median(places)),
        "worst_m": float(np.max(places)),
        "median_deg": float(np.median(turns)),
    }


def left_out_in_turn(data: Path, folder: Path, how: How) -> dict[str, Any]:
    """Each photograph of sacre_coeur posed in a map of the nine others."""
    photos = pictures(data / "sacre_coeur")
    posed = 0
    for photo in photos:
        others = [str(p) for p in photos if p != photo]
        at = folder / photo.stem
        geoloc("map", "build", *others, "--map", str(at), "--cache", str(folder / "cache"), "--quiet", *how.build)
        asked = ["--pose", "--format", "jsonl", "--quiet", *how.locate]
        answer = geoloc("locate", str(photo), "--map", str(at), *asked)
        fix = json.loads(answer)
        posed += fix["pose"] is not None
        print(f"  {photo.name}: {fix['stage']}, {fix['reason'] or fix['pose']['inliers']}", file=sys.stderr)
    return {"queries": len(photos), "posed": posed}


def main() -> None:
    said = parser(__doc__)
    said.add_argument("--sets", default="fountain,fountain-guessed,fox,seneca,lund,sacre_coeur,seneca-joint")
    said.add_argument("--mapper", default="incremental", help="as of `geoloc map build`")
    said.add_argument("--share-camera", default="auto", help="as of `geoloc map build`")
    said.add_argument("--features", default="sift", help="as of `geoloc map build`")
    said.add_argument("--matcher", default="mutual-nn", help="as of `geoloc map build` and `geoloc locate`")
    said.add_argument("--solver", default="auto", help="as of `geoloc locate`")
    said.add_argument("--cache", help="as of `geoloc map build` and `geoloc locate`")
    said.add_argument("--keep", type=Path, help="leave the maps in this folder")
    options = said.parse_args()
    made = ["--mapper", options.mapper, "--share-camera", options.share_camera, "--features", options.features]
    matched = ["--matcher", options.matcher]
    cached = ["--cache", options.cache] if options.cache else []
    how = How([*made, *matched, *cached], [*matched, "--solver", options.solver, *cached])
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for name in options.sets.split(","):
            kind = name.partition("-")[0]
            if kind in ("fountain", "fox"):
                poses, lens = fountain(options.data) if kind == "fountain" else fox(options.data)
                report[name] = posed_row(
                    kind, options.data, folder / name, poses, [] if "guessed" in name else lens, how
                )
            elif name == "seneca-joint":
                report[name] = against_joint(options.data, folder / name, how)
            elif name == "sacre_coeur":
                report[name] = left_out_in_turn(options.data, folder / name, how)
            else:
                report[name] = placed_row(name, options.data, folder / name, how)
            facts = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in report[name].items())
            print(f"{name}: {facts}")
    print(json.dumps({"evaluate_pose": report}))


if __name__ == "__main__":
    main()
