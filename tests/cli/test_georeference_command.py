"""`geoloc map georeference` on the map of a rendered street: control points of the renderer, and stated positions."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from program import called

from geoloc_cli.geo.earth import enu_from_geodetic, geodetic_from_enu
from geoloc_cli.maps.folder import open_map, read_manifest
from geoloc_cli.testing.demo import TOWN_AT
from geoloc_cli.testing.photos import TruePhoto
from geoloc_cli.testing.render import render
from geoloc_cli.testing.town import Town

if TYPE_CHECKING:
    from conftest import SmallTown


def geoloc(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = called(*arguments)
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture
def folder(mapped: Path, tmp_path: Path) -> Path:
    shutil.copytree(mapped, tmp_path / "map")
    return tmp_path / "map"


@pytest.fixture(scope="module")
def marked(town: SmallTown) -> list[str]:
    """Lines of a gcp_list.txt: points on the walls, wherever they are seen; the renderer knows where they are."""
    made, lines, photos = Town(0, *TOWN_AT), [], town.photos
    shown = [render(made, photo.pose)[1] for photo in photos]
    rng = np.random.default_rng(0)
    for k, host in enumerate((1, 3, 6, 9, 12)):
        for _ in range(100):
            row, column = int(rng.integers(60, 400)), int(rng.integers(60, 580))
            point = shown[host][row, column]
            if not np.isfinite(point).all() or np.linalg.norm(point - photos[host].pose.center_in_enu) > 25.0:
                continue
            seen = [(i, xy) for i, photo in enumerate(photos) if (xy := _pixel(photo, shown[i], point)) is not None]
            if len(seen) >= 3:
                break
        lat, lon, alt_m = geodetic_from_enu(point, made.origin)
        for i, xy in seen:
            x, y = xy - 0.5
            lines.append(f"{lon:.9f} {lat:.9f} {alt_m:.4f} {x:.2f} {y:.2f} {Path(photos[i].path).name} P{k}")
    return lines


def _pixel(photo: TruePhoto, shown: np.ndarray, point: np.ndarray) -> np.ndarray | None:
    """Where the photo shows a point; None where it does not."""
    xy = photo.pose.project(point[None])[0]
    if not (np.isfinite(xy).all() and 2 < xy[0] < 638 and 2 < xy[1] < 478):
        return None
    return xy if np.linalg.norm(shown[int(xy[1]), int(xy[0])] - point) < 0.1 else None


def away_m(folder: Path, photos: list[TruePhoto]) -> np.ndarray:
    """(N, 3) metres east, north, up of the cameras of the largest part from the truth."""
    component = open_map(folder)[0]
    georeference = component.georeference
    assert georeference is not None
    images = component.model.images
    truth = {photo.path: np.array(photo.pose.center_in_enu) for photo in photos}
    rows = []
    for path, image in images.items():
        place = geodetic_from_enu(georeference.in_enu(image.center_in_map), georeference.origin)
        rows.append(np.asarray(enu_from_geodetic(*place, TOWN_AT)) - truth[path])
    return np.array(rows)


def test_control_points_set_right_what_all_positions_have_wrong(
    town: SmallTown, marked: list[str], folder: Path, tmp_path: Path
) -> None:
    """Positions 4 m too far north and 47 m too high, as heights above the ellipsoid among those above the sea."""
    manifest = read_manifest(folder)
    stated, gcp = tmp_path / "positions.csv", tmp_path / "gcp_list.txt"
    rows = [f"{Path(p.path).name},{p.lat + 3.6e-5:.9f},{p.lon:.9f},{p.alt_m + 47.0:.3f},0.5" for p in town.photos]
    stated.write_text("path,lat,lon,alt_m,radius_m\n" + "\n".join(rows) + "\n")
    geoloc("map", "georeference", str(folder), "--positions", str(stated))
    assert np.median(away_m(folder, town.photos), axis=0) == pytest.approx([0.0, 4.0, 47.0], abs=0.3)
    # The first mark lies 76 pixels from where it belongs.
    lon, lat, alt_m, x, y, *rest = marked[0].split()
    wrong = " ".join([lon, lat, alt_m, f"{float(x) + 70.0:.2f}", f"{float(y) + 30.0:.2f}", *rest])
    gcp.write_text("\n".join(["EPSG:4326", wrong, *marked[1:]]) + "\n")
    text = geoloc("map", "georeference", str(folder), "--positions", str(stated), "--gcp", str(gcp)).stdout
    # A street of fourteen pictures of 640 pixels is itself bent by a decimetre or two.
    away = np.abs(away_m(folder, town.photos))
    assert np.median(away) < 0.15
    assert away.max() < 0.5
    assert text.count("control point P") == 5
    assert text.count("wrong in") == 1
    assert "the frame is sure to 0.0" in text
    assert "the photographs' altitudes lie +4" in text
    kept = read_manifest(folder)
    assert (kept["photos"], kept["left_out"]) == (manifest["photos"], manifest["left_out"])
    assert [point["name"] for point in kept["control_points"] if point["component"] == 0] == [f"P{k}" for k in range(5)]
    assert "part 0" in geoloc("map", "info", str(folder)).stdout


def test_stated_positions_win_over_the_maps_own(town: SmallTown, folder: Path, tmp_path: Path) -> None:
    stated = tmp_path / "positions.csv"
    rows = [f"{Path(p.path).name},{p.lat:.9f},{p.lon:.9f},{p.alt_m:.3f},0.1" for p in town.photos]
    stated.write_text("path,lat,lon,alt_m,radius_m\n" + "\n".join(rows) + "\n")
    before = {path: path.read_bytes() for path in folder.rglob("*.json")}
    tried = geoloc("map", "georeference", str(folder), "--positions", str(stated), "--json", "--dry-run")
    assert {path: path.read_bytes() for path in folder.rglob("*.json")} == before
    done = geoloc("map", "georeference", str(folder), "--positions", str(stated), "--json")
    assert tried.stdout == done.stdout
    part = json.loads(done.stdout)[0]
    assert np.abs(away_m(folder, town.photos)).max() < 0.3
    assert part["outliers"] == []
    assert len(part["residuals_m"]) == 14
    assert max(part["middle_std_m"]) < 0.1
    assert part["edge_std_m"][2] >= part["middle_std_m"][2]


def test_swapped_positions_are_named_and_the_map_is_on_the_earth_again_without_them(
    town: SmallTown, folder: Path, tmp_path: Path
) -> None:
    stated = tmp_path / "positions.csv"
    rows = [f"{Path(p.path).name},{p.lat:.9f},{p.lon:.9f}" for p in town.photos]
    rows = [",".join([rows[0].split(",")[0], "151.2", "-33.9"]), *rows[1:]]
    stated.write_text("path,lat,lon\n" + "\n".join(rows) + "\n")
    assert "swapped" in geoloc("map", "georeference", str(folder), "--positions", str(stated), status=2).stderr
    spot = [f"{Path(p.path).name},{town.photos[0].lat},{town.photos[0].lon}" for p in town.photos]
    stated.write_text("path,lat,lon\n" + "\n".join(spot) + "\n")
    text = geoloc("map", "georeference", str(folder), "--positions", str(stated)).stdout
    assert "not on the Earth: all its photographs state the same position" in text
    assert "not on the Earth" in geoloc("map", "info", str(folder)).stdout
    assert "residuals of 14 photos" in geoloc("map", "georeference", str(folder)).stdout
    assert np.abs(away_m(folder, town.photos)[:, :2]).max() < 2.0


@pytest.mark.parametrize(
    ("head", "line", "words"),
    [
        ("EPSG:4326", "24.5 59.95 x 1 2 photo_000.jpg P", "line 2: geo_z 'x' is not a number"),
        ("EPSG:4326", "59.95 24.5 20 1 2 photo_000.jpg P", "km from the photos; geo_x is the longitude"),
        ("EPSG:4326", "24.5 59.95 20 9000 2 photo_000.jpg P", "lies outside of photo_000.jpg"),
        ("EPSG:4326", "24.5 59.95 20 1 2 other.jpg P", "no point is marked in two photos"),
        ("EPSG:9999", "24.5 59.95 20 1 2 photo_000.jpg P", "line 1: EPSG:9999"),
    ],
)
def test_bad_control_points_change_nothing(folder: Path, tmp_path: Path, head: str, line: str, words: str) -> None:
    gcp = tmp_path / "gcp_list.txt"
    gcp.write_text(f"{head}\n{line}\n")
    before = (folder / "georeference.json").read_bytes()
    assert words in geoloc("map", "georeference", str(folder), "--gcp", str(gcp), status=2).stderr
    assert (folder / "georeference.json").read_bytes() == before


def test_a_wrong_call_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    assert "--gcp-std" in geoloc("map", "georeference", str(folder), "--gcp-std", "1", status=2).stderr
    assert "no finished map" in geoloc("map", "georeference", str(tmp_path / "none"), status=3).stderr
    stated = tmp_path / "positions.csv"
    stated.write_text("path,lat,lon\nother.jpg,1,2\n")
    done = geoloc("map", "georeference", str(folder), "--positions", str(stated), status=2)
    assert "names no photo" in done.stderr


def test_a_map_is_adjusted_to_its_control_points_and_stays_whole(
    town: SmallTown, marked: list[str], folder: Path, tmp_path: Path
) -> None:
    gcp = tmp_path / "gcp_list.txt"
    gcp.write_text("\n".join(["EPSG:4326", *marked]) + "\n")
    (folder / "adjusting").mkdir()  # what a killed adjustment leaves
    before = open_map(folder)[0].model
    text = geoloc("map", "georeference", str(folder), "--gcp", str(gcp), "--adjust").stdout
    assert "the map was adjusted to its control points" in text
    assert not (folder / "adjusting").exists()
    after = open_map(folder)[0].model
    assert set(after.images) == set(before.images)
    assert all(np.array_equal(after.images[p].point_rows, before.images[p].point_rows) for p in before.images)
    # Points to 2 cm, and a street of 28 m of which the nearest camera is 10 m from one.
    assert np.median(np.abs(away_m(folder, town.photos))) < 0.08
    assert read_manifest(folder)["adjusted"] == [True] + [False] * (len(open_map(folder)) - 1)
    assert "14 of 14 photos" in geoloc("map", "info", str(folder)).stdout
    assert "give them by --gcp" in geoloc("map", "georeference", str(folder), "--adjust", status=2).stderr
    gcp.write_text("\n".join(["EPSG:4326", *(line for line in marked if line[-1] in "01")]) + "\n")
    done = geoloc("map", "georeference", str(folder), "--gcp", str(gcp), "--adjust", status=2)
    assert "--adjust needs 3 control points" in done.stderr
