"""Names of places in a model's answer, by level; they stay text, and a gazetteer says where they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from geoloc_cli.priors.vlm_text import plain

LEVELS = ("street", "city", "region", "country", "continent")

_CONTINENTS = re.split(
    r"\|",
    "Africa|Antarctica|Asia|Europe|North America|South America|Oceania|Australasia|Central America|Latin America|"
    "Scandinavia|Southeast Asia|South Asia|East Asia|Central Asia|Middle East|Caribbean|Mediterranean|Balkans|"
    "Eastern Europe|Western Europe|Northern Europe|Southern Europe|Central Europe|Sub-Saharan Africa|North Africa|"
    "East Africa|West Africa|Southern Africa|the Americas|Nordic countries",
)
_COUNTRIES = re.split(
    r"\|",
    "Afghanistan|Albania|Algeria|American Samoa|Andorra|Angola|Antigua and Barbuda|Argentina|Armenia|Aruba|Australia|"
    "Austria|Azerbaijan|Bahamas|Bahrain|Bangladesh|Barbados|Belarus|Belgium|Belize|Benin|Bermuda|Bhutan|Bolivia|"
    "Bosnia and Herzegovina|Bosnia|Botswana|Brazil|Brunei|Bulgaria|Burkina Faso|Burundi|Cambodia|Cameroon|Canada|"
    "Cape Verde|Cayman Islands|Chad|Chile|China|Colombia|Comoros|Congo|Costa Rica|Croatia|Cuba|Curacao|Cyprus|"
    "Czech Republic|Czechia|Denmark|Djibouti|Dominica|Dominican Republic|Ecuador|Egypt|El Salvador|England|"
    "Equatorial Guinea|Eritrea|Estonia|Eswatini|Ethiopia|Faroe Islands|Fiji|Finland|France|French Polynesia|Gabon|"
    "Gambia|Germany|Ghana|Gibraltar|Greece|Greenland|Grenada|Guadeloupe|Guam|Guatemala|Guernsey|Guinea|Guinea-Bissau|"
    "Guyana|Haiti|Honduras|Hong Kong|Hungary|Iceland|India|Indonesia|Iran|Iraq|Ireland|Isle of Man|Israel|Italy|"
    "Ivory Coast|Jamaica|Japan|Jersey|Jordan|Kazakhstan|Kenya|Kiribati|Kosovo|Kuwait|Kyrgyzstan|Laos|Latvia|Lebanon|"
    "Lesotho|Liberia|Libya|Liechtenstein|Lithuania|Luxembourg|Macau|Madagascar|Malawi|Malaysia|Maldives|Mali|Malta|"
    "Martinique|Mauritania|Mauritius|Mexico|Micronesia|Moldova|Monaco|Mongolia|Montenegro|Morocco|Mozambique|Myanmar|"
    "Namibia|Nepal|Netherlands|New Caledonia|New Zealand|Nicaragua|Niger|Nigeria|North Korea|North Macedonia|"
    "Northern Ireland|Northern Mariana Islands|Norway|Oman|Pakistan|Palau|Palestine|Panama|Papua New Guinea|Paraguay|"
    "Peru|Philippines|Poland|Portugal|Puerto Rico|Qatar|Reunion|Romania|Russia|Rwanda|Samoa|San Marino|Saudi Arabia|"
    "Scotland|Senegal|Serbia|Seychelles|Sierra Leone|Singapore|Slovakia|Slovenia|Solomon Islands|Somalia|"
    "South Africa|South Korea|South Sudan|Spain|Sri Lanka|Sudan|Suriname|Sweden|Switzerland|Syria|Taiwan|Tajikistan|"
    "Tanzania|Thailand|Timor-Leste|Togo|Tonga|Trinidad and Tobago|Tunisia|Turkey|Türkiye|Turkmenistan|Tuvalu|UAE|UK|"
    "US|USA|U.S.|U.S.A.|U.K.|Uganda|Ukraine|United Arab Emirates|United Kingdom|United States|"
    "United States of America|Uruguay|Uzbekistan|Vanuatu|Vatican City|Venezuela|Vietnam|Wales|Yemen|Zambia|Zimbabwe",
)
_LEVEL_OF = {name.casefold(): "country" for name in _COUNTRIES} | {name.casefold(): "continent" for name in _CONTINENTS}

_KEYS = {
    "continent": ("continent",),
    "country": ("country", "nation", "country_name"),
    "region": ("region", "state", "province", "state_or_province", "county", "prefecture", "admin1", "area"),
    "city": ("city", "town", "village", "city_or_town", "municipality", "place", "place_name", "locality", "city_name"),
    "street": ("street", "address", "road", "neighborhood", "neighbourhood", "landmark", "street_name"),
}
_NESTED = ("location", "place", "answer", "guess", "result", "prediction", "address", "levels", "final_answer")
_NOTHING = re.compile(
    r"^$|\b(?:unknown|not|cannot|can't|unable|none|null|nan|n/a|na|undetermined|undefined|unspecified|uncertain|"
    r"indeterminate|unsure|unclear|impossible|insufficient|unavailable|various|anywhere|any|string|placeholder|"
    r"example|insert|your|tbd|no (?:specific|clear|data)|city name|country name)\b|[?{}<>]|^[-.\s]*$",
    re.IGNORECASE,
)
_LONGEST = 120

_LABELLED = re.compile(
    r"(?im)(?:^|[\n*•(,;])\s*(?:[-*•]\s*|\d\.\s*)?\**_?(?P<key>continent|country|region|state|province|city|town|street|address)"
    r"(?:/town|/region)?(?: guess)?\s*\**_?\s*[:=]\s*\**\s*(?P<value>[^\n;|]{1,120}?)\**\s*"
    r"(?=$|\n|;|\||,\s*\**(?:city|country|region|state|continent))"
)
_WORD = r"[A-ZÀ-ÖØ-ÞČŁŚŠŽİ][\w'.’-]*"
_JOINED = r"(?:\s(?:of|and the|de|da|do|del|di|la|le|las|los|el|al|du|des|am|an der|on|upon|y)\b)?"
_NAME = rf"{_WORD}(?:{_JOINED}\s{_WORD}){{0,4}}"
_SEPARATOR = (
    r"(?:,\s*(?:or|and)\s+|,\s*|\s+or\s+(?:even\s+)?|/|\s\()"
    r"(?:the\s|in\s|possibly\s|perhaps\s|maybe\s|near\s|specifically\s)*"
)
_LIST = rf"{_NAME}(?:{_SEPARATOR}{_NAME}){{0,6}}"
_INTRODUCED = re.compile(
    r"(?P<no>\b(?:not|nor|neither|unlikely|rather than|instead of|ruled? out|than|unlike|similar to|such as|like)"
    r"\s+(?:\w+\s+){0,2})?"
    r"\b(?:in|is|near|from|within|of|at|around|being|be|to|as|into|with|,)\s*:?\s*"
    r"(?:(?:the|a|an|city|cities|town|country|countries|state|region|area|suburbs?|somewhere|either|possibly|perhaps|likely|"
    r"most|probably|potentially|in|of|or|near|outskirts|downtown|central|northern|southern|eastern|western|"
    r"(?:north|south|mid)-?(?:east|west)ern|part|parts|called|named|island|urban|rural|residential|specifically)\s+){0,7}"
    rf"(?P<names>{_LIST})"
)
_CUE = re.compile(
    r"\b(?:guess|estimate|conclu\w+|conclusion|believe\w*|likel\w+|probabl\w+|possib\w+|potential\w*|plausib\w+|taken|located|situated|"
    r"location|place\b|confident\w*|somewhere|appears? to be|seems? to be|suggest\w*|answer|identif\w+|speculat\w+|"
    r"points? to\w*|indicat\w+|deduc\w+|infer\w*|narrow\w*|consistent with|could be|might be|acknowledges|"
    r"it's in|this is)",
    re.IGNORECASE,
)
# What a name that is in no list here must stand beside: a company's name, too, stands behind "in" or "of".
_SURE = re.compile(
    r"\bguess|\bestimate|\bconclu|\bbelieve|\btaken (?:in|at|near|on)|\blocat(?:ed|ion is)|\bsituated|\bsomewhere in|"
    r"\bis (?:likely |probably |most likely )?(?:in|from)\b",
    re.IGNORECASE,
)
# Capitals that begin sentences, months, languages and what is never a place.
_NO_PLACE = re.compile(
    r"^(?:The|This|These|That|Those|It|I|If|However|Based|Given|While|Without|Although|Therefore|Please|Note|Here|There|Step|"
    r"English|Spanish|French|German|Japanese|Chinese|Korean|Arabic|Cyrillic|Latin|Portuguese|Italian|Russian|Thai|Hindi|"
    r"Victorian|Edwardian|Georgian|Colonial|European|American|African|Asian|Australian|British|Mediterranean|Western|"
    r"Eastern|Northern|Southern|JSON|GPS|Google.*|Street View|GeoGuessr.*|URL|API|Answer|Final.*|Location|Coordinates?|"
    r"City|Country|State|Region|Latitude|Longitude|Unknown|Not.*|My.*|Your.*|OK|AI|Toyota|Ford|N|S|E|W|North|South|East|West|"
    r"Architecture|Vegetation|Conclusion|Signage|Language|Climate|Urban|Rural|Roman|Gothic|Romanesque|Art Deco|Baroque|"
    r"January|February|March|April|May|June|July|August|September|October|November|December|"
    r"Slavic|Germanic|Nordic|Dutch|Turkish|Greek|Swedish|Hispanic|Islamic|Christian|Catholic|Soviet|Best.*|Image.*|Error.*|Day|Time|"
    r"Central|I'.*|Google.*|.*-speaking|.*-style|.*-influenced|.*-designed|Equator|Andean|Indian|"
    r"Tropical.*|.*\b(?:American|Asian|African|European|Caribbean|Balkan))$"
)


@dataclass(frozen=True, slots=True)
class Names:
    """Names as the model wrote them, each None where it gave none."""

    continent: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    street: str | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, level) for level in LEVELS)

    def text(self) -> str:
        """From the finest to the coarsest, as one writes an address."""
        return ", ".join(name for level in LEVELS if (name := getattr(self, level)))

    def finest(self) -> str | None:
        """The finest level that is named."""
        return next((level for level in LEVELS if getattr(self, level)), None)


def name_of(value: Any) -> str | None:
    """A name that a field states; None for the many ways of stating none."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("name", "answer", "value", "guess") if key in value), None)
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, str)), None)
    if not isinstance(value, str):
        return None
    text = " ".join(re.sub(r"[*_`\"]", " ", plain(value)).split()).strip(" .,;:'")
    text = re.sub(r"\s*\((?:possibly|probably|likely|approx)[^)]*\)$", "", text)
    if not text or len(text) > _LONGEST or _NOTHING.search(text) or not re.search(r"[^\W\d_]", text):
        return None
    return text


