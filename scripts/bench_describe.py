"""Photographs described a second by a vision transformer, beside a plain loop of transformers in the same run.

    python scripts/bench_describe.py [--photos DIR] [--count 32] [--backbone dinov2-base] [--size 322] [--memory 10000]

The weights are random, which takes as long as any, and the same for all. The peer opens a photo by Pillow, prepares it
by transformers' own image processor and asks the network, one photo after the other or in batches of sixteen. Ours is
what builds and queries do: on a GPU, and in the row "ahead", one process whose threads decode what the network sees
next; in the row "workers", on a CPU, processes of one thread each, their start not counted. Goals: one and a half times
the better peer on a GPU, no less than it on a CPU. `--memory` describes that many photos, and a hundredth of them, by a
small network, each in a process of its own, and prints the peak of its memory: it must not grow with their number.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from geoloc_cli.descriptors.backbones import TOWERS
from geoloc_cli.descriptors.nets.backbones import Vit
from geoloc_cli.descriptors.vit import VitDescriptor, VitOptions
from geoloc_cli.device import available_cores, choose
from geoloc_cli.engine.local import LocalPool
from geoloc_cli.photos.scan import find_photos
from geoloc_cli.pipeline.ahead import with_looks
from geoloc_cli.pipeline.describer import build_pictures, decode_for

_GOAL = {"cpu": 1.0, "cuda": 1.5}
_TINY = {"hidden": 32, "layers": 2, "heads": 2}
Rows = NDArray[np.float32]


def write_photos(folder: Path, count: int) -> list[str]:
    """JPEGs of 1600 x 1200 random blobs with grain, which take as long to decode as a camera's."""
    paths = []
    for i in range(count):
        rng = np.random.default_rng(i)
        coarse = Image.fromarray(rng.integers(0, 255, (40, 30, 3), dtype=np.uint8)).resize((1600, 1200))
        grain = rng.integers(-12, 12, (1200, 1600, 1))
        pixels = np.clip(np.asarray(coarse, np.int16) + grain, 0, 255).astype(np.uint8)
        paths.append(str(folder / f"{i:04d}.jpg"))
        Image.fromarray(pixels).save(paths[-1], quality=90)
    return paths


def spec_of(backbone: str, size: int, folder: Path, **shape: int) -> dict[str, Any]:
    """The describer's spec of a network with random weights, which are written to the folder."""
    torch.manual_seed(0)
    options = VitOptions(backbone=backbone, size_px=size, **shape)
    weights = folder / f"{backbone}-{options.hidden}.safetensors"
    state = Vit(options.tower()).model.state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, str(weights))
    named = {"backbone": backbone, "size_px": size, "weights": str(weights), "filter": "bicubic", **shape}
    return {"descriptor": {"name": "vit", "options": named}}


def plain(spec: dict[str, Any], paths: list[str], batch: int) -> Callable[[], Rows]:
    """What a user of transformers writes."""
    descriptor = VitDescriptor(VitOptions(**spec["descriptor"]["options"]))
    tower, device = descriptor.options.tower(), choose().name
    model = Vit(tower).model
    model.load_state_dict(descriptor._network.backbone.model.state_dict())
    model.eval().to(device)
    side = descriptor.options.size_px
    processor = transformers.BitImageProcessor(
        size={"height": side, "width": side},
        do_center_crop=False,
        image_mean=list(map(float, descriptor.options.mean.split(","))),
        image_std=list(map(float, descriptor.options.std.split(","))),
    )

    def run() -> Rows:
        rows = []
        with torch.inference_mode():
            for start in range(0, len(paths), batch):
                pictures = [Image.open(path).convert("RGB") for path in paths[start : start + batch]]
                inputs = processor(pictures, return_tensors="pt").to(device)
                tokens = model(**inputs).last_hidden_state[:, 0]
                rows.append(torch.nn.functional.normalize(tokens, dim=1).cpu().numpy())
        return np.concatenate(rows)

    return run


def build_worker(spec: dict[str, Any]) -> Callable[[str], Rows]:
    """In a worker: a path -> its look."""
    pictures = build_pictures(spec)
    assert pictures is not None
    return lambda path: pictures.embed([decode_for(pictures, path)])[0]


