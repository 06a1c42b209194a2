"""The closed-form solvers: every true pose is among the roots, and nothing that is no pose is said to be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: make test sets it up")

from geoloc_cli.geometry.p3p import p3p  # noqa: E402
from geoloc_cli.geometry.rotation import rotation_of  # noqa: E402
from geoloc_cli.geometry.up2p import up2p  # noqa: E402

if TYPE_CHECKING:
    from torch import Tensor

TRIPLES = 20_000


def cameras(
    size: int, seed: int = 0, depth: tuple[float, float] = (1.0, 11.0)
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rays (T, size, 3), points (T, size, 3), and the true rotations and translations."""
    chance = torch.Generator().manual_seed(seed)
    rotation = rotation_of(2.0 * torch.randn(TRIPLES, 3, generator=chance, dtype=torch.float64))
    translation = torch.randn(TRIPLES, 3, generator=chance, dtype=torch.float64)
    seen = torch.rand(TRIPLES, size, 2, generator=chance, dtype=torch.float64) * 2 - 1
    z = depth[0] + torch.rand(TRIPLES, size, 1, generator=chance, dtype=torch.float64) * (depth[1] - depth[0])
    rays = torch.cat([seen, torch.ones_like(z)], -1)
    return rays, (z * rays - translation[:, None]) @ rotation, rotation, translation


def nearest(rotation: Tensor, valid: Tensor, truth: Tensor) -> Tensor:
    """(T,): the largest difference of any entry, of the root that is nearest to the truth."""
    away = (rotation.double() - truth[:, None]).abs().amax((-1, -2))
    return torch.where(valid, away, 9.0).amin(-1)


def test_p3p_finds_every_pose_to_nearly_the_last_digit() -> None:
    rays, points, rotation, translation = cameras(3)
    found, moved, valid = p3p(rays, points)
    away = nearest(found, valid, rotation)
    assert away.max() < 1e-6  # two roots that nearly meet cost half of the digits
    assert away.quantile(0.99) < 1e-12
    best = torch.where(valid, (moved - translation[:, None]).norm(dim=-1), 9.0).amin(-1)
    assert best.max() < 1e-5


def test_what_p3p_calls_a_solution_sees_its_points_where_they_are() -> None:
    rays, points, _, _ = cameras(3, seed=1)
    rotation, translation, valid = p3p(rays, points)
    x_in_cam = points[:, None] @ rotation.transpose(-1, -2) + translation[:, :, None]
    away = (x_in_cam[..., :2] / x_in_cam[..., 2:] - rays[:, None, :, :2]).abs().amax((-1, -2))
    assert away[valid].max() < 1e-8
    assert (x_in_cam[..., 2][valid] > 0).all()
    assert (torch.linalg.det(rotation[valid]) - 1).abs().max() < 1e-9
    assert 1.5 < valid.sum(-1).double().mean() < 2.0


def test_p3p_has_the_roots_that_poselib_has() -> None:
    poselib = pytest.importorskip("poselib")
    rays, points, _, _ = cameras(3, seed=2)
    rotation, _, valid = p3p(rays[:300], points[:300])
    missed = 0
    for i in range(300):
        unit = rays[i] / rays[i].norm(dim=-1, keepdim=True)
        peers = [
            torch.from_numpy(np.asarray(pose.R)) for pose in poselib.p3p(list(unit.numpy()), list(points[i].numpy()))
        ]
        for peer in peers:
            missed += bool(nearest(rotation[i : i + 1], valid[i : i + 1], peer[None]) > 1e-5)
        assert len(peers) <= int(valid[i].sum()) or missed
    # Tangent roots may be called real by one, and complex by the other.
    assert missed <= 2


def test_p3p_in_single_precision_misses_two_in_a_thousand_at_most() -> None:
    rays, points, rotation, _ = cameras(3, seed=3)
    found, _, valid = p3p(rays.float(), points.float())
    away = nearest(found, valid, rotation)
    assert (away > 1e-2).double().mean() < 0.003
    assert away.quantile(0.9) < 2e-5


@pytest.mark.parametrize("case", ["one_place", "line", "behind", "nan", "infinite", "one_ray"])
def test_degenerate_triples_have_no_solution(case: str) -> None:
    rays, points, rotation, translation = (part[:200].clone() for part in cameras(3, seed=4))
    if case == "one_place":
        points[:] = points[:, :1]
    elif case == "line":
        points[:, 2] = 2 * points[:, 1] - points[:, 0]
    elif case == "behind":  # seen through the back of the camera: the rays point the other way
        x_in_cam = points @ rotation.transpose(-1, -2) + translation[:, None]
        points = (-x_in_cam - translation[:, None]) @ rotation
    elif case == "nan":
        points[:, 0, 0] = torch.nan
    elif case == "infinite":
        points[:, 0, 0] = torch.inf
    else:
        rays[:, 1] = rays[:, 0]
    found, moved, valid = p3p(rays, points)
    if case == "behind":  # poses there may be, but never the one that has the points behind it
        assert nearest(found, valid, rotation).min() > 1e-6
        return
    if case in ("line", "one_ray"):  # what is left there by rounding must at least not be taken for the camera
        kept = valid & ((moved - translation[:, None]).norm(dim=-1) > 1e3)
        assert not kept.any()
        valid = valid & (torch.linalg.det(found).nan_to_num() - 1).abs().gt(1e-6)
    assert not valid.any()


def test_symmetric_triangles_are_no_special_case() -> None:
    """Straight above an isosceles triangle the cubic loses its highest power: a marker's corners, seen square."""
    points = torch.tensor([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    translation = torch.tensor([0.0, 0.0, 4.0], dtype=torch.float64)
    x_in_cam = points + translation
    found, _, valid = p3p(x_in_cam[None], points[None])
    assert nearest(found, valid, torch.eye(3, dtype=torch.float64)[None]).item() < 1e-6


def test_two_points_and_gravity_give_the_pose() -> None:
    rays, points, rotation, translation = cameras(2, seed=5)
    up_in_map = torch.nn.functional.normalize(
        torch.randn(TRIPLES, 3, generator=torch.Generator().manual_seed(6)), dim=-1
    )
    up_in_map = up_in_map.double() / up_in_map.double().norm(dim=-1, keepdim=True)
    up_in_cam = (rotation @ up_in_map[..., None])[..., 0]
    found, moved, valid = up2p(rays, points, up_in_cam, up_in_map)
    assert nearest(found, valid, rotation).max() < 1e-7
    assert torch.where(valid, (moved - translation[:, None]).norm(dim=-1), 9.0).amin(-1).max() < 1e-5
    turned = (found @ up_in_map[:, None, :, None])[..., 0]
    assert (turned - up_in_cam[:, None])[valid].abs().max() < 1e-7


def test_two_points_one_above_the_other_do_not_say_where_north_is() -> None:
    rays, points, rotation, _ = (part[:100].clone() for part in cameras(2, seed=7))
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(100, 3)
    points[:, 1] = points[:, 0] + torch.tensor([0.0, 0.0, 1.0])
    _, _, valid = up2p(rays, points, (rotation @ up[..., None])[..., 0], up)
    assert not valid.any()
