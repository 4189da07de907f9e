"""What people get to read: dataset cards, Croissant metadata, receipts."""

from tribute.contributions.cards.dataset_card import write_card
from tribute.contributions.cards.receipt import write_receipts
from tribute.contributions.cards.review_page import review_page

__all__ = [
    "review_page",
    "write_card",
    "write_receipts",
]
