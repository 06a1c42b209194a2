"""Shared fixtures: where the real photographs are, and a clean environment for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REAL_DATA = Path(os.environ.get("GEOLOC_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real photographs beside the checkout; tests that need it are skipped, visibly, without it."""
    if not (REAL_DATA / "splits.json").exists():
        pytest.skip(f"no real photographs at {REAL_DATA}")
    return REAL_DATA


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting of the person who runs the tests leaks into them."""
    for name in list(os.environ):
        if name.startswith("GEOLOC_") and name != "GEOLOC_TEST_DATA":
            monkeypatch.delenv(name)
    monkeypatch.setenv("GEOLOC_CONFIG", str(tmp_path_factory.getbasetemp() / "no-config.toml"))
