"""Instructions for texts that people wrote, back-translated by a language model, and the same instructions violated.

From a document, a main goal and about ten constraints that could have led to it; from those, constraints that differ
as little as they can and that the document violates. The method is Suri's (Pham, Sun and Iyyer, 2024, "Suri:
Multi-constraint Instruction Following for Long-form Text Generation"); the prompts are our own, and English.

A model's word is no proof. What can be checked is: the form, the number, no quotes, no words of negation, nothing left
as it was. What falls short is told to the model once; what falls short again is reported and left out.
"""

from palate.text.backtranslate.build import Build, Failure, build_with
from palate.text.backtranslate.prompts import Instruction
from palate.text.backtranslate.translators import (
    SMALLEST,
    Backtranslator,
    EndpointBacktranslator,
    LocalBacktranslator,
    Model,
)

__all__ = [
    "SMALLEST",
    "Backtranslator",
    "Build",
    "EndpointBacktranslator",
    "Failure",
    "Instruction",
    "LocalBacktranslator",
    "Model",
    "build_with",
]
