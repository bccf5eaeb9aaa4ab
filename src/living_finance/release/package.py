"""What stands in the folder of a release beside the figures: data package, DCAT, README, evidence.

Everything is made from the tables, the rules and the month: the same input gives the same bytes. p of the p% rule and
true cells are nowhere in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from living_finance.contracts import codes, publications
from living_finance.contracts import releases as r
from living_finance.contracts.core import CodeList, Column
from living_finance.contracts.language import IN_DEVELOPMENT, Words
from living_finance.dcat import BASE, Dataset, Description, File, access_right
from living_finance.months import Month
from living_finance.release.rules import ReleaseRules

_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠\t\r\n]")
"""What spreadsheets evaluate, full-width forms and leading spaces too. Source: OWASP, CSV Injection."""
_KIND_OF = {"text": "string", "code": "string", "key": "string", "decimal": "number"}


@dataclass(frozen=True)
class ReleaseName:
    """Which release this is."""

    channel: str
    month: Month
    version: int

    @property
    def release_id(self) -> str:
        """Folder name: `202001-v1`."""
        return f"{self.month}-v{self.version}"

    @property
    def base_month(self) -> str:
        """As the tables write it: `2020-01`."""
        return f"{self.month.year:04d}-{self.month.number:02d}"


def neutralised(text: str) -> str:
    """Text that no spreadsheet takes for a formula.

    >>> neutralised("=1+1"), neutralised(" ＝1"), neutralised("Sajik-dong")
    ("'=1+1", "' ＝1", 'Sajik-dong')
    """
    return "'" + text if _FORMULA.match(text) else text


def release_table(protected: pd.DataFrame, *, source: str, regions: pd.DataFrame, name: ReleaseName) -> pd.DataFrame:
    """Rows as they leave: month and region names added, columns in the order of the contract.

    Args:
        protected: rows of `release.protect`.
        source: gold table they come from.
        regions: one row per region: region_code, mois_code, region_name_ko, region_name_en; an output area has the
            names of its dong.
        name: of the release.
    """
    return _described(protected, columns=r.columns_of(source), regions=regions, name=name)


def zero_table(zeros: pd.DataFrame, *, regions: pd.DataFrame, name: ReleaseName) -> pd.DataFrame:
    """The list of structural zeros as it leaves: names, labels and evidence added.

    Args:
        zeros: of `Protected.zeros`.
        regions: as of `release_table`.
        name: of the release.
    """
    labels = {code: (ko, en) for code, ko, en in codes.DWELLING_TYPE.labels}
    evidence = {dimension: kind for kind, dimension in r.EVIDENCE_OF.items()}
    said = zeros.assign(
        category_ko=[labels[category][0] for category in zeros["category"]],
        category_en=[labels[category][1] for category in zeros["category"]],
        evidence=zeros["dimension"].map(evidence),
    )
    return _described(said, columns=r.ZERO_COLUMNS, regions=regions, name=name)


def _described(rows: pd.DataFrame, *, columns: Sequence[str], regions: pd.DataFrame, name: ReleaseName) -> pd.DataFrame:
    """Rows with month and names of their regions, all texts safe for spreadsheets."""
    named = regions[["region_code", "mois_code", "region_name_ko", "region_name_en"]]
    lookup = rows["region_code"].where(rows["region_level"] != "output_area", rows["region_code"].str[:7])
    frame = rows.assign(_lookup=lookup).merge(
        named.assign(_lookup=named["region_code"]).drop(columns="region_code"), on="_lookup", how="left", validate="many_to_one"
    )
    frame["base_month"] = name.base_month
    for column in columns:
        if column != "value":
            safe = {value: neutralised(value) for value in frame[column].dropna().unique()}
            frame[column] = frame[column].map(safe)
    return frame[list(columns)]


def datapackage(
    tables: Mapping[str, str],
    *,
    files: Mapping[str, tuple[int, str]],
    rules: ReleaseRules,
    name: ReleaseName,
    edition: int = 0,
    model: str = "",
) -> dict[str, Any]:
    """The Frictionless descriptor.

    Args:
        tables: table → gold table it comes from.
        files: path in the package → (bytes, SHA-256) of the data files.
        rules: of the channel.
        name: of the release.
        edition: number of its data; 0: not known.
        model: versions of the models that the figures rest on.
    """
    schemas = {
        table: (f"{r.SOURCES[source].label_ko} / {r.SOURCES[source].label_en}", _schema(source))
        for table, source in tables.items()
    }
    if f"data/{r.STRUCTURAL_ZEROS}.csv" in files:
        schemas[r.STRUCTURAL_ZEROS] = ("구조적 0 / structural zeros", _fields(r.ZERO_COLUMNS, key=r.ZERO_KEY))
    resources = []
    for table, (title, schema) in schemas.items():
        for path in (f"data/{table}.csv", f"data/{table}.parquet"):
            size, sha256 = files[path]
            is_csv = path.endswith(".csv")
            resources.append(
                {
                    "name": table.replace("_", "-") + ("" if is_csv else "-parquet"),
                    "path": path,
                    "title": title,
                    "format": "csv" if is_csv else "parquet",
                    "mediatype": "text/csv" if is_csv else "application/vnd.apache.parquet",
                    "bytes": size,
                    "hash": f"sha256:{sha256}",
                    **(tabular(schema) if is_csv else AS_FILE),
                }
            )
    return {
        "name": f"living-finance-{name.channel}-{name.release_id}",
        "title": f"생활금융 통계 {name.base_month} / Living-finance statistics {name.base_month}",
        "version": str(name.version),
        **({"data_edition": edition} if edition else {}),
        **({"model_version": model} if model else {}),
        "licenses": [{"name": rules.licence, "path": rules.licence_url}],
        "access_rights": access_right(rules.access.value),
        "terms_of_use": {"ko": list(rules.terms.ko), "en": list(rules.terms.en)},
        "sources": [{"title": f"{rules.publisher_ko} / {rules.publisher_en}"}],
        "statistics": [
            {
                "name": s.name,
                "population": population,
                "unit": s.unit,
                "label_ko": s.label_ko,
                "label_en": s.label_en,
                "meaning_ko": s.meaning_ko,
                "meaning_en": s.meaning,
            }
            for population, s in _statistics(tables.values())
        ],
        "resources": resources,
    }


AS_FILE = {"type": "file"}
"""Beside the CSV that has the schema: a validator compares bytes and hash, which it cannot of a Parquet table."""


def tabular(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a resource says that is a table in CSV."""
    return {"encoding": "utf-8-sig", "profile": "tabular-data-resource", "schema": schema}


