"""Names as they are compared: without case, diacritics, spaces and punctuation, whatever the script."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Marks over Latin, Greek and Cyrillic letters, and the vowel points and stretching of Arabic and Hebrew. The marks of
# Indic scripts, of Thai and of kana are letters to their readers, and stay.
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u0652]")
_NOT_LETTERS = re.compile(r"[^\w]|_")
_PLAIN = re.compile(r"[^a-z0-9]")
# Letters that no decomposition takes apart.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ħ": "h", "ŋ": "n"}
    | {"أ": "ا", "إ": "ا", "آ": "ا", "ى": "ي", "ک": "ك", "ی": "ي", "臺": "台", "ヶ": "ケ"}
)
_TOKEN = re.compile(r"[^\W_]+")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_HAN, _SYLLABLES = re.compile("[\u3400-\u9fff\uf900-\ufaff]"), re.compile("[\u3040-\u30ff\uac00-\ud7a3]")
# Greek in a font of capitals is read as Latin where both look alike.
_GREEK = re.compile("[\u0370-\u03ff]")
_LIKE_GREEK = str.maketrans("ABEZHIKMNOPTYXaovupikńá", "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαονυρικήά")


def key_of(name: str) -> str:
    """What of a name is compared: `Zürich`, `ZURICH` and `Zu-rich` are `zurich`, `Saint-Denis` is `saintdenis`."""
    if name.isascii():
        return _PLAIN.sub("", name.lower())
    apart = _MARKS.sub("", unicodedata.normalize("NFKD", name))
    whole = unicodedata.normalize("NFKC", apart).casefold().translate(_LETTERS)
    # Folding the Turkish capital I with a dot leaves the dot behind.
    return _NOT_LETTERS.sub("", _MARKS.sub("", whole)) if not whole.isascii() else _PLAIN.sub("", whole)


def is_unspaced(text: str) -> bool:
    """Whether it is in a script that writes no spaces between words: Chinese, Japanese, Thai, Lao, Burmese, Khmer."""
    return bool(_UNSPACED.search(text))


def writing_of(key: str) -> str:
    """`characters`, `syllables`, `latin` or other `letters`, of which there are fewer and fewer."""
    if key.isascii():
        return "latin"
    return "characters" if _HAN.search(key) else "syllables" if _SYLLABLES.search(key) else "letters"


def unmixed(text: str) -> str:
    """Text whose words in Greek have no Latin letters among them: `ΘEΣΣAΛONIKH` is read where ΘΕΣΣΑΛΟΝΙΚΗ stands."""
    return _TOKEN.sub(lambda m: m.group().translate(_LIKE_GREEK) if _GREEK.search(m.group()) else m.group(), text)


def cleaned(text: str, longest: int = 200) -> str:
    """Text that may be shown: no control or direction characters, white space as one space, at most so many letters."""
    flat = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return flat if len(flat) <= longest else flat[: longest - 1].rstrip() + "…"


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a text, where it stands there, and the key it is compared by."""

    text: str
    start: int
    end: int
    key: str


def tokens_of(text: str) -> list[Token]:
    """The words of a text; those of a script without spaces are whole runs, to be looked into by their parts."""
    found = (Token(m.group(), m.start(), m.end(), key_of(m.group())) for m in _TOKEN.finditer(text))
    return [token for token in found if token.key]


def one_edit_apart(a: str, b: str) -> bool:
    """Whether one letter exchanged, left out, put in, or two neighbours swapped makes one of the other."""
    if abs(len(a) - len(b)) > 1 or a == b:
        return False
    first = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    if len(a) == len(b):
        swapped = a[first : first + 2] == b[first : first + 2][::-1] and a[first + 2 :] == b[first + 2 :]
        return swapped or a[first + 1 :] == b[first + 1 :]
    longer, shorter = (a, b) if len(a) > len(b) else (b, a)
    return longer[first + 1 :] == shorter[first:]
