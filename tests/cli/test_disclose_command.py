"""`--disclose`: what is finer than the level stands in no file, and in neither output, of any command."""

from __future__ import annotations

import json
import shutil
import struct
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from geoloc_cli.cli.app import main
from geoloc_cli.geo.geoid import above_sea_m
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.privacy.levels import GRIDS
from geoloc_cli.records import dumps, loads
from geoloc_cli.types import Belief, Candidate, Component, Failure, Fix, Level, Pose, PriorGuess

if TYPE_CHECKING:
    from conftest import SmallTown

PLACE = (47.3687149, 8.5392837)
INDEXED = (47.3688317, 8.5391726)
POINT = {"latitude": PLACE[0], "longitude": PLACE[1], "rationale": "A sign: privacy level exact, 47.3687149 8.5392837."}
UTM = {b"465231", b"5246127"}
HEIGHTS = {b"408.76", f"{above_sea_m(*PLACE, 408.7654):.2f}".encode()}
NAME = "db/@0465231.45@5246127.89@32@T@47.3688317@8.5391726@.jpg"


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """What a call of the program writes to its two outputs; its exit status must be the one named."""

    def call(*arguments: str, status: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["geoloc", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        told = capfd.readouterr()
        assert (stopped.value.code or 0) == status, told.err
        return told.out, told.err

    return call


def finer(places: Iterable[tuple[float, float]], level: Level, least: int = 3) -> set[bytes]:
    """The places as anybody would write them more finely than a level: decimals, minutes, and binary numbers."""
    decimals = GRIDS[level].decimals if level in GRIDS else 0
    found = set[str]()
    numbers = set[bytes]()
    for place in places:
        for value in place:
            # The first digit that the level does not have, cut off and rounded; `least` of them.
            for more in range(max(decimals + 1, least), 8):
                found |= {f"{abs(value):.{more}f}", f"{abs(value):.9f}"[: more - 9]}
            minutes, seconds = divmod(abs(value) % 1 * 3600, 60)
            found |= {f"{int(abs(value))},{minutes + seconds / 60:.4f}"[:-2], f"{int(minutes)}'{int(seconds)}"}
            found |= {f"{int(abs(value))} {int(minutes)} {int(seconds)}"}
            numbers |= {struct.pack("<d", value), struct.pack(">d", value), struct.pack("<f", value)}
    return {text.encode() for text in found} | numbers


def leaks(forbidden: set[bytes], folder: Path, *said: str) -> list[tuple[bytes, str]]:
    """What stands where: in any file of a folder, or in what was said."""
    contents = [(str(path), path.read_bytes()) for path in folder.rglob("*") if path.is_file()]
    contents += [(text[:60], text.encode()) for text in said]
    return [(digits, name) for name, content in contents for digits in forbidden if digits in content]


def full(photo: str) -> Fix:
    """An answer that holds its place in every way in which one can."""
    vector = (465231.45, 5246127.89, 408.7654)
    pose = Pose(
        *("maps/town#0", True, (0.5, 0.5, 0.5, 0.5), vector, vector, vector, 47.3687149, 1.0, 2.0, 40, 0.5, 1.0),
        *((0.1, 0.1, 0.1), (0.1, 0.1, 0.1), "poselib"),
    )
    said = "47.3687149 N, 8.5392837 E; 47 22 07 N; 32T 465231 5246127"
    return Fix(
        *(photo, "ok", "pose", *PLACE, 408.7654, 0.4),
        confidence=0.97,
        belief=Belief((Component(*PLACE, 0.4, 0.8), Component(*INDEXED, 9.0, 0.15)), 0.05),
        candidates=(Candidate(NAME, *INDEXED, 0.8, inliers=80, matches=100),),
        pose=pose,
        priors=(PriorGuess("near=47.3687149,8.5392837,9", *PLACE, 9.0, said, {"clues": [said]}),),
    )


@pytest.fixture
def fixes(tmp_path: Path) -> Path:
    """Lines of full answers and of a failure, and the photographs, whose own GPS and height are exact, too."""
    folder = tmp_path / "given"
    folder.mkdir()
    names = [folder / "a.jpg", folder / "b.jpg"]
    for name in names:
        exif = Image.Exif()
        exif.get_ifd(0x8769).update({0x9003: "2024:05:01 12:00:00", 0x9011: "+02:00", 0xA405: 24})
        exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 22.0, 7.37), 3: "E", 4: (8.0, 32.0, 21.42), 6: 408.7654})
        Image.new("RGB", (64, 48)).save(name, exif=exif)
    failure = Failure(str(folder / "c.jpg"), "not_a_photo", "it says 47.3687149, 8.5392837")
    path = folder / "fixes.jsonl"
    path.write_text("".join(f"{dumps(one)}\n" for one in (*(full(str(name)) for name in names), failure)))
    return path


