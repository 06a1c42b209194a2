"""The package as it is shipped: what the wheel holds, what the base install brings, what may import what."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import check_extras
import geoloc_cli
from geoloc_cli import registry

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "geoloc_cli"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAX_LINES = 350

# The files through which each heavy library is reached (COLMAP's cameras and two-view geometry, and its maps, are two
# affairs), so that a new version of it is met there.
ADAPTERS = {
    "pycolmap": {"geometry/colmap.py", "maps/colmap.py"},
    "poselib": {"pose/solve.py"},
    "faiss": {"index/faiss_file.py"},
    "h3": {"geo/cells.py"},
    "pi_heif": {"photos/heic.py"},
    "httpx": {"priors/vlm_http.py"},
    "triton": {"geometry/score_triton.py"},
    "pyarrow": {"export/parquet.py"},
}
# Batches of poses, search on a GPU and networks are in torch throughout: these are imported only where it is there.
IN_TORCH = {
    *(f"geometry/{name}.py" for name in ("p3p", "polish", "rotation", "sampling", "score", "score_triton", "up2p")),
    *(f"pose/{name}.py" for name in ("batched", "minimal", "problems", "robust", "solve_torch")),
    *(path.relative_to(PACKAGE).as_posix() for path in (PACKAGE / "descriptors" / "nets").glob("[!_]*.py")),
    "index/search_torch.py",
    "priors/geoclip_net.py",
    "priors/vlm_local_load.py",
    "priors/vlm_local_net.py",
}
# What the command line may load before it knows which command is asked for.
LIGHT = {"geoloc_cli", "geoloc_cli.types", "geoloc_cli.errors"}


def _sources() -> Iterator[Path]:
    for folder in ("geoloc_cli", "scripts", "tests"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def _imports(tree: ast.AST, *, top_level: bool) -> set[str]:
    """The modules that a file imports; at the top level, those under `if TYPE_CHECKING` do not count."""
    nodes: list[ast.AST] = list(tree.body) if top_level and isinstance(tree, ast.Module) else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            found.add(node.module or "")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return found


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _libraries() -> dict[str, set[str]]:
    """The libraries that each file of the package imports anywhere in it, by its name in the package."""
    return {
        path.relative_to(PACKAGE).as_posix(): {name.split(".")[0] for name in _imports(_parsed(path), top_level=False)}
        for path in PACKAGE.rglob("*.py")
    }


@pytest.mark.parametrize("library", sorted(ADAPTERS))
def test_a_heavy_library_is_imported_in_its_adapter_alone(library: str) -> None:
    assert {name for name, libraries in _libraries().items() if library in libraries} == ADAPTERS[library]


def test_the_command_line_loads_nothing_heavy_before_it_knows_the_command() -> None:
    for path in [PACKAGE / "types.py", PACKAGE / "errors.py", *sorted((PACKAGE / "cli").glob("*.py"))]:
        for name in _imports(_parsed(path), top_level=True):
            light = name in LIGHT or name.split(".")[0] in {*sys.stdlib_module_names, "typer"}
            sibling = path.parent.name == "cli" and name.startswith("geoloc_cli.cli")
            assert light or sibling, f"{path.relative_to(ROOT)} imports {name} at its top"


def test_help_loads_no_library_of_pictures_or_numbers() -> None:
    program = (
        "import sys; sys.argv = ['geoloc', '--help']\n"
        "import atexit, geoloc_cli.cli.app as a\n"
        "heavy = {'numpy', 'PIL', 'faiss', 'pycolmap', 'h3', 'geopy', 'sqlite3', 'torch'}\n"
        "atexit.register(lambda: print('LOADED', sorted(heavy & set(sys.modules))))\n"
        "a.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("LOADED []")
    assert "locate" in done.stdout


def test_no_module_brings_a_heavy_library_when_it_is_imported() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).as_posix() not in IN_TORCH.union(*ADAPTERS.values()) and path.name != "__main__.py"
    ]
    program = (
        f"import importlib, sys, threading\nfor name in {sorted(names)!r}: importlib.import_module(name)\n"
        "assert not {'pycolmap', 'faiss', 'pi_heif', 'torch'} & set(sys.modules), 'heavy'\n"
        "assert threading.active_count() == 1, 'a thread was started'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in _sources()}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_no_source_unpickles_evaluates_or_names_one_machine() -> None:
    unsafe = re.compile(r"\bimport pickle\b|\bpickle\.loads?\b|(?<![\w.])eval\(|(?<![\w.])exec\(|shell=True")
    unfinished = re.compile(r"\b(TODO|FIXME|XXX)\b|pragma: no cover")
    machine = re.compile(r"(?<![\w.~/:])/(work|opt|home|root|Users)/")
    texts = [*_sources(), ROOT / "README.md", ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / ".ci" / "run"]
    for path in texts:
        if path == Path(__file__).resolve():
            continue
        text = path.read_text(encoding="utf-8")
        patterns = (unfinished, machine) if path.parent.name == "tests" else (unsafe, unfinished, machine)
        for pattern in patterns:
            assert not (hit := pattern.search(text)), f"{path.relative_to(ROOT)}: {hit and hit.group()}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_the_package_its_manual_and_licence_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    info = f"geoloc-{geoloc_cli.__version__}.dist-info"
    manual = f"geoloc-{geoloc_cli.__version__}.data/data/share/man/man1/geoloc.1"
    assert {name.split("/")[0] for name in names} == {"geoloc_cli", info, manual.split("/")[0]}
    assert [name for name in names if name.endswith(".1")] == [manual]
    ours = {path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py")}
    assert ours <= names
    data = {"geoloc_cli/py.typed", "geoloc_cli/models/catalogue.toml", "geoloc_cli/priors/data/zones.tsv"}
    world = {"geoloc_cli/export/data/world.json", "geoloc_cli/export/data/LICENSE.world-atlas"}
    html = {path.relative_to(ROOT).as_posix() for path in (PACKAGE / "export" / "data").iterdir()}
    assert "geoloc_cli/export/data/LICENSE.leaflet" in html
    geoid = {f"geoloc_cli/geo/data/{name}" for name in ("egm96.z", "LICENSE.egm96")}
    assert data | world | html | geoid <= names
    licence = wheel.read(f"{info}/licenses/LICENSE").decode()
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


def test_the_wheel_asks_for_no_torch_unless_an_extra_does(wheel: zipfile.ZipFile) -> None:
    metadata = Parser().parsestr(wheel.read(f"geoloc-{geoloc_cli.__version__}.dist-info/METADATA").decode())
    assert metadata["License-Expression"] == "Apache-2.0"
    requirements = [Requirement(line) for line in metadata.get_all("Requires-Dist") or []]
    base = {r.name for r in requirements if r.marker is None}
    assert base == {Requirement(line).name for line in PROJECT["dependencies"]}
    assert not base & {"torch", "torchvision", "transformers", "kornia", "geoclip"}
    assert set(metadata.get_all("Provides-Extra") or []) == set(PROJECT["optional-dependencies"])


def test_the_installed_program_tells_its_version() -> None:
    program = Path(sys.executable).with_name("geoloc")
    done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == geoloc_cli.__version__


def test_pyproject_alone_shows_nothing_wrong_with_the_extras() -> None:
    assert check_extras.check_offline(PROJECT) == []


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (["torch>=2.6,<2.14", "torch>=2.14"], ["torch"]),
        (["huggingface-hub>=2", "huggingface-hub>=1.5,<2"], ["huggingface-hub"]),
        (["torch>=2.6,<2.14", "torch>=2.10"], []),
        (["ray>=2.50", "rich>=14"], []),
    ],
)
def test_contradicting_bounds_are_seen(lines: list[str], wrong: list[str]) -> None:
    assert check_extras.contradictions([Requirement(line) for line in lines]) == wrong


def test_all_is_every_extra_but_the_developers() -> None:
    others = set(PROJECT["optional-dependencies"]) - {"all", "dev"}
    (reference,) = [Requirement(line) for line in PROJECT["optional-dependencies"]["all"]]
    assert reference.extras == others


def test_the_makefile_and_the_project_file_agree_on_geoclip() -> None:
    (bound,) = [line for line in PROJECT["optional-dependencies"]["geoclip"] if line.startswith("geoclip")]
    assert f"'{bound}'" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_extra_that_a_message_names_exists() -> None:
    named = {row.extra for row in registry.BUILTIN if row.extra}
    for path in PACKAGE.rglob("*.py"):
        named |= set(re.findall(r"geoloc\[([a-z]+)\]", path.read_text(encoding="utf-8")))
    assert "heic" in named
    assert named <= set(PROJECT["optional-dependencies"])


def test_every_library_that_is_imported_is_declared() -> None:
    modules = {"pillow": "PIL", "faiss-cpu": "faiss", "pi-heif": "pi_heif"}
    extras = [name for name in PROJECT["optional-dependencies"] if name not in ("all", "dev")]
    declared = {r.name for names in [(), *((e,) for e in extras)] for r in check_extras.expand(PROJECT, names)}
    # Triton comes with torch where that is built for CUDA, of the version that it was built with.
    undeclared = {"geoloc_cli", "triton", *sys.stdlib_module_names}
    known = {modules.get(name, name.replace("-", "_")) for name in declared} | undeclared
    for path in PACKAGE.rglob("*.py"):
        found = {name.split(".")[0] for name in _imports(_parsed(path), top_level=False)}
        assert found <= known, path.relative_to(ROOT)
