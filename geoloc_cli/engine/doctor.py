"""What this installation can do and what stands in its way; nothing that may be broken is loaded to find out."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from geoloc_cli.device import available_cores

_BASE = ("numpy", "pillow", "faiss-cpu", "pycolmap", "h3", "typer", "rich")
_EXTRAS = {
    "torch": ("torch", "kornia", "transformers", "safetensors"),
    "geoclip": ("geoclip",),
    "gpu": ("torch", "torchvision", "nvidia-ml-py"),
    "vlm": ("httpx",),
    "heic": ("pi-heif",),
    "onnx": ("onnxruntime",),
    "ocr": ("rapidocr", "onnxruntime"),
    "ray": ("ray",),
}
_FAISS = ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu11", "faiss-gpu-cu12", "faiss-gpu-cuvs")
# Importing torch takes 2 to 20 s from a cold disk.
_TIMEOUT_S = 120

_TORCH_PROBE = """
import json
import torch
from geoloc_cli.device import available_cores
from geoloc_cli.device import choose
device = choose()
cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
print(json.dumps({"version": torch.__version__, "cards": cards, "name": device.name, "dtype": device.dtype}))
"""
_TORCHVISION_PROBE = """
import json
import torchvision
print(json.dumps({"version": torchvision.__version__}))
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination; a fault has a remedy."""

    topic: str
    level: Literal["ok", "note", "fault"]
    text: str
    remedy: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def examine(cache: str | None = None) -> list[Finding]:
    """Everything that is looked at, in a settled order; cache: the folder of `--cache`, where one is used."""
    findings = [_machine()]
    findings += [_package(name) for name in _BASE]
    findings += _faiss()
    findings += [_extra(name, packages) for name, packages in _EXTRAS.items()]
    findings += _torch()
    findings += _projections()
    findings.append(_cache(cache))
    findings.append(_disk())
    return findings


def version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _machine() -> Finding:
    text = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {available_cores()} cores"
    return Finding("machine", "ok", text)


def _package(name: str) -> Finding:
    version = version_of(name)
    if version is None:
        return Finding(name, "fault", "is not installed", f"pip install {name}")
    return Finding(name, "ok", version)


def _faiss() -> list[Finding]:
    found = [name for name in _FAISS if version_of(name)]
    if len(found) < 2:
        return []
    return [
        Finding(
            "faiss",
            "fault",
            f"{' and '.join(found)} are both installed and overwrite each other's files",
            f"pip uninstall {' '.join(found)}, then install one of them",
        )
    ]


def _extra(name: str, packages: tuple[str, ...]) -> Finding:
    missing = [package for package in packages if version_of(package) is None]
    if missing:
        return Finding(
            f"[{name}]", "note", f"not installed (lacks {', '.join(missing)})", f"pip install 'geoloc[{name}]'"
        )
    return Finding(f"[{name}]", "ok", ", ".join(f"{package} {version_of(package)}" for package in packages))


def _torch() -> list[Finding]:
    if importlib.util.find_spec("torch") is None:
        return [Finding("devices", "note", "CPU only: torch is not installed, and the default needs none")]
    found, error = _probe(_TORCH_PROBE)
    if found is None:
        return [Finding("torch", "fault", f"cannot be loaded: {error}", "pip install --force-reinstall torch")]
    cards = f" ({', '.join(found['cards'])})" if found["cards"] else ""
    text = f"{found['name']}{cards} in {found['dtype']}, by torch {found['version']}"
    findings = [Finding("devices", "ok", text)]
    if importlib.util.find_spec("torchvision") is not None:
        vision, error = _probe(_TORCHVISION_PROBE)
        if vision is None:
            findings.append(
                Finding(
                    "torchvision",
                    "fault",
                    f"cannot be loaded with this torch, which breaks all of transformers: {error}",
                    "pip uninstall torchvision (nothing here needs it), or install the one made for this torch",
                )
            )
        else:
            findings.append(Finding("torchvision", "ok", str(vision["version"])))
    return findings


def _probe(code: str) -> tuple[dict[str, Any] | None, str]:
    """Runs a few lines in a process of their own: a library that aborts takes only that one down."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None, f"no answer within {_TIMEOUT_S} s"
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1]), ""
    lines = done.stderr.strip().splitlines()
    return None, lines[-1] if lines else f"ended with status {done.returncode}"


def _projections() -> list[Finding]:
    return [
        Finding(
            "proj",
            "note",
            f"{name} is set to {os.environ[name]}; another program's data may be read",
            f"unset {name}",
        )
        for name in ("PROJ_LIB", "PROJ_DATA")
        if os.environ.get(name)
    ]


def _cache(folder: str | None) -> Finding:
    if folder in (None, "none"):
        return Finding("cache", "note", "none: features are extracted anew each time", "--cache DIR, or GEOLOC_CACHE")
    if not Path(folder).exists():
        return Finding("cache", "ok", f"{folder} (not there yet)")
    if not (Path(folder).is_dir() and os.access(folder, os.W_OK)):
        return Finding("cache", "fault", f"{folder} is no folder that can be written to", "name another one")
    from geoloc_cli.store import Store  # which needs numpy, the first thing to be broken

    return Finding("cache", "ok", f"{folder}, {Store(folder).size_bytes() / 1e6:.0f} MB")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    text = f"{free / 1e9:.0f} GB free here; an index takes about 0.7 MB a photo"
    if free < 1e9:
        return Finding("disk", "note", text, "free some space before a large build")
    return Finding("disk", "ok", text)
