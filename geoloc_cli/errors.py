"""The errors of the project, and the exit status of each.

    GeolocError
    ├── PhotoError            this photo failed, the run goes on: it becomes a Failure line
    │   ├── PhotoNotFound         missing, vanished, unreadable, a directory or a broken link
    │   ├── NotAPhoto             not a picture, empty, truncated, or of a format that is not read
    │   ├── PhotoTooLarge         more pixels than the limit (a decompression bomb, or a gigantic picture)
    │   ├── NoPosition            a photo to be indexed says nowhere where it was taken
    │   ├── TooFewFeatures        nothing on the picture to describe it by
    │   ├── PriorFailed           a prior could not be asked; the photo is located by what is left
    │   └── NotWritable           a position cannot be written into its file, or taken out of it, without harm
    └── RunError              the run must stop: one sentence on stderr, `exit_code` as exit status
        ├── UsageError            the call was wrong (2)
        ├── ConfigError           a setting is wrong (2)
        ├── UnknownBackend        no backend of this name, or an option it does not have (2)
        ├── MissingExtra          the backend needs `pip install 'geoloc[...]'` (2)
        ├── IndexMissing          there is no index at this place (3)
        ├── IndexMismatch         the index was made with another describer or a newer version (4)
        ├── IndexDamaged          a file of the index is not what was written (10)
        ├── IndexLocked           another process is writing to the index (11)
        ├── WeightsMissing        the weights of a learned model are not here, or cannot be fetched (3)
        ├── WeightsMismatch       a file of weights is another one than is asked for, or of another model (4)
        ├── MapMissing            there is no map at this place (3)
        ├── MapDamaged            a model or a file of a map cannot be read, or is not what was written (10)
        └── DiskFull              no room left; what was committed is kept (12)

Exit status: 0 all photos handled, 1 some photos failed, 2 the call was wrong, 130 interrupted; the others as above.
What is no error, and is told by the status where `geoloc check` is asked for it: 20 contradicted, 21 undecided.
Every error takes one message, a sentence that names the file and the remedy, so that errors pickle.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_CONTRADICTED = 20
EXIT_UNDECIDED = 21
EXIT_INTERRUPTED = 130


class GeolocError(Exception):
    """Root of everything that this project raises on purpose."""


class PhotoError(GeolocError):
    """One photo failed; `code` names the kind in the record."""

    code = "photo_error"


class PhotoNotFound(PhotoError):
    code = "not_found"


class NotAPhoto(PhotoError):
    code = "not_a_photo"


class PhotoTooLarge(PhotoError):
    code = "too_large"


class NoPosition(PhotoError):
    code = "no_position"


class TooFewFeatures(PhotoError):
    code = "too_few_features"


class PriorFailed(PhotoError):
    code = "prior_failed"


class NotWritable(PhotoError):
    code = "not_writable"


class RunError(GeolocError):
    """The run must stop; `exit_code` is the program's exit status."""

    exit_code = 2


class UsageError(RunError):
    exit_code = 2


class ConfigError(RunError):
    exit_code = 2


class UnknownBackend(RunError):
    exit_code = 2


class MissingExtra(RunError):
    exit_code = 2


class IndexMissing(RunError):
    exit_code = 3


class IndexMismatch(RunError):
    exit_code = 4


class IndexDamaged(RunError):
    exit_code = 10


class IndexLocked(RunError):
    exit_code = 11


class WeightsMissing(RunError):
    exit_code = 3


class WeightsMismatch(RunError):
    exit_code = 4


class MapMissing(RunError):
    exit_code = 3


class MapDamaged(RunError):
    exit_code = 10


class DiskFull(RunError):
    exit_code = 12
