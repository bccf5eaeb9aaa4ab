"""What a reason (`column:rule` in edits and set-aside rows) says: what becomes of the row, what it counts against."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Outcome(enum.Enum):
    """What the rule does."""

    EDITED = "수정"
    QUARANTINED = "격리"
    REMOVED = "제외"


@dataclass(frozen=True)
class EditRule:
    """One rule; the column it is about stands before it in the reason."""

    name: str
    outcome: Outcome
    dimension: str | None
    """Of quality.DIMENSION that it counts against; None: the row is sound, but not of the population."""
    label_ko: str
    label_en: str


EDIT_RULES: dict[str, EditRule] = {
    rule.name: rule
    for rule in (
        EditRule("missing", Outcome.QUARANTINED, "completeness", "필수값 결측", "a required value is missing"),
        EditRule("imputed", Outcome.EDITED, "completeness", "결측 대체(핫덱)", "a missing value is taken from a similar person"),
        EditRule(
            "imputed_zero", Outcome.EDITED, "completeness", "결측 대체(0)", "a missing value becomes 0: nobody could lend one"
        ),
        EditRule("wrong_type", Outcome.QUARANTINED, "validity", "형식 오류", "not of the column's type"),
        EditRule("unknown_code", Outcome.QUARANTINED, "validity", "미정의 코드", "not in the code list"),
        EditRule("unknown_dong", Outcome.QUARANTINED, "validity", "미정의 행정동", "no dong that is valid in the month"),
        EditRule("unknown_gu", Outcome.QUARANTINED, "validity", "미정의 자치구", "no district that is valid in the month"),
        EditRule("not_a_key", Outcome.QUARANTINED, "validity", "식별자 형식 오류", "other than letters and digits"),
        EditRule("control_character", Outcome.QUARANTINED, "validity", "제어 문자", "holds a control character"),
        EditRule("below_range", Outcome.QUARANTINED, "validity", "하한 미만", "below its range"),
        EditRule("above_range", Outcome.QUARANTINED, "validity", "상한 초과", "above its range"),
        EditRule("outside_korea", Outcome.EDITED, "validity", "좌표 범위 밖(표시만)", "coordinates outside Korea, marked"),
        EditRule("not_positive", Outcome.REMOVED, "validity", "양수 아님", "a weight that is not above 0"),
        EditRule("not_positive_as_missing", Outcome.EDITED, "validity", "양수 아님: 결측으로", "not above 0, taken as missing"),
        EditRule("unit_slip", Outcome.EDITED, "validity", "단위 오류(×1000)", "sent in the wrong unit, divided"),
        EditRule("outlier", Outcome.EDITED, "validity", "이상치 대체", "implausible in its group, replaced"),
        EditRule("negative_as_missing", Outcome.EDITED, "validity", "음수를 결측으로", "below 0, taken as missing"),
        EditRule("zero_as_missing", Outcome.EDITED, "validity", "0을 결측으로", "0, taken as missing"),
        EditRule("zero_as_one", Outcome.EDITED, "validity", "0을 1로", "0, taken as 1"),
        EditRule("below_one_as_missing", Outcome.EDITED, "validity", "1 미만을 결측으로", "below 1, taken as missing"),
        EditRule("implausible_as_missing", Outcome.EDITED, "validity", "불합리값을 결측으로", "implausible, taken as missing"),
        EditRule("conflicting_rows", Outcome.QUARANTINED, "uniqueness", "동일인 상충", "rows of one person that disagree"),
        EditRule("repeated", Outcome.REMOVED, "uniqueness", "중복 행", "a row that was sent before"),
        EditRule(
            "zero_for_amount", Outcome.EDITED, "consistency", "지급액 대비 수급자 0", "an amount without recipients, marked"
        ),
        EditRule(
            "zero_for_recipients", Outcome.EDITED, "consistency", "수급자 대비 지급액 0", "recipients without an amount, marked"
        ),
        EditRule(
            "not_in_buildings", Outcome.EDITED, "consistency", "건물 목록에 없음", "an address that the buildings list lacks"
        ),
        EditRule(
            "conflicts_with_building", Outcome.EDITED, "consistency", "건물과 행정동 불일치", "another dong than the building's"
        ),
        EditRule("true", Outcome.REMOVED, None, "사망자", "deceased"),
        EditRule("unknown_residence", Outcome.REMOVED, None, "거소불명자", "registered, known not to live there"),
        EditRule("overseas", Outcome.REMOVED, None, "해외체류자", "registered, living abroad"),
        EditRule("later", Outcome.REMOVED, None, "이후 유효", "valid from a later month on"),
        EditRule("earlier", Outcome.REMOVED, None, "유효 종료", "valid to an earlier month"),
    )
}
"""Rule → what it means, for every rule that a reason may name."""


def rule_of(reason: str) -> EditRule | None:
    """The rule of a reason; None where it is not known here.

    >>> rule_of("labour_income_krw_year:imputed").dimension
    'completeness'
    """
    return EDIT_RULES.get(reason.rpartition(":")[2])
