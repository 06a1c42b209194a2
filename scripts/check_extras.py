"""Whether the base install, each extra and each pair of extras can be installed, asked of a real resolver.

    python scripts/check_extras.py             resolve them all against the configured package index, with their sizes
    python scripts/check_extras.py --offline   only what pyproject.toml alone tells: names, bounds, no torch in the base

Prints a table and one JSON line; exit status 1 when something does not resolve. The resolver is uv: the one on PATH, or
one that pip fetches into a temporary folder. It is given pip's settings from the environment (PIP_INDEX_URL,
PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, PIP_CERT), so that it sees what `pip install` would see.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
EXPECTED = ("torch", "geoclip", "onnx", "vlm", "gazetteer", "ocr", "gpu", "heic", "ray", "arrow", "all", "dev")
# pip's variable, and uv's of the same meaning.
SETTINGS = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_CERT": "SSL_CERT_FILE",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the resolver said of one set of extras; `megabytes` (1e6 bytes) is None where a wheel's size is unknown."""

    extras: tuple[str, ...]
    resolved: bool
    packages: int
    megabytes: float | None
    reason: str

    @property
    def name(self) -> str:
        return " + ".join(self.extras) or "(base)"


def expand(project: dict[str, Any], extras: tuple[str, ...]) -> list[Requirement]:
    """The requirements of the base and these extras, references of an extra to others followed."""
    table: dict[str, list[str]] = project["optional-dependencies"]
    found: dict[str, Requirement] = {}
    seen: set[str] = set()

    def add(lines: list[str]) -> None:
        for line in lines:
            requirement = Requirement(line)
            if canonicalize_name(requirement.name) != project["name"]:
                found[str(requirement)] = requirement
                continue
            for extra in requirement.extras - seen:
                seen.add(extra)
                add(table[extra])

    add(project["dependencies"])
    for extra in extras:
        add(table[extra])
    return list(found.values())


def combinations(project: dict[str, Any]) -> list[tuple[str, ...]]:
    names = sorted(project["optional-dependencies"])
    return [(), *((name,) for name in names), *itertools.combinations(names, 2)]


def contradictions(requirements: list[Requirement]) -> list[str]:
    """Packages asked for within bounds that exclude each other: none of the lower bounds lies within all the others."""
    wrong = []
    for name, group in itertools.groupby(sorted(requirements, key=lambda r: r.name), key=lambda r: r.name):
        bounds = [spec for requirement in group for spec in requirement.specifier]
        lowest = max((Version(s.version) for s in bounds if s.operator in (">=", "==", "~=")), default=None)
        if lowest is not None and not all(spec.contains(lowest) for spec in bounds):
            wrong.append(name)
    return wrong


def check_offline(project: dict[str, Any]) -> list[str]:
    """What pyproject.toml alone can tell to be wrong, one sentence each."""
    problems = []
    if missing := set(EXPECTED) - set(project["optional-dependencies"]):
        problems.append(f"the extras {', '.join(sorted(missing))} are missing")
    for requirement in expand(project, ()):
        if canonicalize_name(requirement.name).startswith(("torch", "nvidia", "triton", "transformers")):
            problems.append(f"the base install would bring {requirement.name}")
    for extra in project["optional-dependencies"]:
        for requirement in expand(project, (extra,)):
            if not any(spec.operator in (">=", "==", "~=") for spec in requirement.specifier):
                problems.append(f"{requirement.name} in the extra {extra} has no lower bound")
    for extras in combinations(project):
        for name in contradictions(expand(project, extras)):
            problems.append(f"the bounds of {name} contradict each other in {' + '.join(extras)}")
    return problems


def find_uv(folder: Path) -> list[str]:
    """The command that runs uv; fetched into `folder` with pip where it is not on PATH."""
    if found := shutil.which("uv"):
        return [found]
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), "uv"], check=True)
    return [str(folder / "bin" / "uv")]