def publication_resources(files: Mapping[str, tuple[int, str]]) -> list[dict[str, Any]]:
    """Resources of a data package for report and maps.

    Args:
        files: path in the package → (bytes, SHA-256).
    """
    return [
        {
            "name": path.replace("/", "-").replace(".", "-"),
            "path": path,
            "title": (publications.TITLE if path in publications.REPORTS else publications.MAPS_TITLE).both,
            "format": path.rpartition(".")[2],
            "mediatype": publications.MEDIA_TYPES[path[path.rindex(".") :]],
            "bytes": size,
            "hash": f"sha256:{sha256}",
        }
        for path, (size, sha256) in files.items()
    ]


def about_of(package: Mapping[str, Any]) -> publications.About:
    """What report and maps say of the release, by its data package; what that does not say is empty."""
    channel, _, release_id = str(package.get("name", "")).removeprefix("living-finance-").partition("-")
    first: list[dict[str, Any]] = [(package.get(key) or [{}])[0] for key in ("sources", "licenses")]
    publisher, licence = first
    korean, _, english = str(publisher.get("title", "")).partition(" / ")
    return publications.About(
        month=str(package.get("title", "")).rpartition(" ")[2],
        release=f"{channel} {release_id}",
        model=str(package.get("model_version", "")),
        publisher=Words(ko=korean, en=english),
        licence=str(licence.get("name", "")),
        licence_url=str(licence.get("path", "")),
    )


def closed_to(labels: r.Labels) -> dict[str, Any]:
    """What a table schema says of a column of codes: which there are, and what they are called; nothing of other columns."""
    if not labels:
        return {}
    named = [{"code": code, "label_ko": korean, "label_en": english} for code, korean, english in labels]
    return {"constraints": {"enum": [code for code, _, _ in labels]}, "codes": named}


def code_table(name: str, title: str, labels: r.Labels) -> str:
    """Codes of a column for a README."""
    rows = "\n".join(f"| `{code}` | {korean} | {english} |" for code, korean, english in labels)
    return f"| {name} | {title} | |\n|---|---|---|\n{rows}"


def column_table(columns: Sequence[Column]) -> str:
    """The columns of a table for a README."""
    rows = (f"| `{c.name}` | {_with(c.label_ko, c.meaning_ko)} | {_with(c.label_en, c.meaning)} | {c.unit} |" for c in columns)
    return "| column | | | unit |\n|---|---|---|---|\n" + "\n".join(rows)


