"""Who may call, and for how much: payers and their money, agents, API keys and sub-keys."""

from tribute.services.accounts.accounts import MOST, Accounts, Balance
from tribute.services.accounts.api_keys import Key, Keys, Limits, Window
from tribute.services.accounts.spending import release, reserve, spend

__all__ = ["MOST", "Accounts", "Balance", "Key", "Keys", "Limits", "Window", "release", "reserve", "spend"]
