"""What a photo must not know where its answer is to be scored: its own stated place, and itself among the indexed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from geoloc_cli.index.reader import Index
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.pipeline.extract import fingerprint
from geoloc_cli.types import Photo


@dataclass(frozen=True, slots=True)
class Hiding:
    """`position`: no prior is told where the photo's file says that it was taken. `itself`: indexed photos of the very
    same bytes are neither searched nor mapped; a map that was built of one gives the photo no pose.

    What a descriptor learned from the indexed photos, it learned from all of them.
    """

    position: bool = False
    itself: bool = False

    def read(self, path: str) -> Photo:
        """The photo as priors may see it: notes quote what its file says of its place. Raises PhotoError's kin."""
        photo = read_photo(path)
        return replace(photo, position=None, notes=()) if self.position else photo

    def rows(self, index: Index, path: str) -> frozenset[int]:
        """Rows of the index that are not to be found for this photo. Raises PhotoNotFound."""
        return frozenset(index.rows_of_content(fingerprint(path)[0])) if self.itself else frozenset()


NOTHING_HIDDEN = Hiding()
