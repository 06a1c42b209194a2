"""What a fresh interpreter loads before it knows what is wanted: next to nothing."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("numpy", "PIL", "faiss", "pycolmap", "h3", "torch", "rich.table", "platformdirs", "importlib.metadata")


def loaded_by(code: str) -> set[str]:
    ask = f"import sys\n{code}\nprint('MODULES', '\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("MODULES")[2].split())


def test_the_program_is_there_before_anything_heavy() -> None:
    loaded = loaded_by("import geoloc_cli.cli.app")
    assert not [name for name in HEAVY if name in loaded]
    ours = {name for name in loaded if name.startswith("geoloc_cli.") and not name.startswith("geoloc_cli.cli")}
    assert ours <= {"geoloc_cli.types", "geoloc_cli.errors"}


def test_help_loads_no_more_than_that() -> None:
    call = "sys.argv = ['geoloc', 'locate', '--help']\ntry: main()\nexcept SystemExit: pass"
    code = f"from geoloc_cli.cli.app import main\n{call}"
    assert not [name for name in HEAVY[:6] if name in loaded_by(code)]
