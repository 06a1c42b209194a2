"""Networks of these tests run on the CPU: they are compared to the last bits of float32."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOLOC_DEVICE", "cpu")