def _with(label: str, meaning: str) -> str:
    return f"{label} ({meaning})" if meaning else label


def _statistics(sources: Iterable[str]) -> list[tuple[str, r.Statistic]]:
    """Population and statistic, each pair once: households and persons share names."""
    return list(dict.fromkeys((r.COUNT_OF[source], s) for source in sources for s in r.STATISTICS[source].values()))


def _statistic_table(sources: Iterable[str]) -> str:
    """What the column `statistic` can say, for a README."""
    rows = (
        f"| `{s.name}` | {_with(s.label_ko, s.meaning_ko)} | {_with(s.label_en, s.meaning)} | {s.unit} |"
        for _, s in _statistics(sources)
    )
    return "| statistic | | | unit |\n|---|---|---|---|\n" + "\n".join(rows)


def _schema(source: str) -> dict[str, Any]:
    return _fields(r.columns_of(source), key=r.sort_key(source))


def _fields(columns: Sequence[str], *, key: Sequence[str]) -> dict[str, Any]:
    """A table schema of columns and their primary key."""
    fields = []
    for column_name in columns:
        column = r.column(column_name)
        fields.append(
            {
                "name": column_name,
                "type": _KIND_OF[column.kind.value],
                "title": f"{column.label_ko} / {column.label_en}",
                "description": f"{column.meaning} [{column.measure.value}]".strip(),
                "meaning_ko": column.meaning_ko,
                "meaning_en": column.meaning,
                **closed_to(r.labels_of(column_name)),
            }
        )
    return {"fields": fields, "primaryKey": list(key), "missingValues": [""]}


_DESCRIPTION = (
    "{month} 서울시 가구와 신용거래자의 소득·부채·소비 통계로, 시·자치구·행정동·집계구별입니다. "
    "작은 값은 공표하지 않고 나머지는 반올림하였습니다. {note}.",
    "Income, debt and spending of the households and bureau persons of Seoul in {month}, by city, district, dong and "
    "output area. Small figures are withheld, all others rounded. {note}.",
)
_THEMES = ("ECON", "SOCI")
_KEYWORDS = (("생활금융", "living finance"), ("가구소득", "household income"), ("부채", "debt"), ("소비", "spending"))
_FILE_TYPES = {"csv": "CSV", "parquet": "PARQUET", "html": "HTML", "geojson": "GEOJSON"}
_STANDARDS = {
    "csv": "https://specs.frictionlessdata.io/table-schema/",
    "geojson": "https://www.rfc-editor.org/rfc/rfc7946",
}
"""Kind of file → standard that its content keeps to."""


def dcat(package: Mapping[str, Any], *, rules: ReleaseRules, name: ReleaseName) -> str:
    """The DCAT dataset as JSON-LD, keys sorted, with what DCAT-AP 3 asks for and recommends.

    Source: SEMIC, DCAT-AP 3.0 (2024), Dataset, Distribution, Agent, Kind, Period of time.
    """
    description = Description()
    dataset = description.dataset(
        Dataset(
            uri=f"{BASE}{name.channel}:{name.release_id}",
            title=_both(package["title"]),
            description=(
                _DESCRIPTION[0].format(month=name.base_month, note=IN_DEVELOPMENT.ko),
                _DESCRIPTION[1].format(month=name.base_month, note=IN_DEVELOPMENT.en),
            ),
            publisher=(rules.publisher_ko, rules.publisher_en),
            publisher_type="RegionalAuthority",
            department=(rules.department_ko, rules.department_en),
            contact=rules.contact,
            licence_url=rules.licence_url,
            first_day=name.month.date.isoformat(),
            last_day=name.month.last_day.isoformat(),
            spatial=(rules.spatial_ko, rules.spatial_en),
            spatial_url=rules.spatial_url,
            frequency="monthly",
            access=rules.access.value,
            rights=("\n".join(rules.terms.ko), "\n".join(rules.terms.en)),
            themes=_THEMES,
            conforms_to=("https://specs.frictionlessdata.io/data-package/",),
            version=str(name.version),
            keywords=_KEYWORDS,
        )
    )
    for resource in package["resources"]:
        kind = resource["format"]
        description.distribution(
            dataset,
            File(
                path=resource["path"],
                media_type=resource["mediatype"],
                size=resource["bytes"],
                sha256=resource["hash"].removeprefix("sha256:"),
                kind=_FILE_TYPES[kind],
                description=_both(resource["title"]),
                access_url=rules.access_url,
                download_url=f"{rules.download_url}{name.release_id}/{resource['path']}" if rules.download_url else "",
                licence_url=rules.licence_url,
                rights=f"{dataset}#rights",
                availability="EXPERIMENTAL",
                conforms_to=_STANDARDS.get(kind, ""),
            ),
        )
    return description.json_ld()


