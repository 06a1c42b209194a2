"""`geoloc check`: claims about photos in, verdicts out."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import typer

from geoloc_cli.cli import options, talk
from geoloc_cli.cli.disclosing import DISCLOSE, discloser
from geoloc_cli.cli.progress import bar
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import EXIT_CONTRADICTED, EXIT_SOME_FAILED, EXIT_UNDECIDED, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from geoloc_cli.claims.check import Asked, Checked, CheckOptions, Unchecked
    from geoloc_cli.engine.local import LocalPool


def check(
    photos: list[str] = typer.Argument(
        None, metavar="[PHOTOS...]", help="Files, folders (searched through), patterns, or - for one path a line."
    ),
    claim: str = typer.Option(
        None, "--claim", metavar="LAT,LON,RADIUS", help="They are said to be of here (metres, or 2km)."
    ),
    claim_region: str = typer.Option(
        None, "--claim-region", metavar="FILE", help="They are said to be of inside the polygons of this GeoJSON file."
    ),
    claim_time: str = typer.Option(
        None, "--claim-time", metavar="TIME", help="And of then, as in 2024-06-01T14:00+02:00."
    ),
    claims: str = typer.Option(
        None,
        "--claims",
        metavar="FILE",
        help="Claims of many photos: CSV with path (from its folder), lat, lon, radius and time.",
    ),
    index: str = options.SEARCHED,
    map: str = options.MAP,
    pose: bool = options.POSE,
    prior: list[str] = typer.Option(
        [],
        "--prior",
        metavar="NAME[?KEY=VALUE&...]",
        help="Ask this prior about the picture, too, as in geoclip or ocr (`geoloc backends`); may be given several "
        "times.",
    ),
    elsewhere: str = typer.Option(
        "scales",
        "--elsewhere",
        metavar="scales|world|index",
        help="What a false claim would mean: each power of ten of the distance is as likely, each square metre of the "
        "Earth, or each place of the index.",
    ),
    disclose: str = DISCLOSE,
    strictness: str = typer.Option(
        "usual",
        "--strictness",
        metavar="lenient|usual|strict",
        help="It takes a likelihood ratio of 10, 100 or 1000, or one over it, to decide.",
    ),
    retriever: str = options.RETRIEVER,
    matcher: str = options.MATCHER,
    solver: str = options.SOLVER,
    top_k: int = options.TOP_K,
    camera: str = options.CAMERA,
    focal_px: float = options.FOCAL_PX,
    fov_deg: float = options.FOV_DEG,
    pack: str = typer.Option(
        None, "--pack", metavar="DIR", help="Write all that the verdicts rest on into this folder, for others to weigh."
    ),
    include_photo: bool = typer.Option(False, "--include-photo", help="With --pack: copies of the photos, too."),
    again: str = typer.Option(
        None, "--again", metavar="DIR", help="Weigh the claims of a pack again, and say whether all comes out the same."
    ),
    photo: list[str] = typer.Option(
        [], "--photo", metavar="PHOTO", help="With --again: where its photos are now, known by what they hold."
    ),
    tolerance: float = typer.Option(
        1e-3, "--tolerance", min=0.0, help="With --again: by how much numbers may differ, as a share."
    ),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a claim instead of sentences."),
    exit_code: bool = typer.Option(
        False, "--exit-code", help="Exit with 20 where a claim is contradicted, else with 21 where one is undecided."
    ),
    cache: str = options.CACHE,
    offline: bool = options.OFFLINE,
    workers: int = options.WORKERS,
    quiet: bool = options.QUIET,
) -> None:
    """Weigh where photos are said to have been taken against what they show.

    The answer is supported, contradicted or undecided, with the likelihood ratio and what each piece of evidence adds
    to it. What a photo's file says can withhold a verdict and never makes one.
    """
    from geoloc_cli.claims.check import CheckOptions, check_claims
    from geoloc_cli.claims.pack import check_target, write_pack
    from geoloc_cli.engine.local import LocalPool

    if not discloser(disclose).all_is_told:
        raise UsageError("Claims are weighed by exact places, and the answer tells of them; give --disclose exact.")
    if again:
        asked_too = {
            "--claim": claim,
            "--claim-region": claim_region,
            "--claim-time": claim_time,
            "--claims": claims,
            "--pack": pack,
            "--include-photo": include_photo,
            "--exit-code": exit_code,
        }
        for option in (name for name, given in asked_too.items() if given):
            raise UsageError(f"--again weighs the claims of a pack and compares; leave out {option}.")
        _again(again, photos or photo, index or map, prior, LocalPool(workers), cache, tolerance, as_json)
        return
    if include_photo and pack is None:
        raise UsageError("--include-photo is of a pack; name its folder with --pack DIR.")
    asked = _asked(photos or [], claim, claim_region, claim_time, claims)
    chosen = CheckOptions(
        index=index,
        map=map,
        pose=pose,
        priors=tuple(prior),
        top_k=top_k,
        retriever=retriever,
        matcher=matcher,
        solver=solver,
        camera=camera,
        focal_px=focal_px,
        fov_deg=fov_deg,
        elsewhere=elsewhere,  # type: ignore[arg-type]  # checked by it
        strictness=strictness,
    )
    if pack is not None:
        check_target(pack)
    done: list[Checked | Unchecked] = []
    try:
        with bar(len(asked), quiet) as shown:
            for one in check_claims(asked, chosen, LocalPool(workers), cache):
                shown.step("locating", 1)
                done.append(one)
                if as_json:
                    _line(one, chosen)
    finally:  # interrupted, too: what is weighed is told
        for one in () if as_json else done:
            _tell(one, chosen)
    if pack is not None:
        write_pack(pack, done, chosen, ["geoloc", *sys.argv[1:]], include_photos=include_photo)
    _end(done, exit_code)


def _again(
    folder: str,
    photos: list[str],
    index: str | None,
    priors: list[str],
    pool: LocalPool,
    cache: str | None,
    tolerance: float,
    as_json: bool,
) -> None:
    from dataclasses import asdict

    from geoloc_cli.claims.again import read_pack, repeat

    found = repeat(read_pack(folder), pool, photos and options.photos_of(photos, None), index, priors, cache, tolerance)
    if as_json:
        typer.echo(json.dumps({"equal": found.equal, **asdict(found)}))
    else:
        for sentence in found.sentences():
            typer.echo(printable(sentence))
    if not found.equal:
        raise typer.Exit(EXIT_SOME_FAILED)


def _asked(
    photos: list[str], claim: str | None, region: str | None, time: str | None, claims: str | None
) -> list[Asked | Unchecked]:
    from geoloc_cli.claims.asked import claim_of, read_claims

    if claims is not None:
        if photos or claim is not None or region is not None or time is not None:
            raise UsageError("--claims FILE names the photos and their claims; give no others beside it.")
        return list(read_claims(claims))
    stated = claim_of(claim, region, time)
    paths = options.photos_of(photos, None)
    if not photos:
        raise UsageError("Name the photos that the claim is of, or give --claims FILE.")
    if not paths:
        raise UsageError(f"No photos were found in {', '.join(photos)}.")
    return [(path, stated) for path in paths]


def _line(one: Checked | Unchecked, chosen: CheckOptions) -> None:
    from geoloc_cli.claims.record import to_json

    sys.stdout.write(json.dumps(to_json(one, chosen), allow_nan=False) + "\n")
    sys.stdout.flush()


def _tell(one: Checked | Unchecked, chosen: CheckOptions) -> None:
    from geoloc_cli.claims.check import Unchecked
    from geoloc_cli.claims.record import statement

    if isinstance(one, Unchecked):
        typer.echo(f"{printable(one.failure.photo)}\n  Failed: {printable(one.failure.message)}\n")
    else:
        typer.echo(_folded([printable(one.photo), *(f"  {printable(said)}" for said in statement(one, chosen))]))


def _folded(lines: Iterable[str]) -> str:
    """Sentences as wide as the terminal, those of one photo together."""
    import shutil
    import textwrap

    width = max(40, min(shutil.get_terminal_size((100, 24)).columns, 110))
    kept = [textwrap.fill(line, width, subsequent_indent="    ", break_on_hyphens=False) for line in lines]
    return "\n".join(kept) + "\n"


def _end(done: list[Checked | Unchecked], exit_code: bool) -> None:
    from collections import Counter

    from geoloc_cli.claims.check import Checked

    counts = Counter(one.verdict.answer if isinstance(one, Checked) else "failed" for one in done)
    said = ", ".join(f"{counts[name]} {name}" for name in ("supported", "contradicted", "undecided", "failed"))
    talk.say(f"{len(done)} claim{'' if len(done) == 1 else 's'}: {said}.", name="summary", data=dict(counts))
    if counts["failed"]:
        raise typer.Exit(EXIT_SOME_FAILED)
    if exit_code and counts["contradicted"]:
        raise typer.Exit(EXIT_CONTRADICTED)
    if exit_code and counts["undecided"]:
        raise typer.Exit(EXIT_UNDECIDED)
