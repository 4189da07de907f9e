"""Who may call, and for how much: payers and their money, agents, API keys and sub-keys."""

from tribute.services.accounts.accounts import MILLION, MOST, Accounts, Agent, Balance, read_agent
from tribute.services.accounts.api_keys import Key, Keys, Limits, Window, check_path
from tribute.services.accounts.spending import release, reserve, spend

__all__ = [
    "MILLION",
    "MOST",
    "Accounts",
    "Agent",
    "Balance",
    "Key",
    "Keys",
    "Limits",
    "Window",
    "check_path",
    "read_agent",
    "release",
    "reserve",
    "spend",
]
