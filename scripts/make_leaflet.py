"""Leaflet for the maps that are one file: geoloc_cli/export/data/leaflet.js, leaflet.css and LICENSE.leaflet.

    npm pack leaflet@1.9.4 && tar xzf leaflet-1.9.4.tgz
    python scripts/make_leaflet.py package

The script is the package's own, without the last line, which names a file that is not there. Of the style sheet what
fetches pictures (the markers and the list of layers, which our maps have not) and what speaks to Internet Explorer are
left out, and white space. The package is known by its digest: another one is refused.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "geoloc_cli" / "export" / "data"
SHA256 = {
    "leaflet.js": "db49d009c841f5ca34a888c96511ae936fd9f5533e90d8b2c4d57596f4e5641a",
    "leaflet.css": "a7837102824184820dfa198d1ebcd109ff6d0ff9a2672a074b9a1b4d147d04c6",
}


def main() -> None:
    package = Path(sys.argv[1])
    for name, known in SHA256.items():
        content = (package / "dist" / name).read_bytes()
        if (found := hashlib.sha256(content).hexdigest()) != known:
            sys.exit(f"{name} of {package} has the digest {found}, not that of Leaflet 1.9.4 ({known}).")
        made = script(content.decode("ascii")) if name.endswith(".js") else style(content.decode("ascii"))
        if re.search(r"</(script|style)|<!--", made, re.IGNORECASE):
            sys.exit(f"{name} would end the element of a page that it stands in.")
        (DATA / name).write_text(made, encoding="ascii", newline="\n")
        print(f"{name}: {len(content)} bytes, {len(made)} kept")
    shutil.copyfile(package / "LICENSE", DATA / "LICENSE.leaflet")


def script(text: str) -> str:
    return re.sub(r"\n//# sourceMappingURL=\S+\s*$", "\n", text)


def style(text: str) -> str:
    """The rules one a line, without comments, those for paper at the end, and what fetches anything."""
    bare = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).partition("@media")[0]
    kept = []
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", bare):
        wanted = [part.strip() for part in body.split(";") if part.strip() and not re.search(r"url\(|progid", part)]
        if wanted:
            kept.append(f"{' '.join(selector.split())}{{{';'.join(' '.join(part.split()) for part in wanted)}}}")
    return "\n".join(kept) + "\n"


if __name__ == "__main__":
    main()