def _both(title: str) -> tuple[str, str]:
    """Korean and English of a title that has both."""
    korean, _, english = title.partition(" / ")
    return korean, english


def evidence(
    counts: pd.DataFrame,
    findings: pd.DataFrame,
    *,
    looked: pd.DataFrame,
    rules: ReleaseRules,
    name: ReleaseName,
    history: Sequence[str],
    useful: Mapping[str, Any],
    hashes: Mapping[str, str],
    rows: Mapping[str, Any] | None = None,
    made_by: Mapping[str, Any] | None = None,
) -> str:
    """The evidence pack for the pre-check: rules, cells before and after, the result of each attack. No true cell.

    Args:
        counts: cells by table, level, dimensions and status (`Protected.counts`).
        findings: of `release.verify`.
        looked: of `release.verify_scope`.
        rules: of the channel.
        name: of the release.
        history: releases that the attacks took in.
        useful: of `release.utility`.
        hashes: path in the package → SHA-256, of all files but the evidence itself and `checksums.sha256`.
        rows: what is to be said of row-level files.
        made_by: versions of code, models and tables that the figures were made by and from; None: not known.
    """
    limits = {
        key: {"value": value["value"], "owner": value["owner"], "source": value["source"]}
        for key, value in rules.parameters.model_dump().items()
        if not key.startswith("dominance")
    }
    cells = counts.sort_values(list(counts.columns[:-1])).to_dict("records")
    attacks = {attack: int((findings["attack"] == attack).sum()) for attack in looked["attack"]}
    objects = {row["attack"]: {"표": int(row["tables"]), "셀": int(row["cells"])} for row in looked.to_dict("records")}
    return _json(
        {
            "공개": {"채널": name.channel, "판": name.release_id, "기준월": name.base_month},
            "규칙": limits,
            "우월 규칙": "p% (값은 공개하지 않음)",
            "기법": {
                "총계처리": ["value"],
                "데이터 범주화": ["head_age_band", "age_band", "income_class"],
                "데이터 마스킹": ["status"],
            },
            "셀 수": {
                "처리 전": int(counts["cells"].sum()),
                "처리 후": int(counts.loc[counts["status"] == r.PUBLISHED, "cells"].sum()),
            },
            "표별 셀 수": cells,
            "구조적 0": [zero.model_dump(exclude_none=True) for zero in rules.structural_zeros],
            "유용성": useful,
            "이름": {
                "공격": _names(r.ATTACK),
                "상태": _names(r.STATUS),
                "표": {t.name: {"ko": r.SOURCES[t.source].label_ko, "en": r.SOURCES[t.source].label_en} for t in rules.tables},
                "원천": {name: {"ko": table.label_ko, "en": table.label_en} for name, table in r.SOURCES.items()},
                "지역 수준": _names(codes.REGION_LEVEL),
            },
            "이용": {
                "접근": rules.access.model_dump(),
                "조건": rules.terms.model_dump(mode="json"),
                "이용허락": rules.licence,
            },
            **({"생성": made_by} if made_by else {}),
            "공격별 발견 건수": attacks,
            "공격별 검사 대상": objects,
            "파일 SHA-256": dict(sorted(hashes.items())),
            "함께 검증한 공개": sorted(history),
            **({"행 자료": rows} if rows else {}),
        }
    )


_LISTED = (
    f""" 해당 월 건축물대장에 그 유형의 건물이 없는 지역이 그렇습니다.
  `data/{r.STRUCTURAL_ZEROS}.csv`에 모두 적혀 있습니다.""",
    f""" So it is in a region whose building register of the month has no building of
  the type: `data/{r.STRUCTURAL_ZEROS}.csv` lists all of these.""",
)


_EDITION = """자료 판 {0}: 같은 달의 공개 가운데 이 번호가 같은 것은 채널과 판이 달라도 같은 자료로 만들었습니다.
Data edition {0}: releases of the month with this number are made from the same data, whatever their channel and version.

"""


