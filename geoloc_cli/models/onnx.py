"""Networks as ONNX files of this machine, run by onnxruntime: found, pinned and hashed as other weights are."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoloc_cli.errors import WeightsMismatch
from geoloc_cli.models.weights import imported, read_pinned

EXTRA = "onnx"


@dataclass(frozen=True, slots=True)
class Network:
    """An onnxruntime session, the file it came from, and the file's SHA-256."""

    path: Path
    sha256: str
    session: Any


def open_network(given: str, sha256: str, usual_name: str, owner: str) -> Network:
    """The network of an ONNX file (as `weights.load_weights` finds one), on the CPU.

    Raises MissingExtra without onnxruntime, WeightsMissing where there is no such file, and WeightsMismatch where it is
    another or no network.
    """
    imported("onnxruntime", owner, EXTRA)
    path, data, digest = read_pinned(given, sha256, usual_name, owner)
    return Network(path, digest, read_network(path, data, owner))


def load_network(
    given: str, sha256: str, usual_name: str, owner: str, *, takes: Collection[str], gives: Collection[str]
) -> Network:
    """As `open_network`, one that has these inputs and outputs; WeightsMismatch where it has others."""
    network = open_network(given, sha256, usual_name, owner)
    session = network.session
    found = {entry.name for entry in session.get_inputs()}, {entry.name for entry in session.get_outputs()}
    if found != (set(takes), set(gives)):
        raise WeightsMismatch(
            f"{owner}: {network.path} is another network (it takes {', '.join(sorted(found[0]))} and gives "
            f"{', '.join(sorted(found[1]))}); give the file of this one."
        )
    return network


def read_network(path: Path, data: bytes, owner: str) -> Any:
    """A session of the network that a file's bytes hold. Raises WeightsMismatch where they hold none."""
    runtime = imported("onnxruntime", owner, EXTRA)
    options = runtime.SessionOptions()
    # As many threads as a pool of processes leaves to this one (`engine/local.py`); 0: one for each core.
    threads = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(threads) if threads.isdecimal() else 0
    options.log_severity_level = 4
    try:
        return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a damaged file makes the reader raise half a dozen types of its own
        raise WeightsMismatch(f"{owner}: {path} cannot be read as a network; give an ONNX file.") from error
