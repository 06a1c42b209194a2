"""Which photos the user means: files, folders, patterns, lists, and names of every kind."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from geoloc_cli.errors import PhotoNotFound, UsageError
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.scan import ExcludeList, find_photos, read_exclude_list


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for name in ("b.JPG", "a.jpg", "deep/c.heic", "deep/er/d.TIFF", "notes.txt", "deep/raw.nef", "e.webp"):
        path = tmp_path / "album" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "album"


def relative(paths: object, album: Path) -> list[str]:
    return [os.path.relpath(path, album) for path in paths]  # type: ignore[attr-defined]


def test_folder_gives_its_pictures_sorted_and_by_suffix(album: Path) -> None:
    assert relative(find_photos([str(album)]), album) == ["a.jpg", "b.JPG", "e.webp", "deep/c.heic", "deep/er/d.TIFF"]


def test_names_stay_as_they_were_given_and_come_once(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(album)
    assert list(find_photos(["./a.jpg", "a.jpg", "b.JPG", "./"])) == [
        "./a.jpg",
        "b.JPG",
        "./e.webp",
        "./deep/c.heic",
        "./deep/er/d.TIFF",
    ]


def test_patterns_are_expanded_and_one_without_a_match_is_not_lost(album: Path) -> None:
    assert relative(find_photos([f"{album}/*.[jJ]*"]), album) == ["a.jpg", "b.JPG"]
    assert relative(find_photos([f"{album}/**/*.TIFF"]), album) == ["deep/er/d.TIFF"]
    assert list(find_photos([f"{album}/*.bmp"])) == [f"{album}/*.bmp"]
    (album / "odd[1].jpg").write_bytes(b"x")
    assert list(find_photos([f"{album}/odd[1].jpg"])) == [f"{album}/odd[1].jpg"]


def test_what_is_named_is_given_back_even_if_missing_or_no_picture(album: Path) -> None:
    named = [str(album / "gone.jpg"), str(album / "notes.txt")]
    assert list(find_photos(named)) == named


def test_list_on_stdin_by_line_and_by_nul(album: Path) -> None:
    lines = f"{album}/a.jpg\r\n\n{album}/gone.jpg\n{album}/deep".encode()
    found = relative(find_photos(["-"], stdin=io.BytesIO(lines)), album)
    assert found == ["a.jpg", "gone.jpg", "deep/c.heic", "deep/er/d.TIFF"]
    names = ["new\nline.jpg", "*.jpg", "tail.jpg"]
    nul = "\0".join(names).encode()
    assert list(find_photos(["-"], stdin=io.BytesIO(nul))) == names
    assert list(find_photos(["-"], stdin=io.BytesIO(nul + b"\0"))) == names


def test_stdin_is_handled_as_it_comes() -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as stream, os.fdopen(write_end, "wb", buffering=0) as writer:
        photos = find_photos(["-"], stdin=stream)
        writer.write(b"one.jpg\ntwo.")
        assert next(photos) == "one.jpg"
        writer.write(b"jpg\n")
        assert next(photos) == "two.jpg"


def test_ten_thousand_lines_arrive_whole_across_blocks() -> None:
    names = [f"{'long' * (i % 9)}/{i}.jpg" for i in range(10_000)]
    assert list(find_photos(["-"], stdin=io.BytesIO("\n".join(names).encode()))) == names


def test_links_in_a_circle_end_and_a_looping_or_dangling_file_fails_alone(album: Path) -> None:
    (album / "deep" / "up").symlink_to(album)
    (album / "self.jpg").symlink_to("self.jpg")
    (album / "dangling.jpg").symlink_to("nowhere.jpg")
    found = relative(find_photos([str(album)]), album)
    assert found == ["a.jpg", "b.JPG", "dangling.jpg", "e.webp", "self.jpg", "deep/c.heic", "deep/er/d.TIFF"]
    for name in ("self.jpg", "dangling.jpg"):
        with pytest.raises(PhotoNotFound, match=name):
            read_photo(str(album / name))


def test_folder_called_like_a_photo_is_told_and_one_with_photos_is_scanned(album: Path) -> None:
    (album / "x.jpg").mkdir()
    assert list(find_photos([str(album / "x.jpg")])) == [str(album / "x.jpg")]
    with pytest.raises(PhotoNotFound, match=r"x\.jpg is a folder"):
        read_photo(str(album / "x.jpg"))
    (album / "x.jpg" / "y.png").write_bytes(b"x")
    assert list(find_photos([str(album / "x.jpg")])) == [str(album / "x.jpg" / "y.png")]


def test_odd_names_survive(tmp_path: Path) -> None:
    names = [
        b"new\nline.jpg",
        b"quo\"te's.jpg",
        b"latin\xe9.jpg",
        b"-dash.jpg",
        " espa\u00e7o \u5199\u771f.jpg".encode(),
    ]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    found = list(find_photos([str(tmp_path)]))
    assert sorted(os.fsencode(Path(path).name) for path in found) == sorted(names)
    assert list(find_photos(["-"], stdin=io.BytesIO(b"latin\xe9.jpg\n"))) == [os.fsdecode(b"latin\xe9.jpg")]


def test_exclude_list_matches_path_relative_path_and_bare_name(album: Path, tmp_path: Path) -> None:
    lines = tmp_path / "queries.txt"
    lines.write_bytes(f"\ufeffa.jpg\r\ndeep/er/d.TIFF\n\n{album}/./b.JPG\nother/e.webp\n".encode())
    exclude = read_exclude_list(str(lines))
    assert len(exclude) == 4
    # other/e.webp names a folder, so the album's own e.webp stays.
    assert relative(find_photos([str(album)], exclude=exclude), album) == ["e.webp", "deep/c.heic"]
    assert "a.jpg" in exclude
    assert "./a.jpg" in exclude
    assert "c.heic" not in ExcludeList(frozenset({"deep/c.heic"}))
    with pytest.raises(UsageError, match=r"gone\.txt cannot be read"):
        read_exclude_list(str(tmp_path / "gone.txt"))
