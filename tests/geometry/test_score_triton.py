"""Fused scores against the plain ones: by Triton's interpreter on the CPU, and compiled where there is a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: make test sets it up")
pytest.importorskip("triton", reason="needs triton: it has wheels for Linux alone")

from geoloc_cli.geometry.rotation import rotation_of  # noqa: E402
from geoloc_cli.geometry.score import Design, design, msac, msac_and_rest, squared_errors  # noqa: E402
from geoloc_cli.pose.robust import packed  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

# Problems, hypotheses and matches: one of each, less than a block, whole blocks, and a little more than some.
SIZES = {"one": (1, 1, 1), "less": (2, 5, 31), "whole": (1, 32, 128), "more": (3, 45, 130)}
# Pixels of a focal length over the tolerance.
WHITEN = 160.0
# e is a difference of numbers of about WHITEN, rounded at 6e-8 each, a few times: 5e-5, and 1e-4 of its square.
LEAST_DIGIT = 1e-4

# Triton decides when it is imported whether it interprets: each way has a process of its own.
CHILD = """
import sys
import numpy as np, torch
from geoloc_cli.geometry.score_triton import msac_and_count, msac_and_rest
given, device = np.load(sys.argv[1]), sys.argv[3]
found = {}
for name in sorted({key.split("/")[0] for key in given}):
    poses, along, homogeneous, valid = (
        torch.from_numpy(given[f"{name}/{part}"]).to(device) for part in ("poses", "along", "homogeneous", "valid")
    )
    score, count = msac_and_count(poses, (along, homogeneous))
    ranked, rest = msac_and_rest(poses, (along, homogeneous), valid)
    for part, value in (("score", score), ("count", count), ("ranked", ranked), ("rest", rest)):
        found[f"{name}/{part}"] = value.cpu().numpy()
