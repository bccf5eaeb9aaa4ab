"""The first pages: summary, main figures, changes, months."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from living_finance.contracts import codes
from living_finance.months import Month
from living_finance.reports import charts
from living_finance.reports.author import GINI, INDICATORS, MAN, MEAN, MEDIAN, Author, find_indicator, published
from living_finance.reports.data import month_text
from living_finance.reports.document import Block, Figure, Grid, Section, Text
from living_finance.reports.formats import (
    MARKS,
    NONE,
    amount,
    is_missing,
    percent,
    reliability_label,
    value_in,
    with_error,
)
from living_finance.reports.policy import method_of
from living_finance.reports.regional import spread_of_income

_DISTRICTS_OF_THE_CITY = 25
_CHANGED = tuple(find_indicator(key) for key in ("mean_income", "debt", "spending", "gini", "poverty"))


def summary(author: Author) -> Iterator[str]:
    """The sentences at the top."""
    data, language = author.data, author.language
    mean = author.level(INDICATORS[0], data.region)
    median = author.level(INDICATORS[1], data.region)
    when = author.say(f"{data.month.year}년 {data.month.number}월", month_text(data.month))
    if not is_missing(mean.value) and not is_missing(median.value):
        error = "" if is_missing(mean.error) else amount(float(mean.error), language)  # type: ignore[arg-type]
        in_brackets = author.say(
            f"(표준오차 {error}, {reliability_label(mean.reliability, language)})",
            f" (standard error {error}, {reliability_label(mean.reliability, language)})",
        )
        of_middle = "" if is_missing(median.error) else amount(float(median.error), language)  # type: ignore[arg-type]
        behind = author.say(f"(표준오차 {of_middle})", f" (standard error {of_middle})") if of_middle else ""
        high, middle = amount(float(mean.value), language), amount(float(median.value), language)  # type: ignore[arg-type]
        yield author.say(
            f"{when} {author.name} 가구의 평균 총소득은 연 {high}{in_brackets if error else ''}, "
            f"중위 총소득은 연 {middle}{behind}이다.",
            f"In {when} the mean total income of households in {author.name} was {high} a year{in_brackets if error else ''}, "
            f"the median {middle} a year{behind}.",
        )
    debt, spending = (author.level(find_indicator(key), data.region) for key in ("debt", "spending"))
    if not is_missing(debt.value) and not is_missing(spending.value):
        owed, spent = amount(float(debt.value), language), amount(float(spending.value), language)  # type: ignore[arg-type]
        share = author.level(find_indicator("share_with_debt"), data.region)
        held = "" if is_missing(share.value) else percent(float(share.value))  # type: ignore[arg-type]
        yield author.say(
            f"가구당 평균 부채는 {owed}" + (f"(부채 보유 가구 {held}%)" if held else "") + f", 소비지출은 월평균 {spent}이다.",
            f"Mean debt was {owed} a household" + (f" ({held} % have debt)" if held else "") + f", spending {spent} a month.",
        )
    gini = author.level(find_indicator("gini"), data.region)
    if is_missing(gini.value):
        gini = author.level(find_indicator("gini_households"), data.region)
        what = author.say("가구 총소득의 지니계수", "The Gini coefficient of household income")
    else:
        what = author.say("균등화소득의 지니계수", "The Gini coefficient of equivalised income")
    if not is_missing(gini.value):
        yield author.say(f"{what}는 {gini.shown()}이다.", f"{what} was {gini.shown()}.")
    for since in sorted(data.changes, reverse=True):
        yield from _change_sentence(author, since)


def _change_sentence(author: Author, since: Month) -> Iterator[str]:
    changes = {indicator: author.change(indicator, since, author.data.region) for indicator in INDICATORS}
    known = {i: e for i, e in changes.items() if not is_missing(e.value) and not is_missing(e.error)}
    if not known:
        return
    beyond = [i for i, e in known.items() if e.is_beyond_error]
    when = month_text(since)
    if not beyond:
        yield author.say(
            f"{when} 대비 변화는 비교한 {len(known)}개 지표 모두 오차 범위 안에 있다.",
            f"Since {when} none of the {len(known)} indicators compared has changed by more than its error.",
        )
        return
    listed = ", ".join(
        f"{i.label[author.language == 'en']} {known[i].change(author.language)} ({author.unit(i, True)})" for i in beyond
    )
    yield author.say(
        f"{when} 대비 오차를 넘는 변화: {listed}. 나머지 {len(known) - len(beyond)}개 지표는 오차 범위 안이다.",
        f"Changed beyond its error since {when}: {listed}; the other {len(known) - len(beyond)} indicators are within theirs.",
    )


def overview(author: Author) -> Section:
    """Main figures of the region."""
    data, language = author.data, author.language
    rows = []
    has_error_alone = False
    for indicator in INDICATORS:
        estimate = author.level(indicator, data.region)
        if is_missing(estimate.value):
            continue
        is_without_class = is_missing(estimate.reliability) and not is_missing(estimate.error)
        has_error_alone |= is_without_class
        value, error = with_error(indicator.unit, estimate.value, estimate.error)
        mark = f" {MARKS[estimate.reliability]}".rstrip() if estimate.reliability else ""
        rows.append(
            (
                f"{indicator.label[language == 'en']} ({author.unit(indicator)})",
                value + mark,
                f"± {error}" if error else NONE,
                NONE if is_without_class else reliability_label(estimate.reliability, language),
            )
        )
    header = (
        author.say("지표 (단위)", "indicator (unit)"),
        author.say("값", "value"),
        author.say("표준오차", "standard error"),
        author.say("신뢰 등급", "reliability"),
    )
    tables = ["household_statistics", *(f"analyse {i.analysis}" for i in INDICATORS if i.analysis in author.analyses)]
    blocks: list[Block] = [
        Text(
            (
                author.say(
                    "소득은 세전 총소득으로 최근 12개월의 연간 금액, 부채는 월말 잔액, 소비지출은 그 달의 금액이다. "
                    "균등화소득은 가구소득을 가구원수의 제곱근으로 나눈 것이다.",
                    "Income is gross, of the last twelve months, a year; "
                    "debt is the balance at the end of the month; spending "
                    "is that of the month. Equivalised income is household income divided by the square root of the members.",
                ),
                *_partial_city(author),
            )
        ),
        Grid(
            caption=author.say(f"{author.name} 주요 지표", f"Main figures of {author.name}"),
            header=header,
            rows=tuple(rows),
            origin=data.origin(*dict.fromkeys(tables)),
            notes=(author.marks(), *([author.error_alone()] if has_error_alone else [])),
        ),
    ]
    return Section(key="overview", title=author.say("주요 지표", "Main figures"), blocks=tuple(blocks))


def _partial_city(author: Author) -> Iterator[str]:
    """The demo, a pilot: the delivered area is not the whole city."""
    districts = author.data.at(author.data.month, level="gu")
    if author.data.region == codes.CITY_CODE and 0 < len(districts) < _DISTRICTS_OF_THE_CITY:
        listed = ", ".join(author.data.name(code, author.language) for code in districts["region_code"])
        yield author.say(
            f"자료가 있는 자치구는 {_DISTRICTS_OF_THE_CITY}개 중 {len(districts)}개({listed})이며, 시 값은 이들만의 합계이다.",
            f"Figures of the city are those of {len(districts)} of its {_DISTRICTS_OF_THE_CITY} districts ({listed}).",
        )


def changes(author: Author) -> Section:
    """Changes, shown only beyond their error."""
    data, language = author.data, author.language
    title = author.say("변화", "Changes")
    if not data.changes:
        why = author.say(
            "공개 패키지에는 변화의 오차가 없어 변화를 싣지 않는다." if data.is_public else "비교할 앞선 달이 아직 없다.",
            "A release has no errors of changes, so that none are shown."
            if data.is_public
            else "There is no earlier month to compare with yet.",
        )
        return Section(key="changes", title=title, blocks=(Text((why,)),))
    order = sorted(data.changes, reverse=True)
    rows = []
    for indicator in INDICATORS:
        found = [author.change(indicator, since, data.region) for since in order]
        if any(not is_missing(estimate.value) for estimate in found):
            label = f"{indicator.label[language == 'en']} ({author.unit(indicator, True)})"
            rows.append((label, *(estimate.change(language) for estimate in found)))
    header = (
        author.say("지표 (단위)", "indicator (unit)"),
        *(author.say(f"{month_text(m)} 대비", f"since {month_text(m)}") for m in order),
    )
    by_region = [
        (
            data.name(code, language),
            *(author.change(i, order[0], code).change(language) for i in _CHANGED),
        )
        for code in data.at(data.month, level=data.child_level)["region_code"]
    ]
    blocks: list[Block] = [
        Text(
            (
                author.say(
                    "변화는 오차(1.96 표준오차)를 넘는 경우에만 값을 싣는다. 오차는 두 달에 함께 있는 가구의 공분산을 "
                    "반영한 것이며, 소득 모형과 가구화의 오차는 포함하지 않는다.",
                    "A change is shown only where it exceeds 1.96 standard "
                    "errors. The error takes in the covariance of households "
                    "that are there in both months, and leaves out those of the income model and of householding.",
                ),
            )
        ),
    ]
    if rows:
        blocks.append(
            Grid(
                caption=author.say(f"{author.name} 지표의 변화", f"Changes in {author.name}"),
                header=header,
                rows=tuple(rows),
                origin=data.origin("analyse change", months=(order[-1], data.month)),
            )
        )
    if any(cell != NONE for _, *cells in by_region for cell in cells):
        blocks.append(
            Grid(
                caption=author.say(
                    f"{author.level_word()}별 변화, {month_text(order[0])} 대비",
                    f"Changes by {author.level_word()} since {month_text(order[0])}",
                ),
                header=(
                    author.level_word(),
                    *(f"{i.label[language == 'en']} ({author.unit(i, True)})" for i in _CHANGED),
                ),
                rows=tuple(by_region),
                origin=data.origin("analyse change", months=(order[0], data.month)),
                is_long=len(by_region) > 30,
            )
        )
    compared = [*sorted(order), data.month]
    levels = pd.concat([data.at(month, region=data.region) for month in compared], ignore_index=True)
    before_and_after = spread_of_income(
        author,
        levels.assign(label=[month_text(Month.parse(month)) for month in levels["base_month"]]),
        first=author.say("기준월", "month"),
        captions=(
            author.say(f"{author.name} 가구 총소득의 분포, 전후", f"Household income in {author.name}, before and after"),
            author.say("총소득 분포의 전후 비교", "Distribution of total income, before and after"),
        ),
        key="spread-before-after",
        origin=data.origin("household_statistics", months=tuple(compared)),
    )
    if before_and_after is not None and len(levels) > 1:
        blocks.append(before_and_after)
    blocks.append(method_of(data.changes[order[0]], language))
    return Section(key="changes", title=title, blocks=tuple(blocks))


def series(author: Author) -> Section:
    """Months of the series, with their errors."""
    data, language = author.data, author.language
    months = data.months
    own = {month: data.at(month, region=data.region).iloc[0] for month in months}
    rows = tuple(
        (
            month_text(month),
            published(row, MEAN, "KRW/year").shown(),
            published(row, MEDIAN, "KRW/year").shown(),
            value_in("KRW", row.get("mean_debt_krw")),
            value_in("KRW/month", row.get("mean_spending_krw_month")),
            published(row, GINI, "index").shown(),
            reliability_label(row.get("reliability"), language),
        )
        for month, row in own.items()
    )
    grid = Grid(
        caption=author.say(f"{author.name} 월별 지표", f"{author.name} by month"),
        header=(
            author.say("기준월", "month"),
            *author.heads("mean_income", "median_income", "debt", "spending", "gini_households"),
            author.say("신뢰 등급", "reliability"),
        ),
        rows=rows,
        origin=data.origin("household_statistics", months=months),
        notes=(author.class_of_mean(), author.marks()),
    )
    title = author.say("시계열", "Over time")
    if len(months) < 2:
        text = author.say("자료가 한 달뿐이어서 시계열 그림은 없다.", "There is one month only, so no line is drawn.")
        return Section(key="series", title=title, blocks=(Text((text,)), grid))
    drawn = pd.DataFrame(
        [
            {"month": month_text(m), "value": e.value, "error": e.error}
            for m, row in own.items()
            if not is_missing((e := published(row, MEAN, "KRW/year")).value)
        ]
    )
    drawn = drawn.assign(value=drawn["value"].astype(float) * MAN, error=drawn["error"].astype(float) * MAN)
    label = author.head("mean_income")
    first, last = drawn.iloc[0], drawn.iloc[-1]
    figure = Figure(
        caption=author.say(f"{author.name} 평균 총소득 추이", f"Mean total income of {author.name} over time"),
        alternative=author.say(
            f"{label}: {first['month']} {first['value']:,.0f}에서 {last['month']} {last['value']:,.0f}까지 {len(drawn)}개월. "
            "띠는 95% 구간이다.",
            f"{label}: from {first['value']:,.0f} in {first['month']} to {last['value']:,.0f} in {last['month']}, "
            f"{len(drawn)} months. The band is the 95 % interval.",
        ),
        chart=charts.series(drawn, title=label, months=author.say("기준월", "month")),
        key="series",
        origin=data.origin("household_statistics", months=months),
        notes=(
            author.say(
                "띠(95% 구간)는 각 달 수준의 오차이다. 달 사이의 변화는 ‘변화’의 오차로 판단한다.",
                "The band (95 % interval) is the error of each month's level; changes are judged by their own errors above.",
            ),
        ),
        table=grid,
    )
    return Section(key="series", title=title, blocks=(figure,))
