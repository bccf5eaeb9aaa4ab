"""The data dictionary: every table and column as declared in `contracts`, for people.

`python -m living_finance.catalog.dictionary` writes it as Markdown; `living-finance describe` shows one table.
Nothing is said here that the declarations do not say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Column as RichColumn
from rich.table import Table as RichTable
from rich.text import Text

from living_finance.contracts import STORED_TABLES, codes
from living_finance.contracts.core import CodeList, Column, Kind, Layer, Measure, Table
from living_finance.contracts.deliveries import DELIVERED_TABLES, DeliveredTable
from living_finance.contracts.utilization import MADE_ON_PUBLICATION
from living_finance.errors import ConfigurationError

LAYERS: tuple[tuple[Layer, str, str], ...] = (
    (
        Layer.DELIVERY,
        "제공 자료",
        "Deliveries: what suppliers send, as text; each row is checked for types and ranges and set aside if it breaks one.",
    ),
    (Layer.BRONZE, "원본", "Bronze: as delivered, every value as text, with its file and row."),
    (Layer.SILVER, "정제", "Silver: typed, cleansed, placed; units in the names."),
    (Layer.GOLD, "공표", "Gold: the product tables. Published columns never change meaning; new ones may be added."),
)

_KIND_NAMES: dict[Kind, str] = {
    Kind.TEXT: "text",
    Kind.KEY: "key",
    Kind.CODE: "code",
    Kind.MONTH: "month",
    Kind.INTEGER: "integer",
    Kind.COUNT: "count",
    Kind.AMOUNT: "amount",
    Kind.MONEY: "money",
    Kind.DECIMAL: "number",
    Kind.FLAG: "flag",
    Kind.CODES: "list of codes",
}
_LONGEST_CODES_INLINE = 10


def all_tables() -> dict[str, Table]:
    """Every declared table, deliveries included, by qualified name (`delivery.bureau_persons`, `gold.household`)."""
    delivered: dict[str, Table] = {table_name(table): table for table in DELIVERED_TABLES}
    made_on_publication = {table.qualified_name: table for table in MADE_ON_PUBLICATION}
    return {**delivered, **STORED_TABLES, **made_on_publication}


def table_name(table: Table) -> str:
    """The name a table is looked up by: a delivery's holds its dataset, since two datasets have `households`."""
    if isinstance(table, DeliveredTable):
        return f"{table.layer.value}.{table.bronze_name}"
    return table.qualified_name


def find_table(name: str) -> Table:
    """The table called `name`, with its layer or, where only one layer has the name, without.

    Raises:
        ConfigurationError: no such table, or several.
    """
    tables = all_tables()
    if name in tables:
        return tables[name]
    matches = [known for known in tables if known.partition(".")[2] == name]
    if len(matches) == 1:
        return tables[matches[0]]
    what = f"{name!r} is in several layers: {', '.join(matches)}" if matches else f"There is no table {name!r}"
    raise ConfigurationError(f"{what}.", remedy="`living-finance describe` without a name lists all tables")


def list_tables() -> RenderableType:
    """All tables with their grain, for the terminal."""
    listed = RichTable(RichColumn("table", no_wrap=True), "이름", "name", "one row per", "columns", title="tables")
    for name, table in all_tables().items():
        listed.add_row(name, table.label_ko, table.label_en, escape(table.grain), str(len(table.columns)))
    return listed


def describe_table(name: str) -> RenderableType:
    """One table for the terminal: grain, key, partition, columns, codes, checks.

    Raises:
        ConfigurationError: no such table, or several.
    """
    table = find_table(name)
    others = (RichColumn(title, overflow="fold") for title in ("type, unit", "이름 label", "meaning and checks"))
    columns = RichTable(RichColumn("column", no_wrap=True, overflow="fold"), *others)
    for column in table.columns:
        columns.add_row(
            f"[bold]{column.name}[/bold]" if column.name in table.key else column.name,
            f"{column_type(column)} {column.unit}".rstrip(),
            f"{column.label_ko} {column.label_en}",
            escape("; ".join(_remarks(column))),
        )
    head = "\n".join(f"{title:<10} {text}" for title, text in _facts(table))
    lists = [f"{code_list.name}: {_inline_codes(code_list)}" for code_list in _code_lists([table])]
    return Group(
        Text(f"{table_name(table)}  {table.label_ko} / {table.label_en}", style="bold"),
        Text(head),
        columns,
        Text("\n".join(lists)),
    )