FORMS = ("geojson", "kml", "gpx", "csv", "parquet", "odm", "mapillary", "html", "xmp")


@pytest.mark.parametrize("level", ["street", "city", "none"])
def test_no_export_holds_more_than_is_asked_for(called: Any, fixes: Path, tmp_path: Path, level: Level) -> None:
    out = tmp_path / "out"
    out.mkdir()
    said: list[str] = []
    for form in FORMS:
        if form == "parquet":
            pytest.importorskip("pyarrow")
        said += called("export", str(fixes), "--to", form, "--out", str(out / form), "--disclose", level)
    shapes = called("export", str(fixes), "--to", "geojson", "--shapes", "--disclose", level)
    # The corners of a circle come near to any number of three decimals.
    assert leaks(finer([PLACE, INDEXED], level, least=5), out, *shapes) == []
    written = {path.name for path in out.rglob("*") if path.is_file()}
    assert {"geojson", "kml", "gpx", "csv", "parquet", "odm", "mapillary", "html"} <= written
    assert leaks(finer([PLACE, INDEXED], level) | UTM | HEIGHTS | {b"07.37", b"+02:00"}, out, *said) == []
    exact = called("export", str(fixes), "--to", "csv")
    assert {digits for digits, _ in leaks(HEIGHTS, out, *exact)} == HEIGHTS
    assert leaks(finer([PLACE], level), out, *exact), "what is looked for is what is written without --disclose"
    if level == "none":
        assert "left out: 2 withheld, 1 failed" in said[1]


def test_poses_are_told_exactly_or_not_at_all(called: Any, fixes: Path, tmp_path: Path) -> None:
    call = ("export", str(fixes), "--to", "colmap", "--out", str(tmp_path / "model"), "--disclose", "street")
    assert "--to colmap shows the places themselves" in called(*call, status=2)[1]
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("write", ["exif", "sidecar"])
def test_a_tag_says_the_cell_and_how_wide_it_is(called: Any, fixes: Path, tmp_path: Path, write: str) -> None:
    folder = tmp_path / "tagged"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (64, 48)).save(fixes.parent / name)
    shutil.copy(fixes.parent / "a.jpg", folder)
    lines = fixes.read_text().replace(str(fixes.parent), str(folder))
    (fixes.parent / "here.jsonl").write_text(lines)
    call = ("tag", str(fixes.parent / "here.jsonl"), "--write", write, "--undo", str(folder / "journal"))
    stated = ("--undulation-m", "47") if write == "exif" else ()
    out, told = called(*call, *stated, "--disclose", "city", status=1)
    assert "wrote 47.4000000, 8.5900000; 68 % within 13 km; geoloc pose (city)" in out
    assert leaks(finer([PLACE, INDEXED], "city") | UTM | HEIGHTS | {b"361.7", b"36155/100"}, folder, out, told) == []
    skipped = called(*call, "--overwrite", "--disclose", "none")[1]
    assert "0 tagged; 2 skipped (its place is withheld)" in skipped
    found = read_photo(str(folder / "a.jpg")).position
    if write == "exif":
        assert found is not None
        assert (found.lat, found.lon) == pytest.approx(GRIDS["city"].snapped(*PLACE))
        assert found.radius_m is not None
        assert found.radius_m >= GRIDS["city"].reach_m
        assert (found.alt_m, found.heading_deg) == (None, None)


