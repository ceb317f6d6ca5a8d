"""Chat completions from an OpenAI-compatible address: nothing lost, nothing paid twice, never over the budget.

Requests go to the one address that the user gave: no redirect is followed, no proxy is asked, TLS is verified, and
plain http is for this machine only. The key comes from the variable PALATE_ENDPOINT_KEY and is written nowhere.

`answers.jsonl` in a folder is both cache and ledger. A line stands there before a request is sent, and its answer is
written through to the disk before it is used. So after a kill every answer that came is there, and every request whose
answer did not is known: it may have been charged, counts with its worst case against the budget, and is asked again.
So is, in a next run, a request whose answers were of no use.
"""

from palate.text.endpoint.client import Endpoint
from palate.text.endpoint.journal import Journal
from palate.text.endpoint.ledger import Answer, Bill, Dialect, OverBudget, Price, Request, Terms, Unanswered

__all__ = [
    "Answer",
    "Bill",
    "Dialect",
    "Endpoint",
    "Journal",
    "OverBudget",
    "Price",
    "Request",
    "Terms",
    "Unanswered",
]
