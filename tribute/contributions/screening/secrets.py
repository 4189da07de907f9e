"""Rows with a secret: which kind, never the secret itself."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from tribute.contributions.screening.findings import Check, Finding, Reason, Rows, Screening

SECRET = Reason(
    "secret",
    "hold",
    "holds a key or password",
    "Revoke the secret, and contribute the row again without it.",
)
SECRET_PLUGINS = (
    *("artifactory.ArtifactoryDetector", "aws.AWSKeyDetector", "azure_storage_key.AzureStorageKeyDetector"),
    *("basic_auth.BasicAuthDetector", "discord.DiscordBotTokenDetector", "github_token.GitHubTokenDetector"),
    *("gitlab_token.GitLabTokenDetector", "jwt.JwtTokenDetector", "mailchimp.MailchimpDetector", "npm.NpmDetector"),
    *("openai.OpenAIDetector", "private_key.PrivateKeyDetector", "pypi_token.PypiTokenDetector"),
    *("sendgrid.SendGridDetector", "slack.SlackDetector", "square_oauth.SquareOAuthDetector"),
    *("stripe.StripeDetector", "telegram_token.TelegramBotTokenDetector", "twilio.TwilioKeyDetector"),
)
"""Detectors of detect-secrets that know a secret by its form; those that guess by entropy are left out."""


def secrets(text: str) -> Iterator[str]:
    """The kind of every secret in a text, such as `AWS Access Key`."""
    for detector in _detectors():
        if any(True for _ in detector.analyze_string(text)):
            yield detector.secret_type


def rows_with_secrets(rows: Rows) -> Iterator[Finding]:
    """Rows with a private key, a password in a URL or a service's access key."""
    for row in rows:
        if kinds := list(dict.fromkeys((*secrets(row.row.text), *secrets(row.row.target)))):
            yield Finding(row, SECRET, None, 1.0, 1.0, "detect-secrets", ", ".join(kinds))


@cache
def _detectors() -> tuple[Any, ...]:
    names = [name.partition(".") for name in SECRET_PLUGINS]
    return tuple(getattr(import_module(f"detect_secrets.plugins.{module}"), class_)() for module, _, class_ in names)


def _find(screening: Screening) -> list[Finding]:
    return list(rows_with_secrets(screening.rows)) if screening.policy.secrets else []


CHECK = Check(SECRET, "row", _find)
