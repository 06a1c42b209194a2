"""Priors asked of a photo, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from geoloc_cli.contracts import Prior, TextPrior
from geoloc_cli.errors import PhotoError, UsageError
from geoloc_cli.geo.belief import credible_radius_m, fuse, mass_within, mix, mode, simplify
from geoloc_cli.index.reader import Circle
from geoloc_cli.pipeline.hiding import Hiding
from geoloc_cli.pipeline.neighbours import informed
from geoloc_cli.registry import BackendSpec, check, create, parse, written
from geoloc_cli.types import Belief, Fix, Photo, PriorGuess

# What a prior is heard for.
Said = tuple[Belief, PriorGuess]

# Every source that nobody has measured is granted this much for being wrong altogether, whatever it says of itself: two
# that contradict each other then leave two components, and not a point in the ocean between them.
LEAST_DOUBT = 0.02
# Components that a joint belief keeps: the product of ten with ten has more than serve anybody.
_MOST_COMPONENTS = 64
# A component is searched to three times its own radius, and to a kilometre at least.
_REACH = 3.0
_LEAST_REACH_M = 1000.0
# Of the components' weight, what is searched; the rest is left to the share of the search that knows no bounds.
_SEARCHED = 0.98


@dataclass(frozen=True, slots=True)
class Region:
    """Where to search for what a belief names, and how much weight it has: 1 for the heaviest component."""

    circle: Circle
    weight: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said of a photo before its turn, and how long the run waited for that."""

    said: tuple[Said, ...] = ()
    waited_ms: float = 0.0


NOTHING_HEARD = Heard()


@dataclass(frozen=True, slots=True)
class Trust:
    """What priors have earned on labelled photos (`calibrated.py`).

    earned: for each, in their order, what makes its belief as sure as it may be; None where nobody has measured it, and
    nothing at all where no prior was. dependence: the share in which they go wrong together, from 0 to 1: so much of
    what they say at once is their mean, and not their product.
    """

    earned: tuple[Callable[[Belief], Belief] | None, ...] = ()
    dependence: float = 0.0