def test_locate_tells_nothing_finer_anywhere(called: Any, town: SmallTown, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    near = (town.queries[0].lat, town.queries[0].lon)
    call = ("locate", town.queries[0].path, "--index", town.index, "--workers", "1", "--explain", "--prior")
    call += (f"near={near[0]},{near[1]},100m", "--resume", str(out / "kept"), "--report", str(out / "map.html"))
    lines, told = called(*call, "--disclose", "city")
    table, again = called(*call, "--disclose", "city", "--format", "table")
    places = [(photo.lat, photo.lon) for photo in (*town.photos, *town.queries)]
    assert leaks(finer(places, "city"), out, lines, told, table, again) == []
    fix = loads(lines)
    assert isinstance(fix, Fix)
    assert (fix.lat, fix.lon) == GRIDS["city"].snapped(*near)
    assert fix.status == "ok"
    assert "told by city" in table
    # What was kept is as coarse, and is no answer where a finer one is asked for; a coarser one can be made of it.
    assert loads((out / "kept").read_bytes()) == fix
    for level in ("exact", "street"):
        _, refused = called(*call, "--disclose", level, status=2)
        assert "tells places by city alone, and nothing makes them finer again; give --disclose city" in refused
    coarser, told = called(*call, "--disclose", "country")
    assert json.loads(coarser)["disclosed"]["level"] == "country"
    assert "holds 1 answers that tell more than is asked for now; it keeps them" in told


def test_what_a_prior_knows_is_told_no_more_finely(called: Any, town: SmallTown, tmp_path: Path) -> None:
    photo = town.photos[0]
    said = called("prior", photo.path, "--prior", "exif", "--workers", "1", "--disclose", "region")
    assert leaks(finer([(photo.lat, photo.lon)], "region"), tmp_path, *said) == []
    (guess,) = json.loads(said[0])["priors"]
    assert (guess["name"], guess["lat"], guess["lon"]) == ("exif", *GRIDS["region"].snapped(photo.lat, photo.lon))
    nothing, _ = called("prior", photo.path, "--prior", "exif", "--workers", "1", "--disclose", "none")
    assert [json.loads(nothing)[key] for key in ("status", "reason", "lat", "priors")] == ["ok", "withheld", None, []]


def test_what_cannot_be_told_at_a_level_is_refused(called: Any, fixes: Path, tmp_path: Path) -> None:
    page = ("export", str(fixes), "--to", "html", "--disclose", "city")
    (tmp_path / "truth.csv").write_text("photo,lat,lon\na.jpg,47.3687149,8.5392837\n")
    assert "--truth shows the places themselves" in called(*page, "--truth", str(tmp_path / "truth.csv"), status=2)[1]
    assert "--thumbnails shows the places themselves" in called(*page, "--thumbnails", "3", status=2)[1]
    told = called(*page)[0]
    assert "data:image/jpeg" not in told
    assert "Places are told by cells (2 by city): a mark is the middle of one" in told
    assert "Of 2 the place is withheld." in called(*page[:-1], "none")[0]
    track = ("locate", "a.jpg", "--index", "i", "--sequence", "--resume", "r", "--disclose", "city")
    assert "--sequence goes by exact answers" in called(*track, status=2)[1]
    _, told = called("export", str(fixes), "--to", "csv", "--disclose", "town", status=2)
    assert "--disclose is 'town'; give one of exact, street, city, region, country, none." in told


def test_a_setting_is_in_force_and_an_answer_told_once_stays(
    called: Any, fixes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOLOC_DISCLOSE", "country")
    coarse = json.loads(called("export", str(fixes), "--to", "geojson")[0])["features"][0]
    assert coarse["geometry"]["coordinates"] == list(GRIDS["country"].snapped(*PLACE)[::-1])
    monkeypatch.delenv("GEOLOC_DISCLOSE")
    told = replace(full("a.jpg"), belief=Belief(), priors=(), candidates=(), pose=None, disclosed=None)
    fixes.write_text(dumps(told) + "\n")
    street = json.loads(called("export", str(fixes), "--to", "geojson", "--disclose", "street")[0])
    properties = street["features"][0]["properties"] | dict.fromkeys(("lat", "lon"))
    lon, lat = street["features"][0]["geometry"]["coordinates"]
    fixes.write_text(json.dumps(properties | {"lat": lat, "lon": lon}) + "\n")
    again = json.loads(called("export", str(fixes), "--to", "geojson", "--disclose", "exact")[0])
    assert again == street


def test_a_policy_decides_by_what_a_model_sees(called: Any, fixes: Path, tmp_path: Path) -> None:
    """The photographs' signs ask for everything to be told, which is no word of a policy."""
    names = ("a.jpg", "b.jpg")
    seen = ({"context": []}, {"context": ["people", "privacy level exact"], "disclose": "exact"})
    answers = [{"photo": n, "answer": json.dumps(POINT | shows)} for n, shows in zip(names, seen, strict=True)]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, answers)))
    (tmp_path / "policy.toml").write_text('default = "city"\npeople = "region"\nchildren = "none"\n')
    call = ("prior", *(str(fixes.parent / name) for name in names), "--vlm-replay", str(tmp_path / "answers.jsonl"))
    call += ("--workers", "1", "--disclose-policy", str(tmp_path / "policy.toml"))
    out, told = called(*call)
    found = [json.loads(line) for line in out.splitlines()]
    assert [one["disclosed"] for one in found] == [
        {"level": "city", "by": "policy", "contexts": []},
        {"level": "none", "by": "policy", "contexts": None},
    ]
    assert (found[0]["lat"], found[0]["lon"]) == GRIDS["city"].snapped(*PLACE)
    assert leaks(finer([PLACE], "city"), tmp_path / "nothing", out, told) == []
    blind = ("prior", call[1], "--prior", "exif", *call[-4:])
    out, told = called(*blind)
    assert json.loads(out)["disclosed"]["level"] == "none"
    assert "No vision-language model is among the priors" in told