np.savez(sys.argv[2], **found)
"""
Case = tuple["Tensor", Design, "Tensor"]


def scene(problems: int, hypotheses: int, matches: int) -> Case:
    """Poses near one true pose, near another and anywhere; two thirds of the matches are right for one of the two.

    Each match has a Jacobian and a tolerance of its own, and one in eight lies behind the camera, on the ray that it
    is said to be seen on.
    """
    chance = torch.Generator().manual_seed(7)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=chance, dtype=torch.float64)

    rotation = rotation_of(normal(problems, 2, 3))
    center = normal(problems, 2, 3) - 6.0 * rotation[:, :, 2]
    x_in_cam = torch.rand(problems, 3, matches, generator=chance, dtype=torch.float64) * 2 - 1
    x_in_cam[:, 2] += 6.0
    x_in_cam[:, 2, ::8] *= -1.0
    owner = torch.arange(matches) % 2
    own_rotation, own_center = rotation[:, owner], center[:, owner]
    points = (own_rotation.transpose(-1, -2) @ x_in_cam.transpose(1, 2)[..., None])[..., 0] + own_center
    rays = x_in_cam[:, :2] / x_in_cam[:, 2:]
    rays = rays + normal(*rays.shape) / WHITEN / 2
    rays[:, :, ::3] = torch.rand(rays[:, :, ::3].shape, generator=chance, dtype=torch.float64) - 0.5
    scale = 0.5 + torch.rand(problems, 1, matches, generator=chance, dtype=torch.float64)
    whiten = WHITEN * scale * (torch.tensor([1.0, 0.0, 0.0, 1.0])[:, None] + 0.1 * normal(problems, 4, matches))
    of = torch.arange(hypotheses) % 2
    away = torch.logspace(-5, 0, hypotheses, dtype=torch.float64)[:, None]
    turned = rotation[:, of] @ rotation_of(away * normal(problems, hypotheses, 3))
    poses = packed(turned, center[:, of] + away * normal(problems, hypotheses, 3), torch.ones(problems, hypotheses))
    valid = torch.rand(problems, hypotheses, generator=chance) > 0.2
    return poses.float(), design(rays, points.transpose(1, 2), whiten), valid


def unsound(case: Case) -> Case:
    """Every third match padded with what is no number, and one pose without any."""
    poses, (along, homogeneous), valid = case
    poses, along, homogeneous = poses.clone(), along.clone(), homogeneous.clone()
    along[..., 0::6], homogeneous[:, :3, 0::6] = torch.nan, torch.nan
    along[..., 3::6], homogeneous[:, :3, 3::6] = torch.inf, -torch.inf
    poses[:, 1] = torch.nan
    return poses, (along, homogeneous), valid


CASES = {name: scene(*size) for name, size in SIZES.items()}
CASES["unsound"] = unsound(CASES["more"])
CASES["alone"] = (CASES["more"][0][1:2], (CASES["more"][1][0][1:2], CASES["more"][1][1][1:2]), CASES["more"][2][1:2])
CASES["shifted"] = (CASES["more"][0][:, 7:], CASES["more"][1], CASES["more"][2][:, 7:])


@pytest.fixture(scope="module", params=["interpreter", "cuda"])
def fused(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """The scores of all cases, by name and part."""
    interpreted = request.param == "interpreter"
    if not interpreted and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    folder: Path = tmp_path_factory.mktemp("fused")
    arrays = {}
    for name, (poses, by, valid) in CASES.items():
        for part, value in (("poses", poses), ("along", by[0]), ("homogeneous", by[1]), ("valid", valid)):
            arrays[f"{name}/{part}"] = value.numpy()
    np.savez(folder / "given.npz", **arrays)
    files = [str(folder / "given.npz"), str(folder / "found.npz"), "cpu" if interpreted else "cuda"]
    environment = {**os.environ, "TRITON_INTERPRET": "1" if interpreted else "0"}
    done = subprocess.run([sys.executable, "-c", CHILD, *files], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(files[1]) as found:
        return {name: torch.from_numpy(value) for name, value in found.items()}


@pytest.mark.parametrize("name", SIZES)
def test_fused_scores_are_the_plain_ones(fused: dict[str, Tensor], name: str) -> None:
    poses, by, _ = CASES[name]
    matches = by[1].shape[-1]
    score, plain = fused[f"{name}/score"], msac(poses, by)
    exact = (1 - squared_errors(poses.double(), (by[0].double(), by[1].double()))).clamp_min(0).sum(-1)
    assert (plain - exact).abs().max() < LEAST_DIGIT * matches**0.5 * 3
    assert (score - exact).abs().max() < LEAST_DIGIT * matches**0.5 * 3
    if matches > 1:
        assert 0.15 * matches < exact.max() < 0.35 * matches  # a third is right for each, less the noise's share


@pytest.mark.parametrize("name", SIZES)
def test_matches_within_the_tolerance_are_counted(fused: dict[str, Tensor], name: str) -> None:
    poses, by, _ = CASES[name]
    error = squared_errors(poses.double(), (by[0].double(), by[1].double()))
    # Those on the edge may be counted or not.
    assert (fused[f"{name}/count"] >= (error < 1 - LEAST_DIGIT).sum(-1)).all()
    assert (fused[f"{name}/count"] <= (error < 1 + LEAST_DIGIT).sum(-1)).all()


@pytest.mark.parametrize("name", SIZES)
def test_the_rest_is_what_the_best_pose_leaves(fused: dict[str, Tensor], name: str) -> None:
    poses, by, valid = CASES[name]
    score, rest = msac_and_rest(poses, by, valid)
    bound = LEAST_DIGIT * by[1].shape[-1] ** 0.5 * 3
    assert (fused[f"{name}/ranked"] - score).abs().max() < bound
    assert (fused[f"{name}/rest"] - rest).abs().max() < bound
    assert (fused[f"{name}/rest"][~valid] == -1).all()
    if name in ("whole", "more"):
        assert rest.max() > 0.15 * by[1].shape[-1]


def test_what_is_no_number_explains_nothing(fused: dict[str, Tensor]) -> None:
    poses, by, _ = CASES["more"]
    sound = torch.arange(by[1].shape[-1]) % 3 != 0
    expected = msac(poses, (by[0][..., sound].contiguous(), by[1][..., sound].contiguous()))
    expected[:, 1] = 0.0
    assert (fused["unsound/score"] - expected).abs().max() < LEAST_DIGIT * 30
    assert (fused["unsound/count"][:, 1] == 0).all()
    assert torch.isfinite(fused["unsound/rest"]).all()


def test_a_score_is_the_same_bits_in_any_company(fused: dict[str, Tensor]) -> None:
    for part in ("score", "count", "ranked", "rest"):
        assert torch.equal(fused[f"alone/{part}"], fused[f"more/{part}"][1:2])
    for part in ("score", "count"):
        assert torch.equal(fused[f"shifted/{part}"], fused[f"more/{part}"][:, 7:])


# The CPU is said to be a device that the kernel is for: there Triton's interpreter stands in for a GPU.
SOLVED = """
import sys, logging
from dataclasses import replace
import numpy as np
from geoloc_cli.geometry import score
from geoloc_cli.pose.batched import solve_poses
from geoloc_cli.pose.robust import RobustOptions
from geoloc_cli.pose.solve import PoseProblem
from geoloc_cli.testing.pairs import known_pairs
score._FUSED_ON = ("cpu",)
made = [known_pairs("general", seed, 60 + seed, 0.5, 1.0) for seed in range(2)]
problems = [PoseProblem(t.rays, t.points, t.focal_px, 6.0) for t in made]
options = RobustOptions(device="cpu", max_samples=512)
fused, plain, alone = (solve_poses(*given) for given in (
    (problems, options), (problems, replace(options, fused=False)), (problems[1:], options)
))
assert (score._kernel.cache_info().currsize, score._kernel("cpu") is not None) == (1, USABLE)
for a, b in zip(fused, plain, strict=True):
    assert np.allclose(a.poses[0].rotation, b.poses[0].rotation, atol=1e-6)
    assert np.array_equal(a.poses[0].inliers, b.poses[0].inliers)
assert np.array_equal(fused[1].poses[0].covariance, alone[0].poses[0].covariance)
"""


def test_poses_are_the_same_with_the_kernel_and_without() -> None:
    program = SOLVED.replace("USABLE", "True")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "by torch alone" not in done.stderr


def test_a_kernel_that_cannot_be_made_is_said_and_done_without() -> None:
    """Compiled for a GPU, it refuses the tensors of a CPU."""
    program = SOLVED.replace("USABLE", "False")
    environment = {**os.environ, "TRITON_INTERPRET": "0"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("poses are scored by torch alone, without the kernel for GPUs: ") == 1


def test_the_kernel_compiles_for_the_cards_that_there_are(tmp_path: Path) -> None:
    """Without one at hand: what the interpreter takes is more than the compiler does."""
    program = """
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from geoloc_cli.geometry.score_triton import kernel
floats = dict.fromkeys(("poses", "matches", "best", "scores"), "*fp32")
sizes = {"REST": True, "HYPOTHESES": 16, "MATCHES": 64}
signature = floats | {"counts": "*i32", "hypotheses": "i32", "length": "i32"} | dict.fromkeys(sizes, "constexpr")
for card in (75, 90):
    source = ASTSource(kernel, signature, sizes)
    made = compile(source, target=GPUTarget("cuda", card, 32), options={"num_warps": 4, "enable_fp_fusion": True})
    assert made.asm["cubin"]
"""
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