def readme(
    tables: Mapping[str, int],
    counts: pd.DataFrame,
    *,
    rules: ReleaseRules,
    name: ReleaseName,
    useful: Sequence[str],
    edition: int = 0,
    beside: Sequence[str] = (),
) -> str:
    """README in Korean and English.

    Args:
        tables: table → rows.
        counts: as in `evidence`.
        rules: of the channel.
        name: of the release.
        useful: lines of `release.utility`.
        edition: number of its data; 0: not known.
        beside: paths of report and maps.
    """
    p = rules.parameters
    zeros = int(counts["zeros"].sum())
    listed = _LISTED if r.STRUCTURAL_ZEROS in tables else ("", "")
    total, shown = counts["cells"].sum(), counts.loc[counts["status"] == r.PUBLISHED, "cells"].sum()
    listing = "\n".join(f"| `data/{table}.csv`, `.parquet` | {rows:,} |" for table, rows in tables.items())
    listing += "".join(f"\n| `{path}` | |" for path in beside)
    of_tables = [r.columns_of(table.source) for table in rules.tables]
    of_tables += [r.ZERO_COLUMNS] if r.STRUCTURAL_ZEROS in tables else []
    columns = dict.fromkeys(column for names in of_tables for column in names)
    dictionary = column_table([r.column(column) for column in columns])
    named = {column: (f"{r.column(column).label_ko} / {r.column(column).label_en}", r.labels_of(column)) for column in columns}
    listed_codes = "\n\n".join(code_table(column, title, labels) for column, (title, labels) in named.items() if labels)
    data = _EDITION.format(edition) if edition else ""
    return f"""# 생활금융 통계 {name.base_month} ({name.release_id}) / Living-finance statistics

{rules.publisher_ko} / {rules.publisher_en} · {rules.licence} <{rules.licence_url}>
{rules.department_ko} / {rules.department_en} <{rules.contact}>

## 이용 조건 / Terms of use
{_ACCESS[rules.access.value]} <{access_right(rules.access.value)}>

{_list(rules.terms.ko)}

{_list(rules.terms.en)}

## 파일 / Files
| file | rows |
|---|---|
{listing}

## 읽는 법
- 한 행은 지역 × 구분 × 통계 항목 하나입니다. 구분 열의 `all`은 합계입니다.
- 값(`value`)은 상태(`status`)가 `published`인 경우에만 있습니다.
- 가구·인원 수는 {p.count_base.value} 단위, 연간 금액은 {p.krw_year_base.value:,}원,
  월간 금액은 {p.krw_month_base.value:,}원 단위로 반올림하였습니다. **합계는 부분의 합과 다를 수 있습니다.**
- 구성 가구·인원이 {p.threshold_households.value} 미만인 값, 구성원이 없는 구분, 그리고 이들을 계산해 낼 수 있게 하는 값은
  공표하지 않습니다. 전체 {total:,}개 셀 가운데 {shown:,}개를 공표합니다(그 가운데 {zeros:,}개는 0).
- **0은 아무도 있을 수 없는 구분에만 적습니다.**{listed[0]} 그 밖의 0은 공표하지 않습니다.
- 분위수 p는 누적 가중치가 p × 전체에 이르는 가장 작은 값입니다.
- {IN_DEVELOPMENT.ko}.

## How to read it
- One row is a region × categories × statistic; `all` is the margin. `value` is there only where `status` is `published`.
- Counts are rounded to {p.count_base.value}, yearly amounts to {p.krw_year_base.value:,} KRW, monthly ones to
  {p.krw_month_base.value:,} KRW. **Totals need not equal the sum of their parts.**
- Figures of fewer than {p.threshold_households.value} households or persons, empty categories, and figures by which they could be
  worked out are withheld: {shown:,} of {total:,} cells are published, {zeros:,} of them as 0.
- **A 0 stands only where nobody can be.**{listed[1]} Any other zero is withheld.
- Quantile p is the smallest value whose cumulative weight reaches p × total.
- {IN_DEVELOPMENT.en}.

{data}## 데이터 사전 / Data dictionary
{dictionary}

{_statistic_table(table.source for table in rules.tables)}

## 코드 / Codes
{listed_codes}

## 유용성 / Utility
{chr(10).join(useful)}
"""


_ACCESS = {
    "PUBLIC": "누구나 이용할 수 있습니다. / Open to everybody.",
    "RESTRICTED": "승인된 이용자만 이용할 수 있습니다. / Restricted to admitted users.",
}


def _names(listing: CodeList) -> dict[str, dict[str, str]]:
    return {code: {"ko": korean, "en": english} for code, korean, english in listing.labels}


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def datapackage_text(package: Mapping[str, Any]) -> str:
    """`datapackage.json`."""
    return _json(package)