def stages(spec: dict[str, Any], paths: list[str]) -> dict[str, float]:
    """Milliseconds a photo of decoding, preparing and the network, one after the other in one process."""
    pictures = VitDescriptor(VitOptions(**spec["descriptor"]["options"]))
    marks = [time.perf_counter()]
    decoded = [decode_for(pictures, path) for path in paths]
    marks.append(time.perf_counter())
    for picture in decoded:
        pictures._prepared(picture)
    marks.append(time.perf_counter())
    pictures.embed(decoded)
    marks.append(time.perf_counter())
    decode, prepare, both = (1000 * float(s) / len(paths) for s in np.diff(marks))
    return {"decode": decode, "prepare": prepare, "network": both - prepare}


def peak_mb(spec: dict[str, Any], paths: list[str], count: int) -> float:
    """Of a process of its own that describes `count` photos."""
    command = [sys.executable, __file__, "--child", json.dumps({"spec": spec, "paths": paths, "count": count})]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def child(asked: dict[str, Any]) -> None:
    items: Iterator[str] = islice(cycle(asked["paths"]), asked["count"])
    described = sum(look is not None for _, look in with_looks(items, str, asked["spec"], None, available_cores()))
    assert described == asked["count"]
    # Not getrusage's, which begins with what the parent held.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(float(status["VmHWM"].split()[0]) / 1024)


def timed(work: Callable[[], Rows], count: int) -> tuple[float, Rows]:
    """Photos a second of the better of two runs, and what came of it."""
    best, rows = 0.0, np.zeros((0, 0), np.float32)
    for _ in range(2):
        began = time.perf_counter()
        rows = work()
        best = max(best, count / (time.perf_counter() - began))
    return best, rows


def by_workers(spec: dict[str, Any], paths: list[str], workers: int) -> tuple[float, Rows]:
    """The same by processes, from when each has given its first."""
    rows, marks = [], []
    for look in LocalPool(workers)("bench_describe:build_worker", spec, [*paths[:workers], *paths]):
        rows.append(look)
        marks.append(time.perf_counter())
    return len(paths) / (marks[-1] - marks[workers - 1]), np.stack(rows[workers:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", metavar="DIR", help="by default made ones")
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--backbone", default="dinov2-base", choices=sorted(TOWERS))
    parser.add_argument("--size", type=int, default=322)
    parser.add_argument("--memory", type=int, default=0)
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    device, cores = choose().name, available_cores()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        found = list(find_photos([options.photos])) if options.photos else write_photos(folder, options.count)
        paths = found[: options.count]
        spec = spec_of(options.backbone, options.size, folder)
        ways: dict[str, Callable[[], Rows]] = {
            "transformers, one by one": plain(spec, paths, 1),
            "transformers, sixteen": plain(spec, paths, 16),
            "geoloc, ahead": lambda: np.stack([row for _, row in with_looks(paths, str, spec, None, cores)]),
        }
        rates, rows = {}, {}
        for name, work in ways.items():
            rates[name], rows[name] = timed(work, len(paths))
        if device == "cpu":
            rates["geoloc, workers"], rows["geoloc, workers"] = by_workers(spec, paths, cores)
        spent = stages(spec, paths)
        memory = {}
        if options.memory:
            tiny = spec_of(options.backbone, 64, folder, **_TINY)
            memory = {n: peak_mb(tiny, paths, n) for n in (options.memory // 100, options.memory)}
    machine = f"{platform.processor() or platform.machine()}, {cores} cores, {device}, torch {torch.__version__}"
    print(f"{machine}; {options.backbone} at {options.size} px, {len(paths)} photos")
    peer = max(rate for name, rate in rates.items() if name.startswith("transformers"))
    # Other resampling: the same photo all the same.
    alike = {name: float((found * rows["transformers, one by one"]).sum(axis=1).min()) for name, found in rows.items()}
    for name, rate in rates.items():
        print(f"{name:28}{rate:8.2f} photos/s{rate / peer:8.2f} of the better peer   cosine to it {alike[name]:.4f}")
    print("a photo: " + ", ".join(f"{name} {ms:.1f} ms" for name, ms in spent.items()))
    for count, peak in memory.items():
        print(f"peak of {count} photos: {peak:.0f} MB")
    ours = max(rate for name, rate in rates.items() if name.startswith("geoloc"))
    print(f"ours / better peer: {ours / peer:.2f} (goal {_GOAL[device.partition(':')[0]]})")
    report = {"machine": machine, "photos_per_s": rates, "stages_ms": spent, "peak_mb": memory, "ratio": ours / peer}
    print(json.dumps({"bench_describe": report}))


if __name__ == "__main__":
    main()
