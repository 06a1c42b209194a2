"""GeoCLIP's networks as ours: the same numbers as the package's own, which is asked for nothing but these."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
geoclip = pytest.importorskip("geoclip")

from geoloc_cli.priors.geoclip_net import LocationEncoder  # noqa: E402


def test_places_are_encoded_as_the_package_encodes_them() -> None:
    """To the last bits of float32: its finest waves turn 1 600 radians over the map, each exact to 1e-4."""
    theirs = geoclip.LocationEncoder().eval()
    ours = LocationEncoder().eval()
    ours.load_state_dict(theirs.state_dict())
    places = torch.rand(500, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([180.0, 360.0])
    places -= torch.tensor([90.0, 180.0])
    places[:4] = torch.tensor([[90.0, 0.0], [-90.0, 180.0], [0.0, -180.0], [51.5, -0.1]])
    with torch.inference_mode():
        found, wanted = ours(places), theirs(places)
    assert wanted.abs().max() > 0.05
    assert (found - wanted).abs().max() < 1e-6
