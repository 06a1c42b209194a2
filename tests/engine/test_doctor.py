"""The doctor: healthy machines are left in peace, and what is broken is named with its remedy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TORCH = """
__version__ = "2.13.0"
class cuda:
    is_available = staticmethod(lambda: False)
    device_count = staticmethod(lambda: 0)
class backends:
    class mps:
        is_available = staticmethod(lambda: False)
"""
VISION = "__version__ = '0.28.0'\n"
BROKEN_VISION = "raise RuntimeError('operator torchvision::nms does not exist')\n"


def doctor(tmp_path: Path, status: int, **environment: str) -> dict[str, Any]:
    """Findings by topic, as the installed program reports them, with tmp_path before all other packages."""
    done = subprocess.run(
        [sys.executable, "-m", "geoloc_cli", "doctor", "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path), **environment},
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return {finding["topic"]: finding for finding in json.loads(done.stdout)}


@pytest.fixture
def light(tmp_path: Path) -> Path:
    """tmp_path with stand-ins for torch and torchvision, which take seconds to load and are not what is asked after."""
    (tmp_path / "torch.py").write_text(TORCH)
    (tmp_path / "torchvision.py").write_text(VISION)
    return tmp_path


def test_a_healthy_machine_has_no_fault(tmp_path: Path) -> None:
    found = doctor(tmp_path, 0)
    assert {finding["level"] for finding in found.values()} <= {"ok", "note"}
    assert {"machine", "numpy", "pycolmap", "faiss-cpu", "[torch]", "[vlm]", "[gpu]", "[heic]", "disk"} <= found.keys()
    assert found["numpy"]["text"][0].isdigit()
    for finding in found.values():
        assert finding["level"] == "ok" or finding["text"]


def test_a_torchvision_that_cannot_load_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(TORCH)
    (tmp_path / "torchvision.py").write_text(BROKEN_VISION)
    found = doctor(tmp_path, 1)
    vision = found["torchvision"]
    assert vision["level"] == "fault"
    assert "operator torchvision::nms does not exist" in vision["text"]
    assert "breaks all of transformers" in vision["text"]
    assert vision["remedy"].startswith("pip uninstall torchvision")
    assert found["devices"]["text"] == "cpu in float32, by torch 2.13.0"


def test_a_torchvision_that_loads_is_well(light: Path) -> None:
    assert doctor(light, 0)["torchvision"]["level"] == "ok"


def test_a_torch_that_takes_its_process_down_is_survived(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("import os\nos.abort()\n")
    found = doctor(tmp_path, 1)["torch"]
    assert found["level"] == "fault"
    assert "reinstall torch" in found["remedy"]


def test_two_faiss_at_once(light: Path) -> None:
    info = light / "faiss_gpu_cu12-1.15.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faiss-gpu-cu12\nVersion: 1.15.1\n")
    found = doctor(light, 1)["faiss"]
    assert "faiss-cpu and faiss-gpu-cu12 are both installed" in found["text"]


def test_another_programs_projections_are_noted(light: Path) -> None:
    assert "PROJ_LIB is set to /elsewhere" in doctor(light, 0, PROJ_LIB="/elsewhere")["proj"]["text"]


def test_the_cache_is_looked_at(light: Path) -> None:
    assert doctor(light, 0)["cache"]["level"] == "note"
    (light / "cache").mkdir()
    assert doctor(light, 0, GEOLOC_CACHE=str(light / "cache"))["cache"]["text"].endswith("/cache, 0 MB")
    (light / "file").write_text("")
    assert doctor(light, 1, GEOLOC_CACHE=str(light / "file"))["cache"]["level"] == "fault"
