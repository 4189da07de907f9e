"""Secrets in a text: which kind, never the secret itself."""

from collections.abc import Iterator
from functools import cache
from typing import Any

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


@cache
def _detectors() -> tuple[Any, ...]:
    from importlib import import_module

    found = []
    for name in SECRET_PLUGINS:
        module, _, class_ = name.partition(".")
        found.append(getattr(import_module(f"detect_secrets.plugins.{module}"), class_)())
    return tuple(found)
