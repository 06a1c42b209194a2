"""What a map holds, for people and for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from geoloc_cli.errors import MapMissing
from geoloc_cli.geo.earth import geodetic_from_enu
from geoloc_cli.index.reader import Index
from geoloc_cli.maps.folder import Component, index_of, open_map, read_manifest


def info(folder: Path) -> dict[str, Any]:
    """Counts, fit and place of every component, as plain JSON."""
    manifest, components = read_manifest(folder), open_map(folder)
    parts = []
    for component in components:
        model, g = component.model, component.georeference
        parts.append(
            {
                "name": component.name,
                "images": len(model.images),
                "points": len(model.points),
                "mean_track_length": float(model.track_lengths.mean()) if len(model.points) else 0.0,
                "reprojection_px": model.reprojection_px,
                "georeference": None
                if g is None
                else {
                    "origin": list(g.origin),
                    "horizontal_m": g.horizontal_m,
                    "vertical_m": g.vertical_m,
                    "outliers": list(g.outliers),
                    "notes": list(g.notes),
                    "residuals_m": {path: list(r) for path, r in g.residuals_m.items()},
                },
            }
        )
    registered = len({path for component in components for path in component.model.images})
    return {
        "map": str(folder),
        "photos": manifest["photos"],
        "registered": registered,
        "left_out": manifest["left_out"],
        "matcher": manifest.get("matcher"),
        "mapper": manifest.get("mapper"),
        "components": parts,
    }


def component_of(folder: Path, part: int) -> Component:
    """One part of a map. Raises MapMissing or MapDamaged."""
    components = open_map(folder)
    if part >= len(components):
        raise MapMissing(f"{folder} has no part {part}; it has {len(components)}.")
    return components[part]


def camera_rows(folder: Path, part: int) -> list[dict[str, Any]]:
    """Path, time, lat, lon and residual of every camera of a component, by its place in the map. Raises MapMissing."""
    component = component_of(folder, part)
    if component.georeference is None:
        raise MapMissing(f"Part {part} of {folder} is not on the Earth: its photographs' positions do not suffice.")
    with Index.open(index_of(folder)) as index:
        taken = {photo.path: photo.taken_at for photo in index.all_photos()}
    rows = []
    for path, image in sorted(component.model.images.items()):
        lat, lon, _ = geodetic_from_enu(
            component.georeference.in_enu(image.center_in_map), component.georeference.origin
        )
        residual = component.georeference.residuals_m.get(path)
        rows.append(
            {
                "path": path,
                "taken_at": taken.get(path),
                "lat": round(float(lat), 8),
                "lon": round(float(lon), 8),
                "residual_m": list(residual) if residual else None,
            }
        )
    return rows
