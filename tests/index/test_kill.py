"""Writers killed with SIGKILL at seeded moments; `scripts/kill_index.py` does the same thousands of times."""

from __future__ import annotations

from pathlib import Path

import kill_index
import pytest


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> kill_index.Ground:
    return kill_index.prepare(tmp_path_factory.mktemp("ground"))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("operation", kill_index.OPERATIONS)
def test_nothing_committed_is_lost(ground: kill_index.Ground, operation: str, seed: int) -> None:
    assert kill_index.trial(ground, operation, seed) == []


def test_the_same_killing_makes_a_writer_in_place_lose_photos(tmp_path: Path) -> None:
    assert sum(kill_index.control_trial(tmp_path, seed) for seed in range(4)) >= 2
