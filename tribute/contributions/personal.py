"""Personal data and secrets in a text: what kind, and where, but never the thing itself.

Knows nothing of rows or policies. Addresses that stand in documentation for anybody's (example.org) are nobody's.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Any

EMAIL = re.compile(r"[\w.+-]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}(?![\w-])", re.IGNORECASE)
NOBODYS = re.compile(r"@(?:.+\.)?(?:example\.\w+|(?:\w[\w-]*\.)?(?:example|test|invalid|localhost))$", re.IGNORECASE)
DIGITS = re.compile(r"(?:\d[ .()/-]{0,2}){7,}")
CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])")
CARDS = re.compile(r"4|5[1-5]|2[2-7]|3[47]|3[068]|6(?:011|5)|35")
"""How the numbers of the large card schemes begin."""
IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Z0-9])")
IBAN_LENGTH = {
    **{"AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18},
    **{"FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20},
    **{"LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24},
    **{"TR": 26, "UA": 29, "AE": 23, "SA": 24, "IL": 23, "BR": 29},
}
SECRET_PLUGINS = (
    *("artifactory.ArtifactoryDetector", "aws.AWSKeyDetector", "azure_storage_key.AzureStorageKeyDetector"),
    *("basic_auth.BasicAuthDetector", "discord.DiscordBotTokenDetector", "github_token.GitHubTokenDetector"),
    *("gitlab_token.GitLabTokenDetector", "jwt.JwtTokenDetector", "mailchimp.MailchimpDetector", "npm.NpmDetector"),
    *("openai.OpenAIDetector", "private_key.PrivateKeyDetector", "pypi_token.PypiTokenDetector"),
    *("sendgrid.SendGridDetector", "slack.SlackDetector", "square_oauth.SquareOAuthDetector"),
    *("stripe.StripeDetector", "telegram_token.TelegramBotTokenDetector", "twilio.TwilioKeyDetector"),
)
"""Detectors of detect-secrets that know a secret by its form; those that guess by entropy are left out."""


def personal_data(text: str) -> Iterator[str]:
    """`e-mail address at 12` and the like, with the place in characters, for everything that was found."""
    if "@" in text:
        yield from (f"e-mail address at {m.start()}" for m in EMAIL.finditer(text) if not NOBODYS.search(m[0]))
    if not DIGITS.search(text):
        return
    taken = []
    for match in chain(IBAN.finditer(text), CARD.finditer(text)):
        kind = "IBAN" if match[0][0].isalpha() else "payment card number"
        if is_iban(match[0]) if kind == "IBAN" else is_card(match[0]):
            taken.append(match.span())
            yield f"{kind} at {match.start()}"
    for start, end in _phone_numbers(text):
        if all(end <= low or start >= high for low, high in taken):
            yield f"phone number at {start}"


def is_iban(text: str) -> bool:
    """ISO 13616: the country's length, and 1 modulo 97 with letters as numbers and the first four moved behind."""
    plain = text.replace(" ", "")
    moved = "".join(str(int(character, 36)) for character in plain[4:] + plain[:4])
    return len(plain) == IBAN_LENGTH.get(plain[:2]) and int(moved) % 97 == 1


def is_card(text: str) -> bool:
    """ISO/IEC 7812: a known scheme's beginning and a Luhn check digit."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return bool(CARDS.match(re.sub(r"\D", "", text))) and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def secrets(text: str) -> Iterator[str]:
    """The kind of every secret in a text, such as `AWS Access Key`."""
    for detector in _detectors():
        if any(True for _ in detector.analyze_string(text)):
            yield detector.secret_type


def _phone_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Numbers written with their country code: without it a date or an order number looks the same."""
    if "+" not in text:
        return
    from phonenumbers import PhoneNumberMatcher

    for match in PhoneNumberMatcher(text, None):
        yield match.start, match.end


@cache
def _detectors() -> tuple[Any, ...]:
    from importlib import import_module

    found = []
    for name in SECRET_PLUGINS:
        module, _, class_ = name.partition(".")
        found.append(getattr(import_module(f"detect_secrets.plugins.{module}"), class_)())
    return tuple(found)
