"""Answers as Python users have them: the nouns of a record, told in a line, as JSON and as a picture."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import fields, replace
from typing import Any

from geoloc_cli import types
from geoloc_cli.errors import PhotoError
from geoloc_cli.export.ground import length
from geoloc_cli.photos.opening import shown
from geoloc_cli.records import dumps


class _Told:
    """What both kinds of answer can be told as."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The record of schema `geoloc.fix/1`: what `geoloc locate --format jsonl` prints of this photo."""
        assert isinstance(self, (types.Fix, types.Failure))
        record: dict[str, Any] = json.loads(dumps(self))
        return record

    def _repr_html_(self) -> str:
        """For a notebook: maps, circle, belief and figures in one piece of HTML, without scripts, fetching nothing."""
        from geoloc_cli.export.card import card

        assert isinstance(self, (types.Fix, types.Failure))
        return str(card(self))

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, Any]:
        """The same as text, for those that draw nothing."""
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


class Fix(_Told, types.Fix):
    """A photo that was handled: located, or not and why (`status`, `reason`); the keys of a record are its attributes.

    Two are equal where their fields are, `timing_ms` among these; `to_dict()` is what to compare without it.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        name = shown(self.photo)
        if self.lat is None or self.lon is None:
            return f"<Fix {name}: {self.status}{f', {self.reason}' if self.reason else ''}>"
        within = "" if self.radius_m is None else f" within {length(self.radius_m)}"
        sure = f"confidence {self.confidence:.2f}, {self.stage}"
        return f"<Fix {name}: {self.lat:.5f}, {self.lon:.5f}{within}, {sure}>"


class Failure(_Told, types.Failure):
    """A photo that could not be handled: `code` for a program and `message` for a person."""

    __slots__ = ()

    @property
    def status(self) -> str:
        """As in its record."""
        return "error"

    def __repr__(self) -> str:
        return f"<Failure {shown(self.photo)}: {self.code}, {shown(self.message)}>"


def told(answer: types.Fix | types.Failure) -> Fix | Failure:
    """An answer of the pipeline as users have it."""
    values = {field.name: getattr(answer, field.name) for field in fields(answer)}
    return Fix(**values) if isinstance(answer, types.Fix) else Failure(**values)


def named(answer: types.Fix | types.Failure, photo: str) -> types.Fix | types.Failure:
    """The answer for a photo that has this name, whatever file it was read from."""
    if isinstance(answer, types.Fix):
        return replace(answer, photo=photo)
    return types.Failure(photo, answer.code, answer.message.replace(shown(answer.photo), shown(photo)))


def raised(failure: types.Failure) -> PhotoError:
    """The error that a failure is a record of."""
    kinds = {kind.code: kind for kind in PhotoError.__subclasses__()}
    return kinds.get(failure.code, PhotoError)(failure.message)
