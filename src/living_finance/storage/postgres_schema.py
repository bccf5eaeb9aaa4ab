"""The utilization database as SQL text, derived from the contracts: schemas, tables, row security, grants, comments, views.

Pure: `storage.postgres` runs it. Needs PostgreSQL 15 (views that run as whoever reads them).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from living_finance.contracts.core import Column, Kind, Table
from living_finance.contracts.gold import HOUSEHOLD, HOUSEHOLD_STATISTICS
from living_finance.contracts.language import IN_DEVELOPMENT
from living_finance.contracts.silver import BASE_MONTH, GU_CODE, REGION, REGION_COLUMNS
from living_finance.contracts.utilization import (
    ANALYST,
    BUILDING_GRID,
    COMMON_LABELS,
    GRID_METRES,
    HOUSEHOLD_CUBE,
    HOUSEHOLD_GRID,
    LABELS,
    OUTPUT_AREA_GRID,
    OWNER,
    PUBLISHED,
    READER,
    Published,
)
from living_finance.months import Month

STATISTICS, RESTRICTED, STAGING, ACCESS = "statistics", "restricted", "staging", "access"
"""Schemas beside those of the layers: views for readers, views for analysts, months being loaded, grants and publications."""

_TYPES: dict[Kind, str] = {
    Kind.TEXT: "text",
    Kind.KEY: "text",
    Kind.CODE: "text",
    Kind.MONTH: "date",
    Kind.INTEGER: "integer",
    Kind.COUNT: "bigint",
    Kind.MONEY: "bigint",
    Kind.AMOUNT: "double precision",
    Kind.DECIMAL: "double precision",
    Kind.FLAG: "boolean",
}

_PERSON = f"(case when current_user in ('{OWNER}', '{READER}', '{ANALYST}') then session_user else current_user end)"
"""Who reads: the login itself, also where it has put on one of the groups' roles (`set role`, as `query --role` does)."""
_DISTRICTS = f"""select gu_code from {ACCESS}.district_grant
    where grantee = {_PERSON} and current_date <= coalesce(valid_until, 'infinity')"""


def quoted(name: str) -> str:
    """An identifier; some columns are SQL words (`table`)."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text constant."""
    return "'" + text.replace("'", "''") + "'"


def relation(table: Table) -> str:
    """`gold.household`: schemas are the layers."""
    return f"{table.layer.value}.{table.name}"


def partition(table: Table, month: Month) -> str:
    """Name, without schema, of the table of one month."""
    return f"{table.name}_{month}"


def roles() -> Iterator[str]:
    """The group roles, where they are missing; for whoever may create roles. Analysts are readers too."""
    for role in (OWNER, READER, ANALYST):
        yield f"""do $$ begin create role {role} nologin; exception when duplicate_object then null; end $$"""
    yield f"grant {READER} to {ANALYST}"


def definition() -> list[str]:
    """Everything but the months, repeatable; run as the owner in one transaction."""
    return [
        *_schemas(),
        *_access(),
        *(statement for published in PUBLISHED for statement in _table(published)),
        *_lookups(),
        *_views(),
        *_grants(),
    ]


def fingerprint() -> str:
    """Changes with anything that `definition` says, or that checks on a month say."""
    checks = [f"{relation(p.table)} {name} {sql}" for p in PUBLISHED for name, sql in p.table.constraints().items()]
    return hashlib.sha256("\n".join([*definition(), *checks]).encode()).hexdigest()[:16]


def staging_table(table: Table, month: Month) -> Iterator[str]:
    """An empty table of one month with every check of the contract, so that attaching it reads no row again."""
    name = f"{STAGING}.{partition(table, month)}"
    yield f"drop table if exists {name}"
    yield f"create table {name} (like {relation(table)} including comments)"
    month_check = f"base_month is not null and base_month = date {literal(str(month.date))}"
    for check, sql in {"of_the_month": month_check, **table.constraints()}.items():
        yield f"alter table {name} add constraint {check} check ({sql})"