def names_in_fields(stated: dict[str, Any], depth: int = 3) -> Names | None:
    """The names of an object, its own first, then those of the objects inside it; None where it has none."""
    lowered = {key.strip().lower().replace(" ", "_"): value for key, value in stated.items()}
    found = {level: next((n for k in keys if (n := name_of(lowered.get(k)))), None) for level, keys in _KEYS.items()}
    names = Names(**found)
    if names or depth == 0:
        return names or None
    for key in (*_NESTED, *lowered):
        inner = lowered.get(key)
        for item in inner if isinstance(inner, list) else [inner]:
            if isinstance(item, dict) and (below := names_in_fields(item, depth - 1)):
                return below
    return None


def names_in_prose(text: str) -> list[Names]:
    """Names that prose gives as its answer: labelled lines first, else the last sentence that says where.

    Several where it leaves a choice ("Colombia or Venezuela").
    """
    labelled: dict[str, str] = {}
    for match in _LABELLED.finditer(text):
        level = next(level for level, keys in _KEYS.items() if match["key"].lower() in keys)
        if name := name_of(match["value"]):
            labelled[level] = name
    if labelled:
        return [Names(**labelled)]
    for sentence in reversed(list(_sentences(text))):
        if _CUE.search(sentence):
            found = _in_sentence(sentence)
            known = [names for names in found if names.country or names.continent]
            if known or (found and _SURE.search(sentence)):
                return found if _SURE.search(sentence) else known
    return []