def uv_environment() -> dict[str, str]:
    environment = dict(os.environ)
    for ours, theirs in SETTINGS.items():
        if value := os.environ.get(ours):
            environment.setdefault(theirs, value)
    return environment


def wheel_size(url: str) -> int | None:
    """The size in bytes of a wheel, from the file system or from a HEAD request; None where the server does not say."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "file":
        return Path(urllib.parse.unquote(parts.path)).stat().st_size
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=30) as reply:
            return int(reply.headers["Content-Length"])
    except (OSError, TypeError, ValueError):
        return None


def chosen_urls(lock: dict[str, Any]) -> list[str]:
    """For each package that is locked for this platform, the wheel that pip would take here, or else its sdist."""
    rank = {tag: number for number, tag in enumerate(sys_tags())}
    urls = []
    for package in lock.get("packages", []):
        best = (len(rank), package.get("sdist", {}).get("url", ""))
        for wheel in package.get("wheels", []):
            file_name = urllib.parse.unquote(wheel["url"].rpartition("/")[2])
            for tag in parse_wheel_filename(file_name)[3]:
                best = min(best, (rank.get(tag, len(rank)), wheel["url"]))
        urls.append(best[1])
    return urls


def resolve(uv: list[str], requirements: list[Requirement], python: str) -> tuple[list[str], str]:
    """The wheels that satisfy these requirements, and "" or the resolver's reason why there are none."""
    command = [*uv, "pip", "compile", "-q", "--format", "pylock.toml", "--no-header", "--python-version", python]
    # pip takes the best version of all indexes, uv by default that of the first one which has the package.
    command += ["--index-strategy", "unsafe-best-match", "-"]
    lines = "\n".join(str(requirement) for requirement in requirements)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, env=uv_environment(), check=False)
    if done.returncode:
        return [], " ".join(done.stderr.split())[:300]
    return chosen_urls(tomllib.loads(done.stdout)), ""


def check_all(project: dict[str, Any], python: str, with_sizes: bool) -> list[Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        uv = find_uv(Path(folder))
        answers = {extras: resolve(uv, expand(project, extras), python) for extras in combinations(project)}
    urls = sorted({url for found, _ in answers.values() for url in found})
    sizes: dict[str, int | None] = {}
    if with_sizes:
        with ThreadPoolExecutor(8) as pool:
            sizes = dict(zip(urls, pool.map(wheel_size, urls), strict=True))
    outcomes = []
    for extras, (found, reason) in answers.items():
        known = [size for url in found if (size := sizes.get(url)) is not None]
        megabytes = round(sum(known) / 1e6, 1) if found and len(known) == len(found) else None
        outcomes.append(Outcome(extras, not reason, len(found), megabytes, reason))
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--offline", action="store_true", help="ask no resolver")
    parser.add_argument("--no-sizes", action="store_true", help="do not ask for the sizes of the wheels")
    parser.add_argument("--python", default=f"{sys.version_info.major}.{sys.version_info.minor}", help="e.g. 3.13")
    options = parser.parse_args()
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]

    problems = check_offline(project)
    for problem in problems:
        print(f"check_extras: {problem}", file=sys.stderr)
    if options.offline or problems:
        return 1 if problems else 0

    started = time.perf_counter()
    outcomes = check_all(project, options.python, not options.no_sizes)
    print(f"{'extras':<20} {'resolved':<9} {'packages':>8} {'MB':>8}")
    for outcome in outcomes:
        size = "?" if outcome.megabytes is None else f"{outcome.megabytes:.1f}"
        print(f"{outcome.name:<20} {'yes' if outcome.resolved else 'NO':<9} {outcome.packages:>8} {size:>8}")
        if outcome.reason:
            print(f"    {outcome.reason}")
    failed = [outcome.name for outcome in outcomes if not outcome.resolved]
    record = {
        "python": options.python,
        "checked": len(outcomes),
        "failed": failed,
        "base_mb": outcomes[0].megabytes,
        "base_packages": outcomes[0].packages,
        "seconds": round(time.perf_counter() - started, 1),
    }
    print(json.dumps(record))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
