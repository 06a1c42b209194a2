"""Files that are no photos, or not any more: each ends in one sentence, none in a traceback, a hang or a message."""

from __future__ import annotations

import os
import sys
import time
import warnings
from pathlib import Path

import pytest
from fuzz_photos import SUFFIXES, mutate, outcome_of, reencoded
from PIL import Image

from geoloc_cli.errors import NotAPhoto, PhotoError, PhotoNotFound
from geoloc_cli.photos import opening
from geoloc_cli.photos.decode import decode_gray
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.opening import open_picture, shown


def test_names_in_messages_stay_on_one_line() -> None:
    assert (
        shown("new\nline \x1b[31m" + os.fsdecode(b"latin\xe9") + " 写真.jpg")
        == "new\\nline \\x1b[31mlatin\\udce9 写真.jpg"
    )


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("empty.jpg", b"", "is empty"),
        ("text.jpg", b"Dear diary,\nthis is no photo.\n" * 20, "is not a picture that is read"),
        ("zeros.jpg", bytes(5000), "is not a picture that is read"),
        ("gif.jpg", b"GIF89a" + bytes(50), "is not a picture that is read .a GIF."),
        ("doc.png", b"%PDF-1.7\n", "a PDF"),
        ("two.jpg", b"\xff\xd8", "is not a picture"),
        ("start.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "is damaged"),
        ("padding.jpg", b"\xff\xd8\xff" + b"\xff" * 2_000_000, "is damaged .its parts are so small"),
        ("junk.jpg", b"\xff\xd8\xff\xd8" + b"\x00" * 2_000_000, "is damaged .its parts are so small"),
        ("signature.png", b"\x89PNG\r\n\x1a\n", "is damaged"),
        ("chunks.png", b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\x00abcd\x00\x00\x00\x00" * 10, "is damaged"),
        ("riff.webp", b"RIFF\x10\x00\x00\x00WEBPVP8 ", "is damaged"),
        ("offset.tif", b"II\x2a\x00\xff\xff\xff\xff", "is damaged"),
        ("loop.tif", b"II\x2a\x00\x08\x00\x00\x00" + b"\xff\xff" * 50, "is damaged"),
        ("empty.heic", b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "is damaged|pip install"),
    ],
)
def test_what_is_no_picture_is_said_in_one_sentence(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    for read in (read_photo, lambda path: decode_gray(path, max_size=64)):
        began = time.perf_counter()
        with pytest.raises(NotAPhoto, match=why) as caught:
            read(str(path))
        assert time.perf_counter() - began < 5.0
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_ending_of_the_name_does_not_matter(tmp_path: Path) -> None:
    Image.new("L", (8, 6), 9).save(tmp_path / "really.png")
    (tmp_path / "really.png").rename(tmp_path / "called.jpg")
    assert read_photo(str(tmp_path / "called.jpg")).width == 8
    assert decode_gray(str(tmp_path / "called.jpg"), max_size=8).pixels.shape == (6, 8)


def test_what_cannot_be_opened_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, why in (
        ("gone.jpg", "does not exist"),
        ("loop.jpg", "cannot be opened"),
        ("folder.jpg", "is a folder"),
        ("pipe.jpg", "is not a regular file"),
        ("gone.jpg/below.jpg", "cannot be opened|does not exist"),
        ("nul\0.jpg", "cannot be opened"),
        ("x" * 5000 + ".jpg", "cannot be opened"),
    ):
        with pytest.raises(PhotoNotFound, match=why):
            read_photo(str(tmp_path / name))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_file_that_may_not_be_read_is_told_apart(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "secret.jpg")
    (tmp_path / "secret.jpg").chmod(0)
    with pytest.raises(PhotoNotFound, match=r"may not be read; allow reading it \(chmod"):
        read_photo(str(tmp_path / "secret.jpg"))


def test_photo_that_vanishes_between_metadata_and_pixels(tmp_path: Path) -> None:
    path = tmp_path / "here.jpg"
    Image.new("L", (8, 8)).save(path)
    read_photo(str(path))
    path.unlink()
    with pytest.raises(PhotoNotFound, match=r"here\.jpg does not exist"):
        decode_gray(str(path), max_size=8)


@pytest.mark.parametrize("name", ["new\nline.jpg", "quo\"te's.jpg", os.fsdecode(b"latin\xe9.jpg"), " *?[x].jpg"])
def test_any_name_is_read_and_named_in_one_line(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    with open(path, "wb") as file:
        Image.new("L", (8, 8), 3).save(file, "JPEG")
    assert read_photo(path).path == path
    assert decode_gray(path, max_size=8).pixels.shape == (8, 8)
    os.truncate(path, 30)
    with pytest.raises(NotAPhoto) as caught:
        read_photo(path)
    assert "\n" not in str(caught.value)
    str(caught.value).encode("utf-8")  # no lone surrogate is left that a terminal could not print


def test_missing_heic_extra_names_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)  # an import of it now fails
    path = tmp_path / "a.heic"
    path.write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")
    with pytest.raises(NotAPhoto, match=r"pip install 'geoloc\[heic\]'"):
        read_photo(str(path))


def test_what_pillow_warns_of_becomes_a_note_and_stays_off_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # An EXIF directory that announces a longer text than there is.
    exif = (
        b"Exif\0\0II\x2a\x00\x08\x00\x00\x00\x01\x00\x0f\x01\x02\x00\x40\x00\x00\x00\x1a\x00\x00\x00\x00\x00\x00\x00ab"
    )
    path = tmp_path / "short.jpg"
    Image.new("L", (8, 8)).save(path, exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        photo = read_photo(str(path))
    assert len(photo.notes) == 1
    assert photo.notes[0].startswith("The file is odd: ")
    assert photo.notes[0].endswith(".")
    assert capfd.readouterr() == ("", "")


def test_errors_of_the_disk_are_not_taken_for_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("L", (8, 8)).save(path)
    with pytest.raises(PhotoNotFound, match=r"could not be read .Input/output error"), open_picture(str(path)):
        raise OSError(5, "Input/output error")
    with pytest.raises(PhotoError, match="too many pixels"), open_picture(str(path)):
        raise MemoryError


def test_whole_file_formats_are_refused_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_MAX_WHOLE_BYTES", 100)
    Image.new("L", (64, 64)).save(tmp_path / "a.webp")
    with open(tmp_path / "a.webp", "ab") as file:
        file.write(bytes(200))
    with pytest.raises(PhotoError, match="save it smaller"):
        read_photo(str(tmp_path / "a.webp"))


@pytest.mark.realdata
def test_every_real_file_is_read_or_refused_with_a_reason(realdata: Path, capfd: pytest.CaptureFixture[str]) -> None:
    refused = []
    for folder in ("exif", "immich", "exif_gps"):
        for path in sorted(p for p in (realdata / folder).rglob("*") if p.is_file()):
            try:
                photo = read_photo(str(path))
            except PhotoError as error:
                refused.append((path, str(error)))
                continue
            # Pixels are as large as the metadata says, for every one of them.
            gray = decode_gray(str(path), max_size=128)
            assert gray.pixels.shape[1] / gray.scale == pytest.approx(photo.width)
    assert all(path.name in message for path, message in refused)
    # What is refused are the texts beside the pictures (and HEIC where its extra is not installed).
    names = {path.name for path, message in refused if "geoloc[heic]" not in message}
    assert names == {"SOURCE.txt", "README", "expected_gps.csv"}
    assert capfd.readouterr() == ("", "")


@pytest.mark.realdata
def test_two_thousand_damaged_files_end_in_an_answer_or_a_photo_error(
    realdata: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sources = [
        path
        for folder in ("exif", "immich", "exif_gps")
        for path in sorted((realdata / folder).rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.stat().st_size < 60_000
    ]
    sources += reencoded(sorted((realdata / "exif_gps" / "images").glob("FujiFilm*.jpg"))[:2], tmp_path)
    kinds = {path.suffix.lower() for path in sources}
    assert {".jpg", ".png", ".webp", ".tif", ".tiff", ".heif"} <= kinds
    outcomes: dict[str, int] = {}
    path = tmp_path / "damaged.jpg"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(2000):
            path.write_bytes(mutate(sources[seed % len(sources)].read_bytes(), seed))
            began = time.perf_counter()
            outcome = outcome_of(str(path))
            assert not outcome.startswith("UNEXPECTED"), (seed, outcome)
            assert time.perf_counter() - began < 10.0, seed
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    # The damage matters (many are refused), and does not only hit the first bytes (many are still read).
    assert outcomes["read"] > 200
    assert outcomes["metadata not_a_photo"] > 200
    assert outcomes["pixels not_a_photo"] > 200
    assert capfd.readouterr() == ("", "")


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("good", "bad"), [(b"application/rdf+xml", b"application\xafrdf+xml"), (b"Exif\0", b"Exi\xe6\0")]
)
def test_heif_items_whose_type_is_no_text_do_not_bring_the_process_down(
    realdata: Path, tmp_path: Path, good: bytes, bad: bytes
) -> None:
    # Two of 200 000 damaged files ended in a segmentation fault of pi_heif 1.4; both had such an item.
    pytest.importorskip("pi_heif")
    data = (realdata / "exif" / "heic" / "samplefilehub.heif").read_bytes()
    assert data.count(good) >= 1
    path = tmp_path / "item.heif"
    path.write_bytes(data.replace(good, bad, 1))
    with pytest.raises(NotAPhoto, match="of a type that is no text"):
        read_photo(str(path))