def _sentences(text: str) -> Iterator[str]:
    for line in text.replace("*", "").split("\n"):
        yield from re.split(r"(?<=[a-z\d)][.!?])\s+(?=[A-Z\"'])", line[:4000])


def _in_sentence(sentence: str) -> list[Names]:
    found: list[Names] = []
    for match in _INTRODUCED.finditer(sentence):
        if match["no"]:
            continue
        found += _of_list(match["names"])
    return [names for names in dict.fromkeys(found) if not any(_coarser(names, other) for other in found)]


def _coarser(names: Names, other: Names) -> bool:
    """Whether the other says all of this and more: `Germany` beside `Nuremberg, Germany`."""
    stated = {level for level in LEVELS if getattr(names, level)}
    return names != other and all(getattr(names, level) == getattr(other, level) for level in stated)


def _of_list(text: str) -> list[Names]:
    """`Moscow, Russia` is one place; `Chile, Peru or Bolivia` are three."""
    parts = [p.strip(" .'-") for p in re.split(_SEPARATOR, text)]
    kept = [(p, _LEVEL_OF.get(p.casefold().removeprefix("the "))) for p in parts if p and not _NO_PLACE.match(p)]
    if not kept:
        return []
    levels = [level for _, level in kept]
    nested = not re.search(r"\bor\b|/|\band\b(?! Barbuda| Tobago| Herzegovina)", text) and len(kept) > 1
    if nested and levels[-1] is not None and all(level is None for level in levels[:-1]):
        last = {levels[-1]: kept[-1][0]}
        city, *middle = [p for p, _ in kept[:-1]]
        return [Names(city=city, region=", ".join(middle) or None, **last)]
    if nested and all(level is None for level in levels):
        return [Names(city=kept[0][0], region=", ".join(p for p, _ in kept[1:]))]
    return [Names(**{level or "region": p}) for p, level in kept]
