"""Names that a model gave -> where they are, by the gazetteer where that is installed."""

from __future__ import annotations

from geoloc_cli.priors.gazetteer import shared_gazetteer
from geoloc_cli.types import Component


def by_gazetteer(text: str) -> list[Component]:
    """The places that `Springfield, Illinois, USA` may be; none without the extra `ocr`, which brings the gazetteer."""
    try:
        gazetteer = shared_gazetteer()
    except ImportError:
        return []
    return [Component(hit.lat, hit.lon, hit.radius_m, hit.weight) for hit in gazetteer.resolve(text)]
