"""The two languages of what people read."""

from __future__ import annotations

from collections.abc import Mapping
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

    @property
    def both(self) -> str:
        """Both, where a text has one place for the two."""
        return f"{self.ko} / {self.en}"


IN_DEVELOPMENT = Words(
    ko="개발 중: 국가통계 승인 전 시험 통계", en="In development: experimental, not a nationally approved statistic"
)
"""Said of every figure until the statistic is nationally approved: reports, views, answers, files."""
NOTICE: Mapping[str, str] = {"notice_ko": IN_DEVELOPMENT.ko, "notice_en": IN_DEVELOPMENT.en}
"""Columns by which a file of rows says so (decision 0041)."""
