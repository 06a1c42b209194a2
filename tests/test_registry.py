"""The registry: strict options, near names, and other people's backends only when they are asked for and allowed."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path

import pytest

from geoloc_cli.builtin import BUILTIN
from geoloc_cli.errors import UnknownBackend, UsageError
from geoloc_cli.features.match import MutualNearest, MutualNearestOptions
from geoloc_cli.registry import KINDS, BackendSpec, create, find, names, parse, plugins, typed_options


@pytest.mark.parametrize("row", BUILTIN, ids=lambda row: f"{row.kind}.{row.name}")
def test_every_builtin_is_where_the_table_says(row: object) -> None:
    module, _, name = row.target.partition(":")  # type: ignore[attr-defined]
    if row.name == "torch":  # type: ignore[attr-defined]
        pytest.importorskip("torch", reason="needs torch: make test sets it up")
    loaded = importlib.import_module(module)
    assert getattr(loaded, name).name == row.name  # type: ignore[attr-defined]
    if row.options:  # type: ignore[attr-defined]
        options = getattr(loaded, row.options)()  # type: ignore[attr-defined]
        assert dataclasses.is_dataclass(options)
        options.check()
    assert row.kind in KINDS  # type: ignore[attr-defined]


def test_a_spec_from_a_line_of_text() -> None:
    assert parse("mutual-nn") == BackendSpec("mutual-nn", {})
    assert parse("cann?features=99&lists=7") == BackendSpec("cann", {"features": "99", "lists": "7"})
    matcher = create("matcher", parse("mutual-nn?max_ratio=0.7"))
    assert isinstance(matcher, MutualNearest)
    assert matcher.options == MutualNearestOptions(max_ratio=0.7)


def test_a_default_fills_an_open_option_that_the_backend_has_and_no_other() -> None:
    defaults = {"max_ratio": 0.85, "features": "sift"}
    assert create("matcher", parse("mutual-nn"), defaults).options == MutualNearestOptions(max_ratio=0.85)
    assert create("matcher", parse("mutual-nn?max_ratio=0.7"), defaults).options.max_ratio == 0.7


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("matcher", "mutual_nn", r"no matcher 'mutual_nn'; did you mean 'mutual-nn'\?"),
        ("matcher", "sift", r"no matcher 'sift'; there is mutual-nn"),
        ("matcher", "mutual-nn?ratio=0.7", r"has no option 'ratio'; did you mean 'max_ratio'\?"),
        ("matcher", "mutual-nn?max_ratio=high", "max_ratio is 'high', and should be float"),
        ("retriever", "cann?features=1.5", "features is '1.5', and should be int"),
    ],
)
def test_what_is_not_there_is_named_with_what_is_nearest(kind: str, text: str, sentence: str) -> None:
    with pytest.raises(UnknownBackend, match=sentence):
        create(kind, parse(text))


def test_values_out_of_range_are_refused_by_the_options_themselves() -> None:
    with pytest.raises(UsageError, match=r"max_ratio is 1\.5"):
        create("matcher", parse("mutual-nn?max_ratio=1.5"))


@dataclasses.dataclass(frozen=True)
class Switches:
    on: bool = False
    share: float = 0.5
    text: str = ""

    def check(self) -> None:
        pass


def test_texts_become_the_types_of_the_options() -> None:
    assert typed_options(Switches, {"on": "true", "share": "1", "text": "3"}, "x") == Switches(True, 1.0, "3")
    assert typed_options(Switches, {"on": False}, "x") == Switches()
    with pytest.raises(UnknownBackend, match="on is 'yes', and should be bool"):
        typed_options(Switches, {"on": "yes"}, "x")


def distribution(folder: Path, name: str, module: str, code: str, *points: str) -> None:
    """An installed package of one module that declares backends."""
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[geoloc.backends]\n" + "\n".join(points) + "\n")


PLUGIN = "class Oracle:\n    name = 'oracle'\n"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return tmp_path


def test_a_plugin_is_found_listed_unloaded_and_built(installed: Path) -> None:
    distribution(installed, "geoloc-oracle", "oracle_one", PLUGIN, "prior.oracle = oracle_one:Oracle")
    assert "oracle" in names("prior")
    assert [row.source for row in plugins()] == ["geoloc-oracle"]
    assert "oracle_one" not in sys.modules
    assert create("prior", parse("oracle")).name == "oracle"
    with pytest.raises(UnknownBackend, match="takes no options, and was given far"):
        create("prior", parse("oracle?far=1"))


@pytest.mark.parametrize(
    ("allowed", "found"), [(None, True), ("", False), ("other", False), ("x, geoloc-oracle", True)]
)
def test_only_allowed_packages_bring_backends(
    installed: Path, monkeypatch: pytest.MonkeyPatch, allowed: str | None, found: bool
) -> None:
    distribution(installed, "geoloc-oracle", "oracle_two", PLUGIN, "prior.oracle = oracle_two:Oracle")
    if allowed is not None:
        monkeypatch.setenv("GEOLOC_PLUGINS", allowed)
    assert ("oracle" in names("prior")) == found
    if not found:
        with pytest.raises(UnknownBackend, match="no prior 'oracle'"):
            create("prior", parse("oracle"))


def test_a_plugin_never_shadows_what_is_built_in(installed: Path) -> None:
    distribution(installed, "geoloc-evil", "evil", "raise SystemExit('loaded')", "prior.exif = evil:Oracle")
    assert find("prior", "exif").source == "geoloc"
    assert names("prior").count("exif") == 1
    assert create("prior", parse("exif")).name == "exif"


def test_two_packages_with_one_name_are_both_named(installed: Path) -> None:
    for name in ("geoloc-a", "geoloc-b"):
        module = name.replace("-", "_")
        distribution(installed, name, module, PLUGIN, f"prior.oracle = {module}:Oracle")
    with pytest.raises(UnknownBackend, match="brought by geoloc-a and geoloc-b; allow one of them in GEOLOC_PLUGINS"):
        create("prior", parse("oracle"))


def test_a_plugin_that_cannot_be_imported_is_named(installed: Path) -> None:
    distribution(installed, "geoloc-bad", "bad_one", "import no_such_thing", "prior.bad = bad_one:Oracle")
    with pytest.raises(UnknownBackend, match="'bad' of geoloc-bad cannot be imported"):
        create("prior", parse("bad"))


def test_points_that_are_none_of_our_kinds_are_passed_over(installed: Path) -> None:
    distribution(installed, "geoloc-odd", "odd", PLUGIN, "oven.hot = odd:Oracle", "prior = odd:Oracle")
    assert list(plugins()) == []
