"""The device: the best that is there, and a sentence where it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from geoloc_cli.device import Device, choose
from geoloc_cli.errors import ConfigError

# A torch of a few lines, so that every kind of machine can be tested on one that has none.
_TORCH = """
class cuda:
    is_available = staticmethod(lambda: {cuda} > 0)
    device_count = staticmethod(lambda: {cuda})
    is_bf16_supported = staticmethod(lambda: {bf16})
class backends:
    class mps:
        is_available = staticmethod(lambda: {mps})
"""


@pytest.mark.parametrize(
    ("torch", "wanted", "expected"),
    [
        (None, "auto", "cpu float32"),
        (None, "cpu", "cpu float32"),
        (None, "cuda", "needs torch; run `pip install 'geoloc[torch]'`"),
        ((0, False, False), "auto", "cpu float32"),
        ((0, False, False), "cuda", "There is no device 'cuda' here; there is cpu."),
        ((2, True, False), "auto", "cuda:0 bfloat16"),
        ((2, True, False), "cuda:1", "cuda:1 bfloat16"),
        ((2, False, False), "cuda", "cuda:0 float16"),
        ((2, True, False), "cuda:2", "There is no device 'cuda:2' here; there is cuda:0, cuda:1, cpu."),
        ((2, True, False), "cpu", "cpu float32"),
        ((0, False, True), "auto", "mps float16"),
    ],
)
def test_every_kind_of_machine(
    tmp_path: Path, torch: tuple[int, bool, bool] | None, wanted: str, expected: str
) -> None:
    if torch is None and _has_torch():
        pytest.skip("torch is installed here")
    if torch is not None:
        (tmp_path / "torch.py").write_text(_TORCH.format(cuda=torch[0], bf16=torch[1], mps=torch[2]))
    ask = "import sys; from geoloc_cli.device import choose; d = choose(sys.argv[1]); print(d.name, d.dtype)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", ask, wanted], capture_output=True, text=True, env=environment, check=False
    )
    assert expected in (done.stdout if done.returncode == 0 else done.stderr)
    assert (done.returncode == 0) == (" float" in expected or " bfloat" in expected)


def _has_torch() -> bool:
    import importlib.util

    return importlib.util.find_spec("torch") is not None


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="'abacus'"):
        choose("abacus")
    assert choose("cpu") == Device("cpu", "float32")