def finish_staging(table: Table, month: Month) -> Iterator[str]:
    """Key, index, statistics and row security of a loaded table; nobody is granted anything on it."""
    name = f"{STAGING}.{partition(table, month)}"
    yield f"alter table {name} add primary key ({', '.join(map(quoted, table.key))})"
    if "gu_code" in table.column_names:
        yield f"create index on {name} (gu_code)"
    yield f"alter table {name} enable row level security, force row level security"
    yield f"analyze {name}"


def swap(table: Table, month: Month) -> Iterator[str]:
    """The month's partition gives way to the staged one."""
    name = partition(table, month)
    yield f"drop table if exists {table.layer.value}.{name}"
    yield f"alter table {STAGING}.{name} set schema {table.layer.value}"
    value = literal(str(month.date))
    yield f"alter table {relation(table)} attach partition {table.layer.value}.{name} for values in ({value})"


def column_list(table: Table) -> str:
    """Columns in the contract's order, for COPY."""
    return ", ".join(map(quoted, table.column_names))


def _schemas() -> Iterator[str]:
    layers = {published.table.layer.value for published in PUBLISHED}
    for schema in (*sorted(layers), STATISTICS, RESTRICTED, STAGING, ACCESS):
        yield f"create schema if not exists {schema}"
        yield f"revoke all on schema {schema} from public"


_PUBLICATION: Mapping[str, str] = {
    "publication_id": "공표 번호 / number of the publication, in the order of time",
    "base_month": f"{BASE_MONTH.label_ko} / {BASE_MONTH.label_en}",
    "published_at": "공표 시각 / when the month was swapped in",
    "published_by": "공표자 / database login that published it",
    "definition": "정의 지문 / hash of the definition of tables and views at that time",
    "facts": "델타 버전, 행 수, 모형 버전 / tables with Delta version and rows, models with version and run, deliveries",
}
_BOUNDARY: Mapping[str, str] = {
    "boundary_year": "경계 기준연도 / year of the boundaries",
    "geojson": "경계 / boundary: GeoJSON geometry, WGS 84, simplified",
    "source": "경계 출처 / source of the boundaries",
}
"""Column → what it is, of tables that are in the database only and that views show."""


def _access() -> Iterator[str]:
    yield f"""create table if not exists {ACCESS}.publication (
        publication_id bigint generated always as identity primary key,
        base_month date not null,
        published_at timestamptz not null default now(),
        published_by text not null default session_user,
        definition text not null,
        facts jsonb not null)"""
    yield f"""comment on table {ACCESS}.publication is
        '공표 이력 / publications: one row each time a month was swapped in; the newest of a month is what is there'"""
    yield from _column_comments(f"{ACCESS}.publication", _PUBLICATION)
    yield f"""create table if not exists {ACCESS}.district_grant (
        grantee text not null, gu_code text not null, valid_until date,
        granted_by text not null default session_user, granted_at timestamptz not null default now(), reason text,
        primary key (grantee, gu_code))"""
    yield f"""comment on table {ACCESS}.district_grant is
        '자치구별 열람 권한 / districts whose household rows a database login may read; the login is also in {ANALYST}'"""
    yield from _column_comments(
        f"{ACCESS}.district_grant",
        {
            "grantee": "열람자 / database login that may read",
            "gu_code": comment(GU_CODE),
            "valid_until": "열람 종료일 / last day of the grant; empty: no end",
            "granted_by": "부여자 / database login that granted it",
            "granted_at": "부여 시각 / when it was granted",
            "reason": "사유 / why it was granted",
        },
    )
    yield f"""create table if not exists {ACCESS}.read_record (
        read_id bigint generated always as identity primary key, read_at timestamptz not null default now(),
        login text not null default session_user, person text not null, role text not null, statement text not null,
        rows bigint)"""
    yield f"""comment on table {ACCESS}.read_record is
        '열람 기록 / reads through living-finance query in a role that sees household rows: who, when, what, rows'"""
    yield from _column_comments(
        f"{ACCESS}.read_record",
        {
            "read_id": "기록 번호 / number of the record, in the order of time",
            "read_at": "열람 시각 / when it was asked",
            "login": "접속 계정 / database login",
            "person": "열람자 / person, as the machine that asked knows him",
            "role": "역할 / role the question was asked in",
            "statement": "질의문 / the question",
            "rows": "행 수 / rows of the answer; empty: there was none",
        },
    )
    yield f"""create table if not exists {STAGING}.loaded (
        target text not null, part integer not null, row_count bigint not null, primary key (target, part))"""
    yield f"comment on table {STAGING}.loaded is '적재 조각 / parts of a staging table that are in it, each once'"
    yield from _column_comments(
        f"{STAGING}.loaded",
        {
            "target": "적재 대상 / staging table",
            "part": "조각 번호 / number of the part",
            "row_count": "행 수 / rows of the part",
        },
    )
    yield from _read_record_functions()
    for table, owner_rule in (("publication", "true"), ("district_grant", "true"), ("read_record", "true")):
        yield from _secured(
            f"{ACCESS}.{table}",
            {"owner_writes": f"for all to {OWNER} using ({owner_rule}) with check ({owner_rule})"},
        )
    yield from _policy(f"{ACCESS}.publication", "readers_see", f"for select to {READER} using (true)")
    yield from _policy(f"{ACCESS}.district_grant", "analysts_see_theirs", f"for select to {ANALYST} using (grantee = {_PERSON})")


