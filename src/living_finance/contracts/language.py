"""The two languages of what people read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

Language = Literal["ko", "en"]


@dataclass(frozen=True, kw_only=True)
class Words:
    """A text in both languages.

    >>> Words(ko="지니계수", en="Gini").of("ko"), Words.same("Wilson (1927)").of("ko")
    ('지니계수', 'Wilson (1927)')
    """

    ko: str
    en: str

    @classmethod
    def same(cls, text: str) -> Self:
        """What is written alike in both, as a citation is."""
        return cls(ko=text, en=text)

    def of(self, language: Language) -> str:
        """The text in one language."""
        return self.ko if language == "ko" else self.en
