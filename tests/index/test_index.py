"""An index from its making to its merging: what is in it, what is found in it, and who may do what meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from made import build, found, paths_in

from geoloc_cli.errors import IndexMismatch, IndexMissing, UsageError
from geoloc_cli.index import derived
from geoloc_cli.index.inspect import info, merge, rows, verify
from geoloc_cli.index.reader import Circle, Index
from geoloc_cli.index.writer import IndexWriter
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.testing.fakes import MadeExtraction, made_features, made_photo, small_describer, write_made


def test_what_went_in_comes_out(pristine: Path) -> None:
    index = pristine / "index"
    with Index.open(index) as reader:
        photos = reader.all_photos()
        assert len(reader) == len(photos) == 40
        for number, photo in enumerate(photos):
            expected = made_photo(str(pristine / "photos" / f"{number:05d}.made"))
            assert (photo.path, photo.sha256, photo.position) == (expected.path, expected.sha256, expected.position)
            local = reader.local(photo.row_id)
            assert np.array_equal(local.keypoints, expected.features.keypoints)
            assert np.array_equal(local.descriptors, expected.features.descriptors)
            assert (local.width, local.height) == (640, 480)
    assert verify(index) == verify(index)
    assert verify(index).faults == ()


def test_each_photo_finds_itself_first_and_alone_in_its_circle(pristine: Path) -> None:
    for number in (0, 13, 39):
        path, similarity = found(pristine / "index", seed=number)[0]
        assert path.endswith(f"{number:05d}.made")
        assert similarity == pytest.approx(1.0, abs=1e-4)
    with Index.open(pristine / "index") as reader:
        vector = reader.gathered().vectors[0]
        # The photos stand 10 m apart, so that a circle of 15 m about the eleventh holds it and its two neighbours.
        hits = reader.search(vector, 40, [Circle(50.0 + 10 * 9e-5, 10.0, 15.0)])
        names = sorted(Path(photo.path).stem for photo in reader.photos(hits.row_ids.tolist()))
        assert names == ["00009", "00010", "00011"]
        assert hits.looked_at_share == pytest.approx(3 / 40)


def test_building_again_does_nothing_twice(pristine: Path, index: Path) -> None:
    paths = [str(path) for path in sorted((pristine / "photos").iterdir())]
    read: list[str] = []
    report = build_index(index, paths, parallel_map=MadeExtraction(read.append), describer=small_describer())
    assert (report.added, report.replaced, report.unchanged, read) == (0, 0, 40, [])


def test_a_changed_photo_takes_its_old_selfs_place_and_a_touched_one_does_not(tmp_path: Path) -> None:
    paths = write_made(tmp_path / "photos", 12)
    build(tmp_path / "index", paths)
    Path(paths[3]).write_text('{"seed": 777, "lat": 51.0, "lon": 11.0}')
    os.utime(paths[5], (1, 1))
    report = build(tmp_path / "index", paths)
    assert (report.added, report.replaced, report.unchanged) == (0, 1, 11)
    assert sorted(paths_in(tmp_path / "index")) == paths
    with Index.open(tmp_path / "index") as reader:
        changed = next(photo for photo in reader.all_photos() if photo.path == paths[3])
        assert (changed.position.lat, changed.position.lon) == (51.0, 11.0)
    assert found(tmp_path / "index", seed=777)[0][0] == paths[3]
    assert found(tmp_path / "index", seed=3)[0][1] < 0.99
    # The touched photo's new date was noted: nothing has to be read to see that it is the same.
    assert build(tmp_path / "index", paths).unchanged == 12


def test_photos_added_later_keep_the_vocabulary(tmp_path: Path) -> None:
    paths = write_made(tmp_path / "photos", 20)
    build(tmp_path / "index", paths)
    with Index.open(tmp_path / "index") as reader:
        before = {name: array.copy() for name, array in reader.state().items()}
    old = dict(found(tmp_path / "index"))
    build(tmp_path / "index", write_made(tmp_path / "photos", 5, first=20))
    with Index.open(tmp_path / "index") as reader:
        assert all(np.array_equal(before[name], array) for name, array in reader.state().items())
    now = dict(found(tmp_path / "index"))
    assert len(now) == 25
    assert {path: now[path] for path in old} == old


def test_a_removed_photo_is_found_no_more_and_compacting_gives_its_room_back(pristine: Path, index: Path) -> None:
    everything = found(index)
    gone = [path for path, _ in everything[:10]]
    with IndexWriter(index) as writer:
        assert writer.remove([*gone, "never there"]) == ["never there"]
        writer.seal()
    assert found(index) == everything[10:]
    with IndexWriter(index) as writer:
        freed = writer.compact()
    # Ten photos of 60 keypoints: 4 x 4 bytes of keypoint and 128 of descriptor each, and as many bytes of vectors.
    assert freed == 10 * 60 * (16 + 128) + 10 * 4 * (len(vector_of(index)))
    assert found(index) == everything[10:]
    assert verify(index).faults == ()


def vector_of(index: Path) -> np.ndarray:
    with Index.open(index) as reader:
        return reader.gathered().vectors[0].copy()


def test_removing_everything_leaves_an_index_that_can_be_filled_again(pristine: Path, index: Path) -> None:
    with IndexWriter(index) as writer:
        writer.remove([path for path, _ in found(index)])
        writer.seal()
        writer.compact()
    assert found(index) == []
    assert verify(index).faults == ()
    paths = [str(path) for path in sorted((pristine / "photos").iterdir())]
    assert build(index, paths[:6]).added == 6
    assert len(found(index)) == 6


def test_merging_is_building_from_both(tmp_path: Path) -> None:
    ours, theirs = write_made(tmp_path / "photos", 10), write_made(tmp_path / "photos", 10, first=10)
    build(tmp_path / "whole", ours)
    build(tmp_path / "part", ours)
    with IndexWriter(tmp_path / "part") as writer:
        writer.remove(ours[:6])
        writer.seal()
    for folder in ("whole", "part"):
        build(tmp_path / folder, theirs[:3] if folder == "whole" else theirs)
    assert merge(tmp_path / "whole", [str(tmp_path / "part")]) == 14
    assert dict(found(tmp_path / "whole")).keys() == {*ours, *theirs}
    build(tmp_path / "expected", ours)
    build(tmp_path / "expected", theirs)
    assert dict(found(tmp_path / "whole")) == dict(found(tmp_path / "expected"))
    assert verify(tmp_path / "whole").faults == ()


def test_indexes_of_other_vocabularies_are_not_merged(pristine: Path, index: Path, tmp_path: Path) -> None:
    build(tmp_path / "other", write_made(tmp_path / "photos", 10, first=500))
    with pytest.raises(IndexMismatch, match="another vocabulary"):
        merge(index, [str(tmp_path / "other")])
    with pytest.raises(IndexMissing, match="name another"):
        merge(index, [str(index)])
    assert len(found(index)) == 40


def test_names_of_any_bytes_are_kept(tmp_path: Path) -> None:
    paths = write_made(tmp_path / "photos", 9)
    odd = [
        os.fsdecode(os.fsencode(tmp_path / "photos") + name)
        for name in (b"/a\nb.made", b"/\xff\xfe.made", b"/'\".made")
    ]
    for path, name in zip(paths, odd, strict=False):
        Path(path).rename(name)
    build(tmp_path / "index", odd + paths[3:])
    assert set(paths_in(tmp_path / "index")) == set(odd + paths[3:])
    assert {row["path"] for row in rows(tmp_path / "index")} == set(odd + paths[3:])
    with IndexWriter(tmp_path / "index") as writer:
        assert writer.remove(odd) == []


def test_info_says_what_is_there(pristine: Path) -> None:
    said = info(pristine / "index")
    assert said["photos"] == 40
    assert said["finished"]
    assert said["bounds"] == pytest.approx({"south": 50.0, "west": 10.0, "north": 50.0 + 39 * 9e-5, "east": 10.0})
    assert said["describer"] == small_describer()
    parts = ("segments", "state", "derived")
    sizes = sum(path.stat().st_size for part in parts for path in (pristine / "index" / part).iterdir())
    assert said["bytes"] == sizes


def test_an_index_is_not_made_by_looking_for_it(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing):
        IndexWriter(tmp_path / "none")
    with pytest.raises(IndexMissing):
        Index.open(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("all my work")
    with pytest.raises(IndexMissing, match=r"thesis\.tex"):
        IndexWriter(tmp_path, small_describer())
    assert (tmp_path / "thesis.tex").read_text() == "all my work"


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written to"):
        IndexWriter(tmp_path / "file", small_describer())


def test_an_unfinished_build_says_so_and_is_finished(tmp_path: Path) -> None:
    paths = write_made(tmp_path / "photos", 10)
    with IndexWriter(tmp_path / "index", small_describer()) as writer:
        writer.commit_photos([made_photo(path) for path in paths[:6]])
    assert verify(tmp_path / "index").undescribed == 6
    assert verify(tmp_path / "index").faults == ()
    with pytest.raises(IndexMissing, match="never finished"):
        found(tmp_path / "index")
    report = build(tmp_path / "index", paths)
    assert (report.added, report.unchanged) == (4, 6)
    build(tmp_path / "at once", paths)
    assert found(tmp_path / "index") == found(tmp_path / "at once")


def test_faiss_serves_large_indexes_and_is_rebuilt(
    pristine: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derived, "FAISS_FROM_ROWS", 10)
    exact = found(index)
    with IndexWriter(index) as writer:
        writer.seal()
    assert [path.name.partition("-")[2] for path in (index / "derived").glob("*.faiss")] == ["ivf.faiss"]
    with Index.open(index) as reader:
        assert reader.ordered().inverted is not None
    # Forty rows make one list, which is always looked at: the same answers.
    through_faiss = found(index)
    assert [path for path, _ in through_faiss] == [path for path, _ in exact]
    assert [s for _, s in through_faiss] == pytest.approx([s for _, s in exact], abs=1e-5)


def test_vectors_do_not_depend_on_the_order_of_the_photos(tmp_path: Path) -> None:
    paths = write_made(tmp_path / "photos", 15)
    build(tmp_path / "forwards", paths)
    build(tmp_path / "backwards", paths[::-1])
    assert dict(found(tmp_path / "forwards")) == pytest.approx(dict(found(tmp_path / "backwards")), abs=1e-6)
    assert made_features(3).keypoints.tolist() == made_features(3).keypoints.tolist()