def _read_record_functions() -> Iterator[str]:
    """By which an analyst's login leaves a record and cannot change one: they run as the owner, and know the login."""
    bodies = {
        "begin_read(person text, role text, statement text) returns bigint": f"""insert into {ACCESS}.read_record
            (person, role, statement) values (person, role, statement) returning read_id""",
        "end_read(id bigint, number bigint) returns void": f"""update {ACCESS}.read_record r set rows = number
            where r.read_id = id and r.login = session_user and r.rows is null""",
    }
    for head, body in bodies.items():
        yield f"""create or replace function {ACCESS}.{head} language sql security definer
            set search_path = pg_catalog as $$ {body} $$"""
        types = ", ".join(part.split()[1] for part in head[head.index("(") + 1 : head.index(")")].split(", "))
        name = f"{ACCESS}.{head.partition('(')[0]}({types})"
        yield f"revoke all on function {name} from public"
        yield f"grant execute on function {name} to {ANALYST}"


def _table(published: Published) -> Iterator[str]:
    table = published.table
    columns = ", ".join(_column(column) for column in table.columns)
    key = ", ".join(map(quoted, table.key))
    yield f"create table if not exists {relation(table)} ({columns}, primary key ({key})) partition by list (base_month)"
    for column in table.columns:  # a column that a later contract adds is missing in the months before
        yield f"alter table {relation(table)} add column if not exists {quoted(column.name)} {_TYPES[column.kind]}"
    yield from _comments(table)
    policies = {}
    if published.readers_see is not None:
        policies["readers_see"] = f"for select to {READER} using ({published.readers_see})"
    if published.district is not None:
        policies["analysts_see_their_districts"] = f"for select to {ANALYST} using ({published.district} in ({_DISTRICTS}))"
    yield from _secured(relation(table), policies)


def _column(column: Column) -> str:
    return f"{quoted(column.name)} {_TYPES[column.kind]}" + (" not null" if column.is_required else "")


def _comments(table: Table) -> Iterator[str]:
    about = f"{table.label_ko} / {table.label_en}: one row per {table.grain}"
    yield f"comment on table {relation(table)} is {literal(about)}"
    yield from _column_comments(relation(table), _contract_comments(table.columns))


def _contract_comments(columns: Iterable[Column]) -> dict[str, str]:
    """Column → its comment."""
    return {column.name: comment(column) for column in columns}


def _column_comments(name: str, comments: Mapping[str, str]) -> Iterator[str]:
    """Of a table or view; a column that it does not have is refused."""
    for column, text in comments.items():
        yield f"comment on column {name}.{quoted(column)} is {literal(text)}"


