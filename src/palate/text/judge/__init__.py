"""A language model as judge of what a text does, and of which of two instructions led to it.

A judge's word counts only with a quote that stands in the text, and a win only in both orders. Even so it is one
model's opinion: of Suri's texts, strong models agreed with the majority of people in 13 to 39 % of cases (Pham, Sun
and Iyyer, 2024). So a report carries either its agreement with people's labels or the word "uncalibrated".
"""

from palate.text.judge.agreement import Agreement, agreement, kappa
from palate.text.judge.judging import UNCALIBRATED, Choice, Judge, Report, Verdict

__all__ = ["UNCALIBRATED", "Agreement", "Choice", "Judge", "Report", "Verdict", "agreement", "kappa"]
