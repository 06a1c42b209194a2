"""A vision-language model in this process, asked about photos: image-text-to-text by transformers.

The model is a folder on this machine (`models/folders.py`). Nothing is sent anywhere, and nothing is downloaded.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from geoloc_cli.descriptors.learned import PRECISIONS, one_of
from geoloc_cli.device import choose
from geoloc_cli.errors import MissingExtra, PhotoError, UsageError
from geoloc_cli.models.folders import find_folder
from geoloc_cli.models.weights import imported
from geoloc_cli.priors.vlm_ask import AskOptions, Questioner, not_negative
from geoloc_cli.priors.vlm_batch import hold_all
from geoloc_cli.priors.vlm_belief import Resolve
from geoloc_cli.priors.vlm_places import by_gazetteer
from geoloc_cli.priors.vlm_rag import Neighbours
from geoloc_cli.priors.vlm_talk import Remembered, hold
from geoloc_cli.store import opened
from geoloc_cli.types import Belief, Photo, PriorGuess

_OWNER = "prior 'vlm-local'"
# Requests at once where nobody says. A GPU reads all weights for each word, whether one is written or eight; on a core,
# a model of 228 million weights took 75 s an answer four at once and 82 s alone.
_ON_GPU, _ON_CPU = 8, 1
# Batches of photos in hand: of two, those with pictures of one size can be put together.
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class LocalOptions(AskOptions):
    """`model`: the folder, or the name on the hub, of what is asked (`AskOptions`); `revision`: its commit there.

    `precision`: by default half of it on a GPU and float32 on a CPU. `batch`: requests at once, 0 for 8 on a GPU and 1
    on a CPU.
    """

    revision: str = ""
    precision: str = "auto"
    batch: int = 0

    def check(self) -> None:
        AskOptions.check(self)
        one_of("precision", self.precision, PRECISIONS)
        not_negative(self, "batch")


class LocalVlmPrior:
    """Asks once per sample; what failed is `PriorFailed`, what was answered without a place is None."""

    name = "vlm-local"

    def __init__(self, options: LocalOptions, resolve: Resolve | None = by_gazetteer) -> None:
        """resolve: where names are; None leaves them text.

        Raises UsageError where no model is named, MissingExtra without what it needs, WeightsMissing where it is not on
        this machine, and WeightsMismatch where it takes no pictures or no conversation.
        """
        options.check()
        if not options.model:
            raise UsageError("vlm-local needs a model; give vlm-local?model=FOLDER, or the name of one on the hub.")
        self.options = options
        self._questioner = Questioner(self.name, options, resolve)
        imported("torch", _OWNER)
        _check_torchvision()
        imported("transformers", _OWNER)
        folder = find_folder(options.model, options.revision, _OWNER)
        from geoloc_cli.priors.vlm_local_net import LocalModel

        place = choose()
        dtype = place.dtype if options.precision == "auto" else options.precision
        self._batch = options.batch or (_ON_CPU if place.name == "cpu" else _ON_GPU)
        self._model = LocalModel(folder, place.name, dtype, self._batch, _OWNER)
        store = opened(options.cache, self.name)
        self._kept = Remembered(self._model, store) if store else None

    def gallery(self) -> str:
        return self._questioner.gallery()

    def inform(self, neighbours: Neighbours) -> None:
        self._questioner.inform(neighbours)

    def close(self) -> None:
        """Gives the memory back; nothing can be asked afterwards."""
        self._model.close()

    def believe(self, photo: Photo) -> tuple[Belief, PriorGuess] | None:
        """None where no sample names a place. Raises PriorFailed where no sample was answered, and PhotoError's other
        kin where the picture cannot be read.
        """
        return hold(self._questioner.about(photo), (self._kept or self._model).say)

    def believe_all(
        self, photos: Iterable[Photo]
    ) -> Iterator[tuple[Photo, tuple[Belief, PriorGuess] | PhotoError | None]]:
        """Each photo with its belief, None, or why there is none, in their order.

        The same as `believe` says of each, sooner: `batch` requests are answered at once. Two batches of photos are in
        hand, however many there are.
        """
        conversations = ((photo, self._questioner.about(photo)) for photo in photos)
        return hold_all(conversations, self._model, self._kept, _AHEAD * self._batch)

    def report(self) -> dict[str, Any]:
        """Requests and tokens so far, and how many were answered at once: less than asked for where memory ran out."""
        return {"model": self.options.model, "cached": self._kept.recalled if self._kept else 0} | self._model.report()


def _check_torchvision() -> None:
    """Raises MissingExtra where a torchvision does not load: transformers would import it, and fail at random."""
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except Exception as error:  # an ImportError, or torch's RuntimeError over an operator that is not there
        raise MissingExtra(
            f"{_OWNER}: torchvision cannot be loaded with this torch, which breaks all of transformers ({error}); run "
            "`pip uninstall torchvision` (nothing here needs it), or install the one made for this torch."
        ) from error