def comment(column: Column) -> str:
    """Korean and English label, unit and meaning."""
    unit = f" [{column.unit}]" if column.unit else ""
    meaning = f": {column.meaning}" if column.meaning else ""
    return f"{column.label_ko} / {column.label_en}{unit}{meaning}"


def _secured(name: str, policies: dict[str, str]) -> Iterator[str]:
    """Row security that holds for the owner too."""
    yield f"alter table {name} enable row level security, force row level security"
    for policy, rule in policies.items():
        yield from _policy(name, policy, rule)


def _policy(name: str, policy: str, rule: str) -> Iterator[str]:
    yield f"drop policy if exists {policy} on {name}"
    yield f"create policy {policy} on {name} {rule}"


def _lookups() -> Iterator[str]:
    yield f"""create table if not exists {STATISTICS}.code_label (
        code_list text, code text, label_ko text not null, label_en text not null, primary key (code_list, code))"""
    yield f"comment on table {STATISTICS}.code_label is '코드명 / what codes are called, by code list'"
    yield from _column_comments(
        f"{STATISTICS}.code_label",
        {
            "code_list": "코드 목록 / code list: the column that holds the code, or the dimension of a category",
            "code": "코드 / code",
            "label_ko": "한국어 명칭 / what it is called in Korean",
            "label_en": "영어 명칭 / what it is called in English",
        },
    )
    rows = {
        (name, code): (korean, english)
        for name, code_list in LABELS.items()
        for code, korean, english in (*COMMON_LABELS, *code_list.labels)
    }
    values = ", ".join(f"({', '.join(map(literal, (*key, *labels)))})" for key, labels in rows.items())
    yield f"delete from {STATISTICS}.code_label"
    yield f"insert into {STATISTICS}.code_label values {values}"
    yield f"""create table if not exists {STATISTICS}.boundary (
        region_level text, region_code text, boundary_year integer not null, geojson jsonb not null, source text not null,
        primary key (region_level, region_code))"""
    yield f"""comment on table {STATISTICS}.boundary is
        '행정동·자치구 경계 / boundaries of dongs and districts: GeoJSON geometries, WGS 84, simplified'"""
    region = {name: text for name, text in _contract_comments(REGION_COLUMNS).items() if name.startswith("region_")}
    yield from _column_comments(f"{STATISTICS}.boundary", {**region, **_BOUNDARY})


@dataclass(frozen=True)
class _View:
    """A view and what is said of it."""

    query: str
    about: str
    columns: Mapping[str, str]
    """Each of its columns → comment; of the table it comes from."""


