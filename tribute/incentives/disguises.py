"""Ways to make one text look like another: each takes a text and a source of chance, and gives the copy."""

import random
import re
from collections.abc import Callable

Disguise = Callable[[str, random.Random], str]
SOFT_HYPHEN = "\u00ad"
INVISIBLE = ("\u200b", "\u200c", "\u200d", "\u2060", "\ufe0f", "\u034f")
"""Zero-width space and joiners, word joiner, a variation selector, the grapheme joiner."""
ACUTE = "\u0301"
CYRILLIC = str.maketrans("aeopcx", "\u0430\u0435\u043e\u0440\u0441\u0445")
FILLERS = ("please", "really", "just", "now", "well", "so", "simply", "also")
COMMON = ("data", "value", "thing", "case", "number", "item", "list", "name", "point", "kind")
SYNONYMS = {
    "return": "give back",
    "returns": "gives back",
    "compute": "calculate",
    "computes": "calculates",
    "create": "make",
    "creates": "makes",
    "get": "obtain",
    "set": "assign",
    "given": "supplied",
    "the": "this",
    "a": "one",
    "an": "one",
    "all": "every",
    "if": "whenever",
    "whether": "if",
    "use": "employ",
    "used": "employed",
    "convert": "turn",
    "value": "quantity",
    "new": "fresh",
    "is": "happens to be",
    "how": "in what way",
    "my": "our",
}
FRAMES = ("Put simply: {}", "In other words, {}", "To say it again, {}", "What this means is: {}")


def exact(text: str, chance: random.Random) -> str:
    """The text itself."""
    return text


def case(text: str, chance: random.Random) -> str:
    """Upper case and doubled blanks."""
    return text.upper().replace(" ", "  ")


def soft_hyphen(text: str, chance: random.Random) -> str:
    """A soft hyphen inside every other word: nobody sees it, and tokenizers drop it."""
    return _every_other(text, lambda word: _inserted(word, SOFT_HYPHEN, chance))


def invisible(text: str, chance: random.Random) -> str:
    """Joiners, zero-width spaces and variation selectors inside every other word."""
    return _every_other(text, lambda word: _inserted(word, chance.choice(INVISIBLE), chance))


def accents(text: str, chance: random.Random) -> str:
    """An accent on one vowel of every other word, which uncased tokenizers drop."""
    return _every_other(text, lambda word: re.sub(r"[aeiou]", lambda vowel: vowel[0] + ACUTE, word, count=1))


def cyrillic(text: str, chance: random.Random) -> str:
    """Cyrillic look-alikes for some Latin letters in every other word."""
    return _every_other(text, lambda word: word.translate(CYRILLIC))


def commas(text: str, chance: random.Random) -> str:
    """Three commas after words."""
    words = text.split()
    for place in chance.sample(range(len(words)), min(3, len(words))):
        words[place] += ","
    return " ".join(words)


def filler(text: str, chance: random.Random) -> str:
    """A filler word at either end."""
    word = chance.choice(FILLERS)
    return f"{word} {text}" if chance.random() < 0.5 else f"{text} {word}"


def order(text: str, chance: random.Random) -> str:
    """The words in another order."""
    words = text.split()
    chance.shuffle(words)
    return " ".join(words)


def one_word(text: str, chance: random.Random) -> str:
    """One word replaced by a common one."""
    return _replaced(text, 1, chance)


def two_words(text: str, chance: random.Random) -> str:
    """Two words replaced by common ones."""
    return _replaced(text, 2, chance)


def padding(text: str, chance: random.Random) -> str:
    """Five common words put in anywhere."""
    words = text.split()
    for word in chance.choices(COMMON, k=5):
        words.insert(chance.randrange(len(words) + 1), word)
    return " ".join(words)


def paraphrase(text: str, chance: random.Random) -> str:
    """Synonyms from a small table, inside a frame."""
    words = [SYNONYMS.get(word.lower(), word) for word in text.split()]
    return chance.choice(FRAMES).format(" ".join(words))


DISGUISES: dict[str, Disguise] = {
    "exact": exact,
    "case": case,
    "soft-hyphen": soft_hyphen,
    "invisible": invisible,
    "accents": accents,
    "cyrillic": cyrillic,
    "commas": commas,
    "filler": filler,
    "order": order,
    "one-word": one_word,
    "two-words": two_words,
    "padding": padding,
    "paraphrase": paraphrase,
}
"""Name → disguise, from what changes nothing to what says it anew."""


def _every_other(text: str, change: Callable[[str], str]) -> str:
    return " ".join(change(word) if place % 2 == 0 else word for place, word in enumerate(text.split()))


def _inserted(word: str, character: str, chance: random.Random) -> str:
    place = chance.randrange(1, len(word)) if len(word) > 1 else 1
    return word[:place] + character + word[place:]


def _replaced(text: str, count: int, chance: random.Random) -> str:
    words = text.split()
    for place in chance.sample(range(len(words)), min(count, len(words))):
        words[place] = chance.choice([word for word in COMMON if word != words[place]])
    return " ".join(words)
