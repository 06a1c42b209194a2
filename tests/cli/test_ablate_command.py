"""`geoloc evaluate --ablate`, on photos of the town that know where they are and lie in the index themselves."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from geoloc_cli.pipeline.ablation import PRIOR, RETRIEVAL, VERIFIED, VERIFIED_ALONE, variants

if TYPE_CHECKING:
    from conftest import SmallTown

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(town: SmallTown, tmp_path: Path) -> list[str]:
    """One of the indexed photos, a prior that is 2 km off, and an index that is given."""
    own = town.photos[4]
    (tmp_path / "names.txt").write_text(f"{Path(own.path).name}\n", encoding="utf-8")
    photos = ["--photos", str(town.folder / "photos"), "--queries", str(tmp_path / "names.txt")]
    prior = ["--prior", f"near={own.lat + 0.018},{own.lon},5km", "--index", town.index]
    kept = ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache"), "--workers", "1"]
    return ["--ablate", *photos, *prior, *kept]


def test_one_table_of_all_variants_and_its_record(call: list[str], tmp_path: Path, geoloc: Run) -> None:
    status, out, err = geoloc(*call, "--format", "json", "--quiet")
    assert (status, err) == (0, "")
    table = json.loads(out)
    assert [row["variant"] for row in table["rows"]] == variants(priors=True, pose=False)
    rows = {row["variant"]: row for row in table["rows"]}
    assert rows[PRIOR]["errors_m"] == pytest.approx([2000.0], abs=30.0)
    # A photo that found itself would be 0 m off; its neighbours in the walk are 4 m away.
    assert all(2.0 < error < 12.0 for error in rows[RETRIEVAL]["errors_m"])
    assert all(0.1 < error < 25.0 for error in rows[VERIFIED]["errors_m"] + rows[VERIFIED_ALONE]["errors_m"])
    assert rows[VERIFIED]["intervals"]["within"]["10 m"].keys() == {"value", "low", "high"}
    assert table["seconds_together"] < sum(sum(row["seconds"].values()) for row in table["rows"])
    record = json.loads((tmp_path / "out" / "ablation.json").read_text(encoding="utf-8"))
    assert (record["schema"], record["status"]) == ("geoloc.ablation/1", "finished")
    assert record["figures"] == table
    assert record["command"][:3] == ["geoloc", "evaluate", "--ablate"]


def test_an_interrupted_table_goes_on_where_it_stopped(call: list[str], tmp_path: Path, geoloc: Run) -> None:
    first = json.loads(geoloc(*call, "--format", "json", "--quiet")[1])
    record, lines = tmp_path / "out" / "ablation.json", tmp_path / "out" / "ablation.jsonl"
    assert len(lines.read_text(encoding="utf-8").splitlines()) == 1
    # As an interruption leaves it; the answer that is kept is moved, to be known again.
    record.write_text(json.dumps({**json.loads(record.read_bytes()), "status": "running"}), encoding="utf-8")
    answer = json.loads(lines.read_bytes())
    answer["ablated"]["answers"][PRIOR]["place"] = [0.0, 0.0]
    lines.write_text(json.dumps(answer) + '\n{"torn', encoding="utf-8")
    status, _, err = geoloc(*call, "--top-k", "3")
    assert (status, "an ablation by other options that was interrupted" in err) == (2, True)
    again = json.loads(geoloc(*call, "--format", "json", "--quiet")[1])
    assert again["rows"][0]["errors_m"][0] > 1e6 > first["rows"][0]["errors_m"][0]
    assert again["rows"][1:] == first["rows"][1:]
    # It is finished now, and other options begin anew.
    fresh = json.loads(geoloc(*call, "--format", "json", "--quiet", "--top-k", "3")[1])
    assert fresh["rows"][0]["errors_m"] == first["rows"][0]["errors_m"]


def test_the_table_in_the_other_formats_and_without_a_prior(call: list[str], geoloc: Run) -> None:
    status, markdown, _ = geoloc(*call, "--format", "markdown", "--confidence", "0.9")
    assert status == 0
    lines = markdown.splitlines()
    assert lines[0].startswith("| variant | photos | answered | 10 m | 25 m |")
    assert lines[2].startswith(f"| {PRIOR} | 1 | 100.0 % (27.0–100.0) | 0.0 % (0.0–73.0) |")
    assert any(line.startswith("Seconds a photo; all rows together take ") for line in lines)
    at = call.index("--prior")
    _, text, _ = geoloc(*call[:at], *call[at + 2 :], "--format", "csv", "--levels", "25m", "--top-k", "3")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["variant"] for row in rows] == [RETRIEVAL, VERIFIED]
    assert [row["within_25_m"] for row in rows] == ["1.0"] * 2
    assert float(rows[1]["seconds_verify"]) > 0.0 == float(rows[0]["seconds_verify"])


def test_a_wrong_call_is_one_sentence(call: list[str], town: SmallTown, tmp_path: Path, geoloc: Run) -> None:
    bare = [word for word in call if word not in ("--index", town.index)]
    for wrong, words in (
        ([*call, "--places"], "--places does not go with --ablate"),
        ([*call, "--rerank", "wild"], "There is no rerank 'wild'"),
        (["fixes.jsonl", "--ablate"], "--ablate is for locating photos"),
        (["--ablate", "--queries", "x", *bare[3:]], "--photos"),
    ):
        status, out, err = geoloc(*wrong)
        assert (status, out) == (2, "")
        assert words in err
    other = json.dumps({"set": {"digest": "of other photos"}})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text(other, encoding="utf-8")
    status, _, err = geoloc(*call)
    assert status == 2
    assert "holds a run of another set, or of other photographs of it; give another --out." in err
