"""Files of the Hugging Face hub, by its own library: its cache, its continuing of downloads, and its token."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from geoloc_cli.errors import DiskFull, WeightsMissing
from geoloc_cli.index.files import room
from geoloc_cli.models.catalogue import Model
from geoloc_cli.models.fetch import Step
from geoloc_cli.models.weights import imported


def download(model: Model, step: Step, *, again: bool = False, into: Path | None = None) -> Path:
    """The path in the hub's cache of a model's file, which is fetched unless it is there; again: even then.

    into: a folder to which it is brought instead, under its name there.
    Raises MissingExtra without the library, WeightsMissing where the file cannot be had, and DiskFull. Messages hold
    nothing of what the library says, which may name signed addresses.
    """
    owner = f"The model '{model.name}'"
    hub = imported("huggingface_hub", owner)
    errors = imported("huggingface_hub.errors", owner)
    log_in = "log in by `hf auth login`, or give its token in HF_TOKEN"
    try:
        with _quietly(hub.constants), room(into or Path(hub.constants.HF_HUB_CACHE)):
            return Path(
                hub.hf_hub_download(
                    model.hub,
                    model.hub_file,
                    revision=model.revision or None,
                    force_download=again,
                    local_dir=into,
                    library_name="geoloc",
                    tqdm_class=_bar(step),
                )
            )
    except DiskFull:
        raise
    except errors.GatedRepoError:
        raise WeightsMissing(
            f"{owner} is given to those alone who accepted its licence: do so at {model.source}, {log_in}, and "
            "run the same command again."
        ) from None
    except errors.RepositoryNotFoundError:
        raise WeightsMissing(
            f"The hub shows no {model.hub} to you: where it is private, {log_in}; else see {model.source}."
        ) from None
    except (errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError):
        raise WeightsMissing(
            f"{model.hub} has no {model.hub_file} of {model.revision} any more; see {model.source}, and give the file "
            "by hand with `?weights=FILE`."
        ) from None
    except Exception as error:
        # The library and the two below it raise a dozen types when the network fails, each with addresses in it.
        if isinstance(error, OSError) and error.filename:
            raise
        raise WeightsMissing(
            f"{owner} cannot be fetched from the hub now ({type(error).__name__}); run the same command "
            "again, and it goes on."
        ) from None


def _bar(step: Step) -> type[Any]:
    """What the library takes for a bar of tqdm, and tells how far it is."""

    class Told:
        def __init__(self, *_: Any, total: int | None = None, initial: int = 0, **__: Any) -> None:
            self.total, self._done = total, initial
            step(initial, total)

        def update(self, n: float | None = 1) -> None:
            self._done += int(n or 0)
            step(self._done, self.total)

        def __enter__(self) -> Told:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def __getattr__(self, name: str) -> Any:
            """Whatever else is asked of a bar changes its looks alone."""
            return lambda *_, **__: None

    return Told


@contextmanager
def _quietly(constants: Any) -> Iterator[None]:
    """Without the library's warnings, which repeat addresses, and without what it tells the hub of this machine."""
    logger = logging.getLogger("huggingface_hub")
    level, telling = logger.level, constants.HF_HUB_DISABLE_TELEMETRY
    logger.setLevel(logging.CRITICAL)
    constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        yield
    finally:
        logger.setLevel(level)
        constants.HF_HUB_DISABLE_TELEMETRY = telling