def _views() -> Iterator[str]:
    """Dropped and made anew: `create or replace` refuses another list of columns. Views of others that rest on them stop it."""
    own = (HOUSEHOLD_CUBE, OUTPUT_AREA_GRID)
    regions = {
        p.table.name: _View(_labelled(p.table), f"{p.table.label_ko} / {p.table.label_en}", _labelled_comments(p.table))
        for p in PUBLISHED
        if p.readers_see is not None and "region_level" in p.table.column_names and p.table not in own
    }
    views = {
        **{f"{STATISTICS}.{name}": view for name, view in regions.items()},
        f"{STATISTICS}.household_cube": _View(
            _cube(),
            "가구 다차원 통계 / cube: city, district, dong, output area × head's sex × age × household type × income class"
            " (output areas without income class)",
            _labelled_comments(HOUSEHOLD_CUBE),
        ),
        f"{STATISTICS}.household_map": _View(
            _map(),
            "가구 통계 지도 / one row per dong and district with its boundary (GeoJSON)",
            {
                **regions[HOUSEHOLD_STATISTICS.name].columns,
                **{name if name != "source" else "boundary_source": text for name, text in _BOUNDARY.items()},
            },
        ),
        f"{STATISTICS}.household_grid": _View(
            _with_squares(relation(HOUSEHOLD_GRID)),
            "격자별 가구 통계 지도 / one row per 250 m cell of five or more households, with its square (WKT, EPSG:5179)",
            {**_contract_comments(HOUSEHOLD_GRID.columns), **_SQUARE},
        ),
        f"{STATISTICS}.output_area_grid": _View(
            _with_squares(f"({_labelled(OUTPUT_AREA_GRID)})"),
            "집계구 지도 / one row per output area and 250 m cell of five or more of its buildings, with the cell's square"
            " (WKT, EPSG:5179)",
            {**_labelled_comments(OUTPUT_AREA_GRID), **_SQUARE},
        ),
        f"{STATISTICS}.publication": _View(
            _publication(),
            "현재 공표본 / what is published of each month",
            {name: _PUBLICATION[name] for name in ("base_month", "published_at", "publication_id", "facts")},
        ),
        f"{RESTRICTED}.household": _View(
            _household(),
            "가구 / households of one's districts, with labels and 250 m grid cell",
            {
                **_contract_comments(HOUSEHOLD.columns),
                **_contract_comments(BUILDING_GRID.column(name) for name in ("grid_id",)),
                **_contract_comments(REGION.column(name) for name in _NAMES),
                **_label_comments(HOUSEHOLD, leave_out=("household_size",)),
            },
        ),
        f"{RESTRICTED}.household_grid": _View(
            _grid(),
            "격자별 가구 / households of one's districts by 250 m grid cell, five or more",
            _contract_comments(
                (
                    *(BUILDING_GRID.column(name) for name in ("base_month", "gu_code", "grid_id")),
                    *(HOUSEHOLD_STATISTICS.column(name) for name in _GRID_MEASURES),
                )
            ),
        ),
    }
    for name in reversed(views):
        yield f"drop view if exists {name}"
    for name, view in views.items():
        yield f"create view {name} with (security_invoker = true) as {view.query}"
        yield f"comment on view {name} is {literal(f'{view.about}. {IN_DEVELOPMENT.both}')}"
        yield from _column_comments(name, view.columns)


_SQUARE = {"wkt": "격자 / cell: POLYGON in WKT, EPSG:5179, metres"}
_NAMES = ("gu_name_ko", "gu_name_en", "dong_name_ko", "dong_name_en")
_GRID_MEASURES = ("households", "households_unweighted", "mean_total_income_krw_year", "mean_debt_krw")


def _labelled_comments(table: Table) -> dict[str, str]:
    """What the columns of `_labelled` are."""
    names = _contract_comments(REGION.column(name) for name in ("gu_code", "dong_code", *_NAMES))
    return {**names, **_contract_comments(table.columns), **_label_comments(table)}


def _label_comments(table: Table, *, leave_out: tuple[str, ...] = ()) -> dict[str, str]:
    """What the columns of `_labels` are."""
    return {
        f"{column.name}_{language}": f"{column.label_ko} 명칭({korean}) / {column.label_en}: what the code is called in {english}"
        for column in table.columns
        if _is_named(column.name) and column.name not in leave_out
        for language, korean, english in (("ko", "한국어", "Korean"), ("en", "영어", "English"))
    }


def _is_named(name: str) -> bool:
    """Whether views show what the column's codes are called."""
    return name in LABELS or name == "category"


def _labels(columns: Iterable[str]) -> tuple[str, str]:
    """Further columns and joins that name the codes of `columns` of a relation `t`."""
    shown, joins = "", ""
    for name in columns:
        if not _is_named(name):
            continue
        code_list = "t.dimension" if name == "category" else literal(name)
        shown += f", l_{name}.label_ko as {name}_ko, l_{name}.label_en as {name}_en"
        joins += f""" left join {STATISTICS}.code_label l_{name}
            on l_{name}.code_list = {code_list} and l_{name}.code = t.{name}::text"""
    return shown, joins


_REGION_NAMES = """t.region_code,
    case when length(t.region_code) > 2 then left(t.region_code, 5) end as gu_code,
    case when length(t.region_code) > 5 then left(t.region_code, 7) end as dong_code,
    coalesce(dong.gu_name_ko, gu.gu_name_ko) as gu_name_ko, coalesce(dong.gu_name_en, gu.gu_name_en) as gu_name_en,
    dong.dong_name_ko, dong.dong_name_en"""

