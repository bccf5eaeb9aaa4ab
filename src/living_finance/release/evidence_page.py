"""The evidence of a release for the officer of the pre-check (사전심사): one Korean page, made from the JSON and nothing else."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jinja2

from living_finance.contracts import releases as r
from living_finance.contracts.language import IN_DEVELOPMENT

_RULES = {
    "threshold_households": "공표하는 셀의 최소 가구 수(가중하지 않음)",
    "threshold_persons": "공표하는 셀의 최소 인원",
    "group_disclosure": "0과 모두가 한 구분에 속하는 경우의 비공표",
    "rounding_protects": "공표된 수를 반올림 구간으로만 아는 것으로 봄",
    "count_base": "가구·인원 수의 반올림 단위",
    "krw_year_base": "연간 금액의 반올림 단위(원)",
    "krw_month_base": "월간 금액의 반올림 단위(원)",
    "krw_base": "잔액의 반올림 단위(원)",
    "share_base": "비율의 반올림 단위",
    "ratio_base": "지니계수·변동계수의 반올림 단위",
    "share_steps": "작은 집단 비율의 반올림 배수",
    "secondary_movement": "보완 비공표 값이 움직일 수 있어야 하는 폭",
    "district_price": "자치구 값을 비공표하는 비용의 배수",
}
"""Parameter of the rules → its Korean name."""
_ACCESS = {"PUBLIC": "누구나 이용", "RESTRICTED": "승인된 이용자만 이용"}


@cache
def _template() -> jinja2.Template:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("living_finance.release", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    ).get_template("evidence.html.j2")


def evidence_page(evidence: str) -> str:
    """The page; the same evidence gives the same bytes.

    Args:
        evidence: text of `evidence.json`.

    Returns:
        HTML without a reference to any other file.
    """
    facts: dict[str, Any] = json.loads(evidence)
    withheld = dict.fromkeys(r.STATUS.codes, 0)
    for row in facts["표별 셀 수"]:
        withheld[row["status"]] += row["cells"]
    return _template().render(
        facts=facts,
        names=facts["이름"],
        channel=r.CHANNEL.label(facts["공개"]["채널"]),
        access=_ACCESS[facts["이용"]["접근"]["value"]],
        rules=_RULES,
        withheld={status: cells for status, cells in withheld.items() if status != r.PUBLISHED},
        found=sum(facts["공격별 발견 건수"].values()),
        attacks=[code for code in r.ATTACK.codes if code in facts["공격별 발견 건수"]],
        banner=IN_DEVELOPMENT.ko,
    )
