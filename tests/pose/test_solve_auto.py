"""Which solver gets a batch: by what was measured here, else by whether there is a GPU; asking loads no torch."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from geoloc_cli.pose import solve_auto
from geoloc_cli.pose.solve import PoseLibSolver, PoseProblem
from geoloc_cli.pose.solve_auto import AutoSolver, Measured, read_table, torch_is_faster
from geoloc_cli.testing.pairs import known_pairs

MEASURED = [
    Measured(1, 200, True, 1.0, 5.0),
    Measured(64, 200, True, 1.0, 0.1),
    Measured(64, 4000, True, 30.0, 40.0),
]
needs_torch = pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="needs torch: make test sets it up")


def problems(count: int, pairs: int = 200, focal_std: float = 0.0) -> list[PoseProblem]:
    return [PoseProblem(np.zeros((pairs, 2)), np.zeros((pairs, 3)), 1000.0, 6.0, focal_std)] * count


@needs_torch
def test_the_nearest_measurement_decides() -> None:
    assert not torch_is_faster(2, 150, gpu=True, table=MEASURED)
    assert torch_is_faster(40, 300, gpu=False, table=MEASURED)
    assert not torch_is_faster(100, 3000, gpu=True, table=MEASURED)


@needs_torch
def test_without_measurements_a_gpu_gets_batches_and_a_cpu_none() -> None:
    assert torch_is_faster(2, 1000, gpu=True, table=[])
    assert not torch_is_faster(1, 1000, gpu=True, table=[])
    assert not torch_is_faster(1000, 1000, gpu=False, table=[])


@needs_torch
def test_the_solver_that_is_chosen_signs_its_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = solve_auto.table_file()
    assert file.is_relative_to(tmp_path)
    file.parent.mkdir(parents=True)
    rows = [
        {"problems": n, "pairs": 100, "focal_known": known, "poselib_ms": 1.0, "torch_ms": ms}
        for n, known, ms in ((1, True, 9.0), (8, True, 0.1), (1, False, 0.2))
    ]
    file.write_text(json.dumps({"rows": rows}))
    assert len(read_table()) == 3
    solver = AutoSolver()
    assert isinstance(solver.chosen(problems(1)), PoseLibSolver)
    assert solver.chosen(problems(8)).name == "torch"
    assert solver.chosen(problems(1, focal_std=0.4)).name == "torch"
    assert isinstance(solver.chosen([]), PoseLibSolver)


@needs_torch
def test_known_and_unknown_focal_lengths_go_their_own_ways_and_come_back_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    solve_auto.table_file().parent.mkdir(parents=True)
    rows = [
        {"problems": 1, "pairs": 100, "focal_known": known, "poselib_ms": 1.0, "torch_ms": ms}
        for known, ms in ((True, 9.0), (False, 0.1))
    ]
    solve_auto.table_file().write_text(json.dumps({"rows": rows}))
    truths = [known_pairs("general", seed, 150, 0.3, 1.0) for seed in range(4)]
    stds = (0.4, 0.0, 0.4, 0.0)
    asked = [PoseProblem(t.rays, t.points, t.focal_px, 6.0, std) for t, std in zip(truths, stds, strict=True)]
    found = AutoSolver().solve(asked)
    assert [answer and answer.solver for answer in found] == ["torch", "poselib", "torch", "poselib"]
    for truth, answer in zip(truths, found, strict=True):
        assert answer is not None
        assert np.linalg.norm(answer.center - truth.center) < 0.3


@pytest.mark.parametrize("text", ["", "[]", '{"rows": [{"problems": 0, "pairs": 1}]}', '{"rows": [{}]}', '{"rows": 3}'])
def test_a_damaged_file_is_as_good_as_none(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    solve_auto.table_file().parent.mkdir(parents=True)
    solve_auto.table_file().write_text(text)
    assert read_table() == []


def test_torch_is_not_loaded_to_find_out(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom geoloc_cli.pose.solve_auto import AutoSolver, gpu_likely\ngpu_likely()\n"
        "AutoSolver().solve([])\nassert 'torch' not in sys.modules\n"
    )
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": "", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


@needs_torch
def test_the_measurement_has_a_row_for_each_size_and_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geoloc_cli.engine import bench_solvers

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(bench_solvers, "PROBLEMS", (1, 2))
    monkeypatch.setattr(bench_solvers, "PAIRS", (50, 100))
    monkeypatch.setattr(bench_solvers, "UNKNOWN_PROBLEMS", (1,))
    monkeypatch.setattr(bench_solvers, "UNKNOWN_PAIRS", (50,))
    told: list[Measured] = []
    from geoloc_cli.pose.solve_torch import TorchSolver

    rows = bench_solvers.measure(TorchSolver(), told.append)
    assert told == rows
    known = [(1, 50, True), (2, 50, True), (1, 100, True), (2, 100, True)]
    assert [(row.problems, row.pairs, row.focal_known) for row in rows] == [*known, (1, 50, False)]
    assert all(row.poselib_ms > 0 and row.torch_ms > 0 for row in rows)
    bench_solvers.keep(rows)
    assert read_table() == rows
