"""`geoloc check` over a rendered street: verdicts, tables of claims, exit statuses, and sentences for wrong calls."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from geoloc_cli.cli.app import main
from geoloc_cli.geo.earth import destination

if TYPE_CHECKING:
    from conftest import SmallTown

    from geoloc_cli.testing.photos import TruePhoto


# Candidates, so that each photo is compared with no more than it takes.
_FEW = ("--top-k", "4")


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Arguments of `geoloc check` -> exit status, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["geoloc", "check", *arguments, "--workers", "1", *_FEW])
        with pytest.raises(SystemExit) as done:
            main()
        return int(done.value.code or 0), *capsys.readouterr()

    return run


def claim(photo: TruePhoto, away_m: float, radius: str = "60m") -> str:
    lat, lon = destination(photo.lat, photo.lon, 80.0, away_m)
    return f"{float(lat):.7f},{float(lon):.7f},{radius}"


def test_a_table_of_claims_gives_each_its_verdict_and_bad_rows_cost_only_themselves(
    town: SmallTown, tmp_path: Path, check: Any
) -> None:
    seen, stranger = town.queries[0], town.strangers[0]
    shutil.copy(seen.path, tmp_path / "seen.jpg")
    shutil.copy(stranger.path, tmp_path / "stranger.jpg")
    shutil.copy(town.photos[3].path, tmp_path / "indexed.jpg")
    rows = [
        "path,lat,lon,radius,time",
        f"seen.jpg,{claim(seen, 5.0)},",
        f"seen.jpg,{claim(seen, 3000.0)},2024-06-01T14:00+02:00",
        f"stranger.jpg,{claim(seen, 0.0)},",
        "seen.jpg,139.69,35.68,50m,",
        "seen.jpg,47,x,50m,",
        "missing.jpg,47,8,50m,",
        f"indexed.jpg,{claim(town.photos[3], 5.0, '200m')},",
    ]
    # As a spreadsheet writes it where commas are decimal.
    (tmp_path / "claims.csv").write_text("\n".join(rows).replace(",", ";") + "\n")
    status, out, err = check("--claims", str(tmp_path / "claims.csv"), "--index", town.index, "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert [one["verdict"] for one in found] == [
        "supported",
        "contradicted",
        "undecided",
        None,
        None,
        None,
        "supported",
    ]
    assert [one["error"]["code"] for one in found[3:6]] == ["bad_claim", "bad_claim", "not_found"]
    assert "exchanged" in found[3]["error"]["message"]
    assert len({tuple(one) for one in found}) == 1
    assert status == 1
    assert "7 claims: 2 supported, 1 contradicted, 1 undecided, 3 failed" in err
    true, false, silent, *_, itself = found
    assert any("no witness of itself" in said for said in itself["remarks"])
    assert town.photos[3].path not in {match["photo"] for match in itself["matches"]}
    assert true["log10_lr"] > 2.0 > -2.0 > false["log10_lr"]
    assert true["matches"][0]["inliers"] == max(c["inliers"] or 0 for c in true["fix"]["candidates"])
    assert [piece["name"] for piece in silent["evidence"] if piece["family"] == "picture"] == ["silence"]
    assert "pose" not in json.dumps([true["statement"], true["ran"], true["evidence"]])


def test_exit_statuses_tell_a_shell_the_verdict_where_it_asks(town: SmallTown, check: Any) -> None:
    photo = town.queries[0]
    call = (photo.path, "--claim", claim(photo, 3000.0), "--quiet")
    assert check(*call, "--index", town.index, "--exit-code")[0] == 20
    assert check(*call, "--exit-code")[0] == 21
    status, out, err = check(*call)
    assert (status, err) == (0, "")
    assert "Undecided" in out


def test_a_pack_of_a_drawn_region_is_weighed_again_from_the_command_line(
    town: SmallTown, tmp_path: Path, check: Any
) -> None:
    photo, pack = town.queries[0], str(tmp_path / "evidence")
    lat, lon = photo.lat, photo.lon
    ring = [[lon - 0.01, lat - 0.01], [lon + 0.01, lat - 0.01], [lon, lat + 0.01], [lon - 0.01, lat - 0.01]]
    (tmp_path / "field.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    status, out, _ = check(photo.path, "--claim-region", str(tmp_path / "field.geojson"), "--pack", pack)
    assert status == 0
    assert "in the region of field.geojson" in out
    (tmp_path / "field.geojson").unlink()
    status, out, _ = check("--again", pack)
    assert (status, "The verdict is the same." in out) == (0, True)
    (tmp_path / "evidence" / "README.md").write_text("Supported!")
    status, out, _ = check("--again", pack, "--json")
    assert (status, json.loads(out)["changed"]) == (1, ["README.md"])
    assert check(photo.path, "--claim", "47,8,1km", "--pack", str(tmp_path))[0] == 2
    # It is asked before any photo is: a file in the way, as a folder without rights.
    (tmp_path / "file").touch()
    status, out, err = check("gone.jpg", "--claim", "47,8,1km", "--pack", str(tmp_path / "file" / "pack"))
    assert (status, out, "cannot be written into" in err) == (2, "", True)


def test_what_was_weighed_before_an_interruption_is_told(
    town: SmallTown, check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two(*arguments: Any) -> Any:
        yield from weighing(*arguments)
        raise KeyboardInterrupt

    from geoloc_cli.claims import check as claims

    weighing = claims.check_claims
    monkeypatch.setattr(claims, "check_claims", two)
    status, out, err = check(town.queries[0].path, "--claim", "47,8,50m")
    assert (status, "Claim: taken within 50 m of 47.00000, 8.00000." in out) == (130, True)
    assert "what was finished is kept" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--claim", "47,8,50m"], "Name the photos"),
        (["a.jpg"], "--claim LAT,LON,RADIUS or --claim-region"),
        (["a.jpg", "--claim", "8.5,147.4"], "give LAT,LON,RADIUS"),
        (["a.jpg", "--claim", "147.4,8.5,50m"], "exchanged"),
        (["a.jpg", "--claim", "47,8,50m", "--claim-time", "noon"], "2024-06-01T14:00"),
        (["a.jpg", "--claim", "47,8,50m", "--strictness", "harsh"], "lenient"),
        (["a.jpg", "--claim", "47,8,50m", "--elsewhere", "index"], "asks for an index"),
        (["a.jpg", "--claim", "47,8,50m", "--disclose", "city"], "give --disclose exact"),
        (["a.jpg", "--claim", "47,8,50m", "--prior", "exif"], "weighed by itself"),
        (["--again", "pack", "--claim", "47,8,50m"], "leave out --claim."),
        (["--again", "pack", "--exit-code"], "leave out --exit-code."),
    ],
)
def test_a_wrong_call_is_one_sentence(arguments: list[str], said: str, check: Any) -> None:
    status, out, err = check(*arguments)
    assert (status, out) == (2, "")
    assert said in err