AT_THEIR_WORD = Trust()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the priors say together of one photo; a guess for each that was asked, with its reason where it knows
    nothing.
    """

    belief: Belief
    guesses: tuple[PriorGuess, ...]

    def place(self) -> tuple[float, float] | None:
        """Latitude and longitude of the likeliest place; None where nothing is known."""
        if not self.belief.components:
            return None
        spoken = [guess for guess in self.guesses if guess.lat is not None and guess.lon is not None]
        if len(spoken) == 1 and spoken[0].lat is not None and spoken[0].lon is not None:
            return spoken[0].lat, spoken[0].lon
        return mode(self.belief)

    def regions(self) -> list[Region]:
        """The heaviest components first, as far as they matter."""
        ranked = sorted(self.belief.components, key=lambda c: -c.weight)
        total, taken, found = sum(c.weight for c in ranked), 0.0, list[Region]()
        for component in ranked:
            if taken >= _SEARCHED * total:
                break
            taken += component.weight
            reach = max(_REACH * component.radius_m, _LEAST_REACH_M)
            found.append(Region(Circle(component.lat, component.lon, reach), component.weight / ranked[0].weight))
        return found


def build_priors(texts: Iterable[str | None], cache: str | None = None) -> list[Prior | None]:
    """Those of `build_prior`; None stays, in the place of one that is asked elsewhere."""
    return [None if text is None else build_prior(text, cache) for text in texts]


def build_prior(text: str, cache: str | None = None) -> Prior:
    """The prior of `NAME?key=value` or, of a stated place, `near=LAT,LON,RADIUS`.

    cache: the folder of one that keeps something on disk, unless its own options name another.
    """
    made: Prior = create("prior", spec_of(text), {"cache": cache} if cache else {})
    return informed(made, cache)


def spec_of(text: str) -> BackendSpec:
    """`near=...` as a backend with the place as its option; anything else as `registry.parse` reads it."""
    name, equals, place = text.partition("=")
    return BackendSpec("near", {"at": place}) if name == "near" and equals else parse(text)


def with_text(specs: Iterable[str], text: str) -> list[str]:
    """The same, with what is said of every photo for those that take words. Raises UsageError where none of them does.

    One that has a `text` of its own keeps it.
    """
    told, takers = list[str](), 0
    for spec in specs:
        parsed = spec_of(spec)
        takes = hasattr(check("prior", parsed), "believe_text")
        takers += takes
        told.append(written(BackendSpec(parsed.name, {"text": text} | parsed.options)) if takes else spec)
    if not takers:
        raise _no_words()
    return told


def _no_words() -> UsageError:
    return UsageError("None of these priors takes words; give --prior geoclip with --text.")


def ask(
    priors: Sequence[Prior | None], photo: Photo, ahead: Iterable[Said] = (), trust: Trust = AT_THEIR_WORD
) -> Asked:
    """All of them of one photo. One that fails costs the photo nothing but what it would have said.

    ahead, trust: as of `hear` and `fused`.
    """
    return fused(hear(priors, photo, ahead), trust)


def hear(priors: Sequence[Prior | None], photo: Photo, ahead: Iterable[Said] = ()) -> tuple[Said, ...]:
    """What each says of one photo, in their order.

    ahead: what those were heard for that are None here, because they were asked before, in their order.
    """
    heard = iter(ahead)
    return tuple(next(heard) if prior is None else said_by(prior.name, _outcome(prior, photo)) for prior in priors)


def fused(heard: Sequence[Said], trust: Trust = AT_THEIR_WORD) -> Asked:
    """What they say at once: the product of their beliefs, in as far as they are independent."""
    belief, doubt, alone = Belief(), 0.0, list[Belief]()
    for (said, _), earned in zip(heard, trust.earned or (None,) * len(heard), strict=True):
        worth, own = (said, LEAST_DOUBT) if earned is None else (earned(said), 0.0)
        if worth.components:
            belief = together(belief, worth, doubt, own) if belief.components else worth
            doubt = max(doubt, own)
            alone.append(worth)
    if trust.dependence > 0.0 and len(alone) > 1:
        belief = blended(belief, mix([(each, 1.0) for each in alone]), trust.dependence)
    return Asked(belief, tuple(guess for _, guess in heard))


def said_by(name: str, outcome: Said | PhotoError | None) -> Said:
    """What a prior is heard for: an even belief, and why, where it knows nothing or failed."""
    if outcome is not None and not isinstance(outcome, PhotoError):
        return outcome
    why = "it knows nothing of this photo" if outcome is None else f"failed: {outcome}"
    return Belief(), PriorGuess(name, None, None, None, why)


def _outcome(prior: Prior, photo: Photo) -> Said | PhotoError | None:
    try:
        return prior.believe(photo)
    except PhotoError as error:
        return error


def ask_text(priors: Sequence[Prior], text: str) -> Asked:
    """Words in place of a photo, to those that take them. Raises UsageError where none does."""
    heard, takers = list[Said](), 0
    for prior in priors:
        takes = isinstance(prior, TextPrior)
        takers += takes
        answer = prior.believe_text(text) if isinstance(prior, TextPrior) else None
        why = "it says nothing of these words" if takes else "it takes no words"
        heard.append(answer or (Belief(), PriorGuess(prior.name, None, None, None, why)))
    if not takers:
        raise _no_words()
    return fused(heard)


def together(one: Belief, other: Belief, doubt_one: float = LEAST_DOUBT, doubt_other: float = LEAST_DOUBT) -> Belief:
    """What two independent sources say at once, each doubted a little, in no more components than serve."""
    return simplify(fuse(one, other, doubt_one, doubt_other), _MOST_COMPONENTS)


def blended(product: Belief, mean: Belief, dependence: float) -> Belief:
    """What sources say that are independent but in a share of the cases, in no more components than serve."""
    return simplify(mix([(product, 1.0 - dependence), (mean, dependence)]), _MOST_COMPONENTS)


def prior_fix(path: str, asked: Asked) -> Fix:
    """The answer by priors alone: `ok` at stage `prior`, or `unlocated` where none of them knows anything."""
    fix = placed_by(unlocated(path, "nothing_known", asked), asked)
    return replace(fix, reason=None) if fix.status == "ok" else fix


def unlocated(path: str, reason: str, asked: Asked | None) -> Fix:
    """No place, and the belief of the priors that were asked, else everywhere."""
    return Fix(
        photo=path,
        status="unlocated",
        stage=None,
        lat=None,
        lon=None,
        alt_m=None,
        radius_m=None,
        confidence=0.0,
        belief=asked.belief if asked else Belief(),
        reason=reason,
        priors=asked.guesses if asked else (),
    )


def placed_by(fix: Fix, asked: Asked) -> Fix:
    """A photo that has no place by sight at the likeliest one by its priors; as it was where these know nothing."""
    place = asked.place()
    if place is None:
        return fix
    return replace(
        fix,
        status="ok",
        stage="prior",
        lat=place[0],
        lon=place[1],
        radius_m=round(credible_radius_m(asked.belief, *place, 0.9), 2),
        confidence=round(float(mass_within(asked.belief, *place, 1000.0)), 4),
    )


def asked_of(
    priors: Sequence[Prior | None], hide: Hiding, trust: Callable[[str], Trust], path: str, heard: Heard
) -> Asked:
    """What all say of a photo's file; trust: of a path. Raises PhotoError's kin where it cannot be read."""
    return ask(priors, hide.read(path), heard.said, trust(path))
