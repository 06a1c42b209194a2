"""Places in photographs and sidecars: what is written, what is passed over, and that all of it goes back."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from geoloc_cli.errors import NotWritable, UsageError
from geoloc_cli.export.tagging import Outcome, Tagger, TagOptions
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.writing.replacing import Journal, read_journal, restore
from geoloc_cli.types import Belief, Component, Failure, Fix, Pose

POSE = Pose(
    "town", True, (1, 0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), 271.5, 2, 0, 80, 0.7, 1.1, (1, 1, 1), (1, 1, 1), "auto"
)


def fix_of(photo: str, *, confidence: float = 0.97, radius_m: float = 12.0, pose: bool = True) -> Fix:
    place = Component(-33.8567844, -151.2152967, radius_m, 1.0)
    return Fix(
        photo=photo,
        status="ok",
        stage="pose" if pose else "rerank",
        lat=place.lat,
        lon=place.lon,
        alt_m=75.5 if pose else None,
        radius_m=radius_m,
        confidence=confidence,
        belief=Belief((place,), 0.0),
        pose=POSE if pose else None,
    )


def picture(path: Path, **more: object) -> str:
    Image.effect_noise((24, 16), 60).save(path, **more)  # type: ignore[arg-type]
    return str(path)


def with_position() -> Image.Exif:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 30.0, 0.0), 3: "E", 4: (8.0, 30.0, 0.0), 11: 2.5})
    return exif


def tagged(photo: str, **more: object) -> Outcome:
    return Tagger(TagOptions(**more)).tag(fix_of(photo))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_what_is_written_into_exif_is_what_is_read(tmp_path: Path, name: str) -> None:
    photo = picture(tmp_path / name)
    with Image.open(photo) as image:
        pixels = image.tobytes()
    said = tagged(photo, write="exif", undulation_m=48.5)
    assert (said.what, said.reason, said.target) == ("written", None, photo)
    read = read_photo(photo)
    assert read.notes == ()
    position = read.position
    assert position
    assert (position.lat, position.lon) == pytest.approx((-33.8567844, -151.2152967), abs=1e-9)
    # 75.5 m above the ellipsoid, where the sea stands 48.5 m above it; the radius of 90 % survives as that of 68 %.
    assert (position.alt_m, position.alt_datum) == (pytest.approx(27.0), "sea_level")
    assert (position.heading_deg, position.heading_ref) == (271.5, "true")
    assert position.radius_m == pytest.approx(12.0, abs=0.01)
    with Image.open(photo) as image:
        assert image.tobytes() == pixels


@pytest.mark.parametrize("write", ["exif", "sidecar"])
def test_an_altitude_counts_from_the_sea_as_egm96_says(tmp_path: Path, write: str) -> None:
    photo = picture(tmp_path / "a.jpg")
    said = tagged(photo, write=write)
    assert said.notes == ()
    assert said.tag
    # In the South Pacific the sea stands 2.6 m below the ellipsoid.
    assert said.tag.alt_m == pytest.approx(75.5 + 2.6, abs=0.05)
    if write == "exif":
        position = read_photo(photo).position
        assert position
        assert (position.alt_m, position.alt_datum) == (pytest.approx(said.tag.alt_m, abs=0.006), "sea_level")


def test_no_altitude_of_a_photo_and_no_heading_without_a_pose_is_written(tmp_path: Path) -> None:
    photo = picture(tmp_path / "a.jpg")
    said = Tagger(TagOptions(write="exif")).tag(replace(fix_of(photo), alt_m=1e8))
    assert said.notes == ("its altitude is left out: no photo is taken 1e+08 m above the ellipsoid",)
    position = read_photo(photo).position
    assert position
    assert position.alt_m is None
    plain = picture(tmp_path / "b.jpg")
    Tagger(TagOptions(write="exif")).tag(fix_of(plain, pose=False))
    position = read_photo(plain).position
    assert position
    assert (position.alt_m, position.heading_deg) == (None, None)


def test_exif_3_gets_the_number_that_means_the_sea_there(tmp_path: Path) -> None:
    for version, reference in ((b"0232", b"\x00"), (b"0300", b"\x02")):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9000] = version
        photo = picture(tmp_path / f"{version.decode()}.jpg", exif=exif)
        tagged(photo, write="exif", undulation_m=48.5)
        with Image.open(photo) as image:
            assert image.getexif().get_ifd(0x8825)[5] == reference
        position = read_photo(photo).position
        assert position
        assert (position.alt_m, position.alt_datum) == (pytest.approx(27.0), "sea_level")


@pytest.mark.parametrize("write", ["sidecar", "exif"])
def test_a_position_is_kept_unless_it_may_be_overwritten(tmp_path: Path, write: str) -> None:
    photo = picture(tmp_path / "a.jpg", exif=with_position())
    before = Path(photo).read_bytes()
    assert tagged(photo, write=write).reason == "says a position already"
    assert Path(photo).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
    assert tagged(photo, write=write, overwrite=True).what == "written"
    if write == "exif":
        with Image.open(photo) as image:
            gps = image.getexif().get_ifd(0x8825)
        assert gps[1] == "S"
        assert 11 not in gps  # the dilution of the old position went with it
        old = (47).to_bytes(4, "big") + (1).to_bytes(4, "big")
        assert old in before
        assert old not in Path(photo).read_bytes()


def test_a_sidecar_with_a_position_counts_and_wins(tmp_path: Path) -> None:
    photo = picture(tmp_path / "a.jpg")
    assert tagged(photo).target == f"{photo}.xmp"
    for write in ("sidecar", "exif"):
        assert tagged(photo, write=write).reason == "says a position already"
    said = tagged(photo, write="exif", overwrite=True)
    assert said.what == "failed"
    assert "which would win" in (said.reason or "")


def test_what_is_not_sure_is_passed_over_and_why_is_said(tmp_path: Path) -> None:
    photo = picture(tmp_path / "a.jpg")
    tagger = Tagger(TagOptions(min_confidence=0.9, max_radius_m=50.0))
    nowhere = Fix(photo, "unlocated", None, None, None, None, None, 0.1, Belief(), reason="not_in_index")
    in_a_map = Fix(photo, "ok", "pose", None, None, None, None, 0.99, Belief(), pose=POSE)
    answers = [
        fix_of(photo, confidence=0.89),
        fix_of(photo, radius_m=51.0),
        nowhere,
        in_a_map,
        Failure(photo, "not_found", "gone"),
        fix_of(photo),
        fix_of(photo),
    ]
    reasons = [outcome.reason for outcome in tagger.tag_all(answers)]
    assert reasons == [
        "less sure than --min-confidence",
        "wider than --max-radius",
        "not located",
        "its place is nowhere on the Earth",
        "not located: an error",
        None,
        "named before",
    ]


def test_a_photo_that_fails_is_an_outcome_and_the_next_is_written(tmp_path: Path) -> None:
    photo = picture(tmp_path / "a.jpg")
    names = [str(tmp_path / "gone.jpg"), "a\0b.jpg", "", str(tmp_path), photo]
    outcomes = list(Tagger(TagOptions()).tag_all(map(fix_of, names)))
    assert [outcome.what for outcome in outcomes] == [*["failed"] * 4, "written"]
    assert "gone.jpg does not exist" in (outcomes[0].reason or "")


def test_nothing_outside_of_the_root_is_touched(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    outside = picture(tmp_path / "out.jpg")
    picture(inside / "a.jpg")
    (inside / "link.jpg").symlink_to(outside)
    for name in ("../out.jpg", outside, "link.jpg"):
        said = tagged(name, root=str(inside))
        assert said.what == "failed"
        assert "is outside of --root" in (said.reason or "")
    assert tagged("a.jpg", root=str(inside)).what == "written"
    assert sorted(path.name for path in tmp_path.rglob("*.xmp")) == ["a.jpg.xmp"]


def test_a_link_stays_a_link_and_mode_and_time_of_change_are_kept(tmp_path: Path) -> None:
    photo = Path(picture(tmp_path / "a.jpg"))
    photo.chmod(0o640)
    os.utime(photo, (1_600_000_000, 1_600_000_000))
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    tagged(str(tmp_path / "link.jpg"), write="exif", keep_mtime=True, backup=True)
    assert (tmp_path / "link.jpg").is_symlink()
    assert read_photo(str(photo)).position
    assert (photo.stat().st_mode & 0o777, photo.stat().st_mtime) == (0o640, 1_600_000_000)
    assert read_photo(str(tmp_path / "a.jpg_original")).position is None
    tagged(str(photo), write="exif", overwrite=True, backup=True)
    assert photo.stat().st_mtime > 1_700_000_000
    assert read_photo(str(tmp_path / "a.jpg_original")).position is None  # the first original stays


def test_a_dry_run_says_all_and_writes_nothing(tmp_path: Path) -> None:
    photo = picture(tmp_path / "a.jpg")
    before = Path(photo).read_bytes()
    for write in ("sidecar", "exif"):
        said = tagged(photo, write=write, dry_run=True)
        assert said.what == "written"
        assert said.tag
        assert said.tag.method == "geoloc pose"
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
    assert Path(photo).read_bytes() == before


def test_a_photo_changed_after_it_was_located_is_doubted(tmp_path: Path) -> None:
    photo = picture(tmp_path / "a.jpg")
    os.utime(photo, (2000, 2000))
    assert not any("changed" in note for note in tagged(photo, dry_run=True, located_at=2001.0).notes)
    assert any("changed" in note for note in tagged(photo, dry_run=True, located_at=1999.0).notes)


def test_the_journal_puts_back_every_byte_in_any_order_of_tagging(tmp_path: Path) -> None:
    photos = [picture(tmp_path / name) for name in ("a.jpg", "b.png", "c.tif", "d.webp")]
    photos.append(picture(tmp_path / "e.jpg", exif=with_position()))
    for photo in photos:
        os.utime(photo, (1_600_000_000, 1_600_000_000))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    journal = Journal(str(tmp_path / "undo"))
    for write in ("exif", "sidecar", "exif"):
        tagger = Tagger(TagOptions(write=write, overwrite=True), journal)  # type: ignore[arg-type]
        outcomes = list(tagger.tag_all(map(fix_of, photos)))
        assert {outcome.what for outcome in outcomes} <= {"written", "failed"}
    journal.close()
    with open(tmp_path / "undo", "ab") as file:
        file.write(b'{"schema": "geoloc.undo/1", "pho')  # torn
    changes, torn = read_journal(str(tmp_path / "undo"))
    assert (len(changes), torn) == (10, 1)
    assert [restore(change, dry_run=True) for change in changes[:1]] == [True]
    assert [restore(change) for change in changes] == [True] * 10
    assert [restore(change) for change in changes] == [False] * 10
    (tmp_path / "undo").unlink()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert {path.stat().st_mtime for path in tmp_path.iterdir()} == {1_600_000_000}


def test_a_file_that_was_changed_since_is_not_put_back(tmp_path: Path) -> None:
    photo = Path(picture(tmp_path / "a.jpg"))
    journal = Journal(str(tmp_path / "undo"))
    Tagger(TagOptions(write="exif"), journal).tag(fix_of(str(photo)))
    photo.write_bytes(photo.read_bytes() + b"!")
    (change,), _ = read_journal(str(tmp_path / "undo"))
    with pytest.raises(NotWritable, match=r"a\.jpg was changed after it was tagged"):
        restore(change)
    photo.unlink()
    with pytest.raises(NotWritable, match=r"a\.jpg is gone"):
        restore(change)


@pytest.mark.parametrize("text", ["hello\n", json.dumps({"schema": "geoloc.fix/1"}) + "\n"])
def test_what_is_no_journal_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(UsageError, match="is no journal"):
        read_journal(str(tmp_path / "x"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"write": "iptc"},
        {"min_confidence": 1.5},
        {"min_confidence": float("nan")},
        {"max_radius_m": 0.0},
        {"undulation_m": 500.0},
        {"root": "no-such-folder"},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="--"):
        Tagger(TagOptions(**wrong))  # type: ignore[arg-type]