_REGION_JOINS = f"""left join {relation(REGION)} dong
        on dong.base_month = t.base_month and dong.dong_code = left(t.region_code, 7)
    left join (select distinct base_month, gu_code, gu_name_ko, gu_name_en from {relation(REGION)}) gu
        on gu.base_month = t.base_month and gu.gu_code = t.region_code"""


def _labelled(table: Table, source: str | None = None) -> str:
    """A table of regions with the names of regions and codes."""
    labels, joins = _labels(table.column_names)
    columns = ", ".join(f"t.{quoted(name)}" for name in table.column_names if name != "region_code")
    return f"select {columns}, {_REGION_NAMES}{labels} from {source or relation(table)} t {_REGION_JOINS} {joins}"


def _cube() -> str:
    columns = column_list(HOUSEHOLD_CUBE)
    of_areas = ", ".join("'all'" if name == "income_class" else quoted(name) for name in HOUSEHOLD_CUBE.column_names)
    areas = f"select {of_areas} from gold.household_statistics where region_level = 'output_area'"
    return _labelled(HOUSEHOLD_CUBE, f"(select {columns} from {relation(HOUSEHOLD_CUBE)} union all {areas})")


def _map() -> str:
    return f"""select t.*, b.geojson, b.boundary_year, b.source as boundary_source
        from {STATISTICS}.household_statistics t
        left join {STATISTICS}.boundary b on b.region_level = t.region_level and b.region_code = t.region_code
        where t.region_level in ('dong', 'gu')"""


def _with_squares(source: str) -> str:
    """A relation of grid cells with their outlines."""
    square = ((0, 0), (GRID_METRES, 0), (GRID_METRES, GRID_METRES), (0, GRID_METRES), (0, 0))
    corners = ", ', ', ".join(f"t.x_m + {east}, ' ', t.y_m + {north}" for east, north in square)
    return f"select t.*, concat('POLYGON((', {corners}, '))') as wkt from {source} t"


def _publication() -> str:
    return f"""select distinct on (base_month) base_month, published_at, publication_id, facts
        from {ACCESS}.publication order by base_month, publication_id desc"""


def _household() -> str:
    labels, joins = _labels(name for name in HOUSEHOLD.column_names if name != "household_size")
    return f"""select t.*, g.grid_id, r.gu_name_ko, r.gu_name_en, r.dong_name_ko, r.dong_name_en{labels}
        from {relation(HOUSEHOLD)} t
        left join {relation(BUILDING_GRID)} g on g.base_month = t.base_month and g.address_id = t.address_id
        left join {relation(REGION)} r on r.base_month = t.base_month and r.dong_code = t.dong_code {joins}"""


def _grid() -> str:
    return f"""select t.base_month, t.gu_code, g.grid_id, sum(t.weight) as households, count(*) as households_unweighted,
            sum(t.weight * t.total_income_krw_year) / nullif(sum(t.weight), 0) as mean_total_income_krw_year,
            sum(t.weight * t.debt_krw) / nullif(sum(t.weight), 0) as mean_debt_krw
        from {relation(HOUSEHOLD)} t
        join {relation(BUILDING_GRID)} g on g.base_month = t.base_month and g.address_id = t.address_id
        where t.weight > 0
        group by t.base_month, t.gu_code, g.grid_id having count(*) >= 5"""


def _grants() -> Iterator[str]:
    for published in PUBLISHED:
        name, layer = relation(published.table), published.table.layer.value
        yield f"revoke all on {name} from public, {READER}, {ANALYST}"
        role = READER if published.readers_see is not None else ANALYST
        yield f"grant usage on schema {layer} to {role}"
        yield f"grant select on {name} to {role}"
    yield f"grant usage on schema {STATISTICS}, {ACCESS} to {READER}"
    yield f"grant select on all tables in schema {STATISTICS} to {READER}"
    yield f"grant select on {ACCESS}.publication to {READER}"
    yield f"grant usage on schema {RESTRICTED} to {ANALYST}"
    yield f"grant select on all tables in schema {RESTRICTED} to {ANALYST}"
    yield f"grant select on {ACCESS}.district_grant to {ANALYST}"
