"""Located photos as GPX 1.1: a waypoint each, and a track in the order of time, or one for each chain of an album.

GPX has no word for an accuracy: its `hdop` is a property of the satellites' places, so that `radius_m` stands in an
extension. `ele` is the height above the sea (EGM96); that above the ellipsoid stands among the extensions.
"""

from __future__ import annotations

from collections.abc import Sequence

from geoloc_cli.export.located import Located, ways
from geoloc_cli.export.markup import Html, element, join
from geoloc_cli.export.outlines import degrees

_GPX, _OURS = "http://www.topografix.com/GPX/1/1", "urn:geoloc:fix:1"
_EXTENSIONS = ("radius_m", "confidence", "stage", "alt_m", "heading_deg", "pitch_deg", "roll_deg")


def document(photos: Sequence[Located]) -> str:
    """A waypoint a photo, and the tracks of those whose files say when they were taken (`located.ways`).

    GPX's times are of UTC: a point has one where its file says how far the clock was from it.
    """
    tracks = [
        element("trk", element("trkseg", "\n", join([_point("trkpt", photo) for photo in way], "\n"), "\n"))
        for way in ways(photos)
    ]
    points = [_point("wpt", photo) for photo in photos]
    whole = element(
        "gpx",
        "\n",
        join([*points, *tracks], "\n"),
        "\n",
        version="1.1",
        creator="geoloc",
        xmlns=_GPX,
        **{"xmlns:geoloc": _OURS},
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{whole}\n'


def _point(kind: str, photo: Located) -> Html:
    row, time = photo.row(), photo.utc
    lat, lon = photo.place
    ours = [element(f"geoloc:{name}", str(row[name])) for name in _EXTENSIONS if row[name] is not None]
    return element(
        kind,
        element("ele", str(photo.alt_sea_m)) if photo.alt_sea_m is not None else None,
        element("time", time.isoformat().replace("+00:00", "Z")) if time else None,
        element("name", photo.fix.photo),
        element("extensions", join(ours)),
        lat=degrees(lat),
        lon=degrees(-180.0 if lon == 180.0 else lon),  # GPX's longitudes end before 180
    )