def data_dictionary() -> str:
    """All tables and code lists as Markdown; the same text whenever the declarations are the same."""
    tables = all_tables()
    parts = [
        "# Data dictionary 데이터 사전",
        "Made from `src/living_finance/contracts` by `make docs`; do not edit. A test fails when it is stale.",
        "Keys are in **bold**. *Required* columns are never missing. Amounts are Korean won (KRW). "
        "`base_month` is a DATE on day 1; in deliveries months are `YYYYMM`. "
        "*Measure* is the de-identification measure (비식별 조치) on a column.",
        _contents(tables),
    ]
    for layer, korean, introduction in LAYERS:
        parts.append(f"## {layer.value.capitalize()} {korean}")
        parts.append(introduction)
        parts.extend(_section(name, table) for name, table in tables.items() if table.layer is layer)
    parts.append("## Code lists 코드")
    parts.extend(_code_section(code_list, tables) for code_list in _code_lists(tables.values()))
    parts.append(_margins_section())
    return "\n\n".join(parts) + "\n"


def column_type(column: Column) -> str:
    """Kind and stored type, for instance `money (bigint)`."""
    return f"{_KIND_NAMES[column.kind]} ({column.spark_type.simpleString()})"


def _contents(tables: dict[str, Table]) -> str:
    lines = ["| table | 이름 | name | one row per |", "|---|---|---|---|"]
    lines += [f"| [{n}](#{_anchor(n)}) | {t.label_ko} | {t.label_en} | {_cell(t.grain)} |" for n, t in tables.items()]
    return "\n".join(lines)


def _section(name: str, table: Table) -> str:
    lines = [f"### {name}", "", f"{table.label_ko} / {table.label_en}", ""]
    lines += [f"- {title}: {_cell(text)}" for title, text in _facts(table)]
    lines += ["", "| column | type | unit | 이름 | label | meaning and checks |", "|---|---|---|---|---|---|"]
    for column in table.columns:
        shown = f"**{column.name}**" if column.name in table.key else column.name
        cells = (shown, column_type(column), column.unit, column.label_ko, column.label_en, "; ".join(_remarks(column)))
        lines.append("| " + " | ".join(_cell(text) for text in cells) + " |")
    return "\n".join(lines)


def _facts(table: Table) -> list[tuple[str, str]]:
    facts = [("one row per", table.grain), ("key", ", ".join(table.key) or "none: identical rows are different things")]
    if table.partition_by:
        facts.append(("partition", ", ".join(table.partition_by)))
    if isinstance(table, DeliveredTable):
        facts.append(("delivered", f"<landing>/{table.dataset}/…, manifest table `{table.name}`"))
        if table.is_reference:
            facts.append(("reference", "at least one row and each key once, or the delivery is refused"))
    facts += [(f"check {name}", sql) for name, sql in table.checks]
    return facts


def _remarks(column: Column) -> list[str]:
    remarks = [text for text in (column.meaning_ko, column.meaning) if text]
    if column.is_required:
        remarks.append("required")
    if column.codes is not None:
        remarks.append(f"codes: {column.codes.name}" + (" (open)" if column.codes.is_open else ""))
    lower = None if column.minimum is None else f"≥ {_number(column.minimum)}"
    upper = None if column.maximum is None else f"≤ {_number(column.maximum)}"
    remarks += [bound for bound in (lower, upper) if bound]
    if column.measure is not Measure.NONE:
        remarks.append(f"measure: {column.measure.value}")
    return remarks


def _number(value: float) -> str:
    return f"{value:.0e}".replace("e+", "e") if abs(value) >= 1e6 else f"{value:g}"


def _code_lists(tables: Iterable[Table]) -> list[CodeList]:
    """Every list that a column uses, once, in order of first use."""
    found: dict[tuple[str, tuple[str, ...]], CodeList] = {}
    for table in tables:
        for column in table.columns:
            if column.codes is not None:
                found.setdefault((column.codes.name, column.codes.codes), column.codes)
    return list(found.values())


def _inline_codes(code_list: CodeList) -> str:
    shown: Sequence[tuple[str, str, str]] = code_list.labels[:_LONGEST_CODES_INLINE]
    rest = len(code_list.labels) - len(shown)
    return ", ".join(f"{code} {korean}" for code, korean, _ in shown) + (f" and {rest} more" if rest else "")


def _code_section(code_list: CodeList, tables: dict[str, Table]) -> str:
    users = [
        f"{name}.{column.name}"
        for name, table in tables.items()
        for column in table.columns
        if column.codes is not None and column.codes.codes == code_list.codes
    ]
    heading = f"### codes: {code_list.name}" + (" (open: new codes are accepted)" if code_list.is_open else "")
    lines = [heading, "", f"Used by {', '.join(users)}.", "", "| code | 이름 | label |", "|---|---|---|"]
    lines += [f"| {code} | {korean} | {english} |" for code, korean, english in code_list.labels]
    return "\n".join(lines)


def _margins_section() -> str:
    lines = ["### categories of census margins", "", "| margin | categories |", "|---|---|"]
    lines += [f"| {margin} | {', '.join(categories)} |" for margin, categories in codes.MARGIN_CATEGORIES.items()]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _anchor(heading: str) -> str:
    return heading.replace(".", "").lower()


if __name__ == "__main__":
    sys.stdout.write(data_dictionary())
