"""How well a picture's brightness goes with the height of the sun."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from geoloc_cli.geo.earth import Floats

# Exposure values at ISO 100 as photographers' tables give them (mean, standard deviation). By day outdoors: 16 in the
# sun, 15 hazy, 13 under bright clouds, 12 under dark ones or in open shade, 10 in a wood. By night: 7 in a bright
# street, 4 under floodlights, below 0 without lamps. Indoors, at any hour: 8 in an office, 6 at home, 10 in a hall.
_DAY, _NIGHT, _INDOORS = (13.5, 2.0), (4.5, 3.0), (7.0, 2.0)
_INDOOR_SHARE = 0.4
# It is as much day as night with the sun 3 degrees under the horizon, in the middle of civil twilight; three degrees
# on, at sunset, the lamps and the sky each lose and win by e^2.
_DUSK_DEG, _SOFT_DEG = -3.0, 1.5
# The logistic curve of the same variance as one axis of a Gaussian: sqrt(3) / pi, over sqrt(2 ln 10).
_SOFT_PER_RADIUS = 0.257


def daylight_odds(ev100: float, sun_deg: ArrayLike, radius_deg: ArrayLike, most_odds: float) -> Floats:
    """The likelihood of a picture's brightness under suns of these heights, over that of the sun that fits it best.

    The places of each lie about where its height was taken, 90 % of them within `radius_deg`: a wide country has day
    and night at once. One at most, and never under 1 / most_odds: stages, screens, filters and wrong clocks keep to no
    table.
    """
    soft = np.hypot(_SOFT_DEG, _SOFT_PER_RADIUS * np.asarray(radius_deg, dtype=np.float64))
    shine = 0.5 + 0.5 * np.tanh((np.asarray(sun_deg, dtype=np.float64) - _DUSK_DEG) / (2.0 * soft))
    indoors = _INDOOR_SHARE * _bell(ev100, *_INDOORS)
    day = indoors + (1.0 - _INDOOR_SHARE) * _bell(ev100, *_DAY)
    night = indoors + (1.0 - _INDOOR_SHARE) * _bell(ev100, *_NIGHT)
    return np.asarray(np.maximum((shine * day + (1.0 - shine) * night) / max(day, night), 1.0 / most_odds))


def _bell(value: float, mean: float, std: float) -> float:
    return float(np.exp(-0.5 * ((value - mean) / std) ** 2) / std)
