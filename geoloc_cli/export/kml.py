"""Located photos as KML 2.2 (OGC 07-147r2) for Google Earth and its kin; nothing in it is fetched.

KML counts heights from the sea (EGM96), and so does a photo's point here. It is drawn on the ground, as all geometry
is: a viewer hides what is below its own terrain, which is some metres from any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from geoloc_cli.export.located import Located, ways
from geoloc_cli.export.markup import Html, element, join
from geoloc_cli.export.outlines import Ring, circle, degrees, line
from geoloc_cli.geo.earth import destination

_CORNERS = 36  # of a circle: 0.8 kB, and 0.4 % of its radius within it
_VIEW_M = (10.0, 500.0)  # how long the line of sight is drawn: the radius, within these
_EYE_M = 2.0  # above the ground, from where a viewer looks as the camera did
_SHOWN = (
    *("alt_m", "alt_sea_m", "radius_m", "confidence", "stage", "heading_deg", "pitch_deg", "roll_deg"),
    *("best_candidate", "best_inliers"),
)
_STYLES = join(
    [
        element(
            "Style",
            element("LineStyle", element("color", "ffcc7722"), element("width", "2")),
            element("PolyStyle", element("color", "33cc7722")),
            id="accuracy",
        ),
        element("Style", element("LineStyle", element("color", "ff1177ee"), element("width", "3")), id="sight"),
    ]
)


def document(photos: Sequence[Located]) -> str:
    """One placemark a photo, and folders with the circles of `radius_m`, the lines of sight, and an album's ways.

    A photo whose heading is known has a camera, too, so that a click shows the view; its roll is left out, since KML
    does not say which way it counts.
    """
    folders = (
        ("Photos", [_photo(photo) for photo in photos]),
        ("Accuracy", [mark for photo in photos for mark in _accuracy(photo)]),
        ("Lines of sight", [mark for photo in photos for mark in _sight(photo)]),
        ("Ways", [_way(chain) for chain in ways(photo for photo in photos if photo.fix.album)]),
    )
    parts = [_folder(name, marks) for name, marks in folders if marks]
    whole = element("kml", element("Document", _STYLES, join(parts)), xmlns="http://www.opengis.net/kml/2.2")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{whole}\n'


def _folder(name: str, marks: list[Html]) -> Html:
    return element("Folder", element("name", name), "\n", join(marks, "\n"), "\n")


def _photo(photo: Located) -> Html:
    row = photo.row()
    data = [element("Data", element("value", str(row[name])), name=name) for name in _SHOWN if row[name] is not None]
    height = f",{photo.alt_sea_m}" if photo.alt_sea_m is not None else ""
    return element(
        "Placemark",
        element("name", photo.fix.photo),
        _camera(photo),
        element("TimeStamp", element("when", str(row["taken_at"]))) if row["taken_at"] else None,
        element("ExtendedData", join(data)),
        element(
            "Point",
            element("altitudeMode", "clampToGround"),
            element("coordinates", _corners([photo.place[::-1]]) + height),
        ),
    )


def _camera(photo: Located) -> Html | None:
    pose, (lat, lon) = photo.fix.pose, photo.place
    if pose is None or pose.heading_deg is None or pose.pitch_deg is None:
        return None
    values = {
        "longitude": lon,
        "latitude": lat,
        "altitude": _EYE_M,
        "heading": pose.heading_deg,
        "tilt": 90.0 + pose.pitch_deg,
        "altitudeMode": "relativeToGround",
    }
    return element("Camera", join([element(name, str(value)) for name, value in values.items()]))


def _accuracy(photo: Located) -> Iterator[Html]:
    rings = circle(*photo.place, photo.fix.radius_m, corners=_CORNERS) if photo.fix.radius_m else []
    polygons = [
        element("Polygon", element("outerBoundaryIs", element("LinearRing", element("coordinates", _corners(ring)))))
        for ring in rings
    ]
    if polygons:
        shape = polygons[0] if len(polygons) == 1 else element("MultiGeometry", join(polygons))
        yield element("Placemark", element("name", photo.fix.photo), element("styleUrl", "#accuracy"), shape)


def _sight(photo: Located) -> Iterator[Html]:
    fix = photo.fix
    if fix.pose is None or fix.pose.heading_deg is None:
        return
    length_m = min(max(fix.radius_m or 0.0, _VIEW_M[0]), _VIEW_M[1])
    lat, lon = destination(*photo.place, fix.pose.heading_deg, length_m)
    for part in line([photo.place, (float(lat), float(lon))])[:1]:
        way = element("LineString", element("tessellate", "1"), element("coordinates", _corners(part)))
        yield element("Placemark", element("name", photo.fix.photo), element("styleUrl", "#sight"), way)


def _way(chain: Sequence[Located]) -> Html:
    album = chain[0].fix.album
    name = f"{album.chain}: {album.camera or 'unknown camera'}" if album else ""
    parts = [
        element("LineString", element("tessellate", "1"), element("coordinates", _corners(part)))
        for part in line([photo.place for photo in chain])
    ]
    shape = parts[0] if len(parts) == 1 else element("MultiGeometry", join(parts))
    return element("Placemark", element("name", name), element("styleUrl", "#sight"), shape)


def _corners(ring: Ring) -> str:
    return " ".join(f"{degrees(lon)},{degrees(lat)}" for lon, lat in ring)
