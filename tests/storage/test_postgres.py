"""The utilization database in a real server: loading, swapping, and who may do what."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from month_rows import DONGS, HOUSEHOLD_TABLES, JANUARY, STATISTICS_TABLES, TABLES, batch, dated, loads, month_rows
from typer.testing import CliRunner, Result

from living_finance.catalog.explain import HouseholdFacts
from living_finance.cli import app
from living_finance.config import DatabaseSettings
from living_finance.contracts import gold
from living_finance.contracts.core import Column, Kind
from living_finance.contracts.language import IN_DEVELOPMENT
from living_finance.contracts.utilization import ANALYST, LABELS, OWNER, PUBLISHED, READER, SMALLEST_CELL
from living_finance.errors import ConcurrentRun, ConfigurationError, ContractViolation, DatabaseUnavailable, MissingInput
from living_finance.months import Month
from living_finance.steps.publish import boundaries
from living_finance.storage import postgres_schema as schema
from living_finance.storage.postgres import CopyTarget, Database, copy_part, load_arrow, open_database
from living_finance.storage.postgres_server import embedded_server, folder_of, purge_log

FEBRUARY = Month(2020, 2)
LOGINS = {"reader": READER, "analyst": ANALYST, "late_analyst": ANALYST, "publisher": OWNER, "outsider": None}
"""People's logins: the first analyst may see one district, the other's grant has ended, the outsider is in no group."""


class Server:
    """The server of these tests: a database per login."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def login(self, name: str) -> Database:
        return Database(self.url.replace("postgres:@", f"{name}:@"))

    @property
    def administrator(self) -> Database:
        return Database(self.url)

    @property
    def publisher(self) -> Database:
        """Not a superuser: a member of the owner role."""
        return self.login("publisher")

    def rows(self, login: str, statement: str) -> list[tuple[Any, ...]]:
        with self.login(login).connection(role=None) as connection:
            return connection.execute(statement.encode()).fetchall()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("warehouse")
    with open_database(DatabaseSettings(), warehouse_root=str(root)) as database:
        made = Server(database.url, folder_of(str(root)))
        database.prepare(boundaries)
        with database.connection(role=None) as connection:
            for login, group in LOGINS.items():
                connection.execute(f"create role {login} login {f'in role {group}' if group else ''}".encode())
        with database.connection() as connection:
            connection.execute("insert into access.district_grant (grantee, gu_code) values ('analyst', '11140')")
            connection.execute(
                "insert into access.district_grant (grantee, gu_code, valid_until) values ('late_analyst', '11140', '2020-01-01')"
            )
        made.publisher.publish(JANUARY, loads=loads(month_rows()), rows={}, facts={"tables": {}})
        yield made


def incomes(server: Server, month: Month = JANUARY) -> set[int]:
    """Every mean in the month's statistics and cube: one value where the month is whole."""
    found = server.rows(
        "reader",
        "select mean_total_income_krw_year from gold.household_statistics"
        f" where base_month = '{month.date}' union all select mean_total_income_krw_year from gold.household_cube"
        f" where base_month = '{month.date}'",
    )
    return {income for (income,) in found}


# --- loading ----------------------------------------------------------------------------------------------------------


def test_values_arrive_as_they_are(server: Server) -> None:
    """Text that CSV could break, missing and empty text, the last digit of a double, the ends of bigint."""
    text = 'a,"b"\n한글 \\N;\t'
    rows = [
        {"indicator": text, "table": "", "value": 0.1 + 0.2, "threshold": None, "passed": None},
        {"indicator": "\\.", "table": "NULL", "value": 5e-324, "threshold": -1e300, "passed": True},
    ]
    table = gold.QUALITY_REPORT
    month = dated(month_rows(), FEBRUARY.date)
    month["gold.quality_report"] = [{**row, "base_month": FEBRUARY.date} for row in rows]
    month["gold.household"][0] |= {"debt_krw": 2**63 - 1, "spending_krw_month": -(2**63)}
    server.publisher.publish(FEBRUARY, loads=loads(month), rows={table.qualified_name: 2}, facts={})
    names = ", ".join(map(schema.quoted, rows[0]))
    found = server.rows("reader", f"select {names} from gold.quality_report where base_month = '2020-02-01' order by value desc")
    assert found == [tuple(row.values()) for row in rows]
    with server.administrator.connection(role=None) as connection:
        ends = connection.execute("select max(debt_krw), min(spending_krw_month) from gold.household").fetchone()
    assert ends == (2**63 - 1, -(2**63))


def test_a_part_that_is_sent_twice_is_there_once(server: Server) -> None:
    with server.publisher.connection() as connection:
        for statement in schema.staging_table(gold.QUALITY_REPORT, Month(2019, 1)):
            connection.execute(statement.encode())
    target = CopyTarget(server.publisher.url, "staging.quality_report_201901", gold.QUALITY_REPORT.column_names)
    january = [{"base_month": dt.date(2019, 1, 1), "table": "t", "indicator": name} for name in "ab"]
    batches = [batch(gold.QUALITY_REPORT, january)]
    assert [copy_part(target, 3, batches), copy_part(target, 3, batches)] == [2, 2]
    with server.publisher.connection() as connection:
        assert connection.execute("select count(*) from staging.quality_report_201901").fetchone() == (2,)


def test_a_published_month_is_replaced_whole(server: Server) -> None:
    before = server.publisher.publication(JANUARY)
    server.publisher.publish(JANUARY, loads=loads(month_rows(60_000_000)), rows={}, facts={"n": 2})
    assert incomes(server) == {60_000_000}
    after = server.publisher.publication(JANUARY)
    assert before is not None and after is not None and after.published_at > before.published_at
    assert after.facts["n"] == 2 and after.facts["rows"]["gold.household"] == 9
    server.publisher.publish(JANUARY, loads=loads(month_rows()), rows={}, facts={"tables": {}})
    assert incomes(server) == {50_000_000}
    with server.publisher.connection() as connection:
        left = connection.execute("select relname from pg_class where relkind = 'r' and relname like '%202001%' and relnamespace = 'staging'::regnamespace").fetchall()  # fmt: skip  # noqa: E501
    assert left == []


# --- interrupted: the old month is whole, and publishing again works ------------------------------------------------------


def _batches_that_stop() -> Iterator[pa.RecordBatch]:
    yield batch(gold.COVERAGE, month_rows()["gold.coverage"])
    raise RuntimeError("the executor was lost")


def test_a_load_that_stops_leaves_the_month(server: Server) -> None:
    broken = {**loads(month_rows(1)), "gold.coverage": load_arrow(_batches_that_stop())}
    with pytest.raises(RuntimeError):
        server.publisher.publish(JANUARY, loads=broken, rows={}, facts={})
    assert incomes(server) == {50_000_000}


def test_rows_that_are_missing_or_too_many_leave_the_month(server: Server) -> None:
    with pytest.raises(ContractViolation, match=r"gold.household: 9 rows loaded for 202001, 10 expected"):
        server.publisher.publish(JANUARY, loads=loads(month_rows(1)), rows={"gold.household": 10}, facts={})
    assert incomes(server) == {50_000_000}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"total_income_krw_year": 987654321}, "components_add_up"),
        ({"head_sex": "X987654321"}, "head_sex_valid"),
        ({"base_month": FEBRUARY.date}, "of_the_month"),
        ({"weight": None}, "weight"),
        ({"household_id": "H112300"}, "household_202001_pkey"),
    ],
)
def test_a_row_that_breaks_its_contract_leaves_the_month_and_is_told_nowhere(
    server: Server, change: dict[str, Any], rule: str
) -> None:
    rows = month_rows(1)
    rows["gold.household"][0] |= change
    with pytest.raises(ContractViolation, match=rule) as raised:
        server.publisher.publish(JANUARY, loads=loads(rows), rows={}, facts={})
    assert incomes(server) == {50_000_000}
    seen = str(raised.value) + (server.folder / "log").read_text(encoding="utf-8")
    assert "987654321" not in seen and "H112300" not in seen


def test_a_swap_that_fails_at_its_last_table_leaves_the_month(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = schema.swap

    def stopping(table: Any, month: Month) -> Iterator[str]:
        yield from whole(table, month)
        if table is TABLES[-1]:
            ended = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'publisher'"
            with server.administrator.connection(role=None) as connection:
                connection.execute(ended.encode())
            yield "select 1"

    monkeypatch.setattr(schema, "swap", stopping)
    with pytest.raises(DatabaseUnavailable):
        server.publisher.publish(JANUARY, loads=loads(month_rows(1)), rows={}, facts={})
    assert incomes(server) == {50_000_000}
    monkeypatch.undo()
    server.publisher.publish(JANUARY, loads=loads(month_rows()), rows={}, facts={"tables": {}})


def test_a_server_that_dies_while_loading_has_the_old_month_when_it_is_back(tmp_path: Path) -> None:
    folder = folder_of(str(tmp_path))
    with embedded_server(folder) as url:
        database = Database(url)
        database.prepare(list)
        database.publish(JANUARY, loads=loads(month_rows()), rows={}, facts={})

        def killing() -> Iterator[pa.RecordBatch]:
            yield batch(gold.COVERAGE, month_rows()["gold.coverage"])
            pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
            subprocess.run(["kill", "-QUIT", str(pid)], check=True)
            threading.Event().wait(1)

        with pytest.raises(DatabaseUnavailable):
            database.publish(JANUARY, loads={**loads(month_rows(1)), "gold.coverage": load_arrow(killing())}, rows={}, facts={})
    with embedded_server(folder) as url:
        again = Database(url)
        _, rows = again.query("select distinct mean_total_income_krw_year from gold.household_statistics")
        assert rows == [(50_000_000,)]
        again.publish(JANUARY, loads=loads(month_rows(2)), rows={}, facts={})
        _, rows = again.query("select distinct mean_total_income_krw_year from gold.household_statistics")
        assert rows == [(2,)]


def test_one_of_two_publications_of_a_month_wins(server: Server) -> None:
    with server.publisher.connection() as connection:
        connection.execute("select pg_advisory_lock(20180901, %s)", (JANUARY.index,))
        with pytest.raises(ConcurrentRun):
            server.publisher.publish(JANUARY, loads=loads(month_rows(1)), rows={}, facts={})
        march = Month(2020, 3)
        server.publisher.publish(march, loads=loads(dated(month_rows(3), march.date)), rows={}, facts={})
    assert incomes(server) == {50_000_000} and incomes(server, march) == {3}


def test_a_reader_who_holds_a_table_stops_the_swap_and_not_the_other_way(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("living_finance.storage.postgres._LOCK_SECONDS", 1)
    with server.login("reader").connection(role=None) as reader, reader.transaction():
        reader.execute("select count(*) from gold.household_statistics")
        with pytest.raises(DatabaseUnavailable, match="Readers held"):
            server.publisher.publish(JANUARY, loads=loads(month_rows(1)), rows={}, facts={})
    assert incomes(server) == {50_000_000}


# --- who may do what ------------------------------------------------------------------------------------------------------

VIEWS_FOR_READERS = (
    "statistics.household_statistics",
    "statistics.household_breakdown",
    "statistics.household_cube",
    "statistics.person_statistics",
    "statistics.cross_validation",
    "statistics.population_movement",
    "statistics.quality_change",
    "statistics.household_map",
    "statistics.household_grid",
    "statistics.output_area_grid",
    "statistics.publication",
    "statistics.code_label",
    "statistics.boundary",
    "access.publication",
)
VIEWS_FOR_ANALYSTS = ("restricted.household", "restricted.household_grid", "access.district_grant")
OBJECTS_FOR_READERS = (*(schema.relation(table) for table in STATISTICS_TABLES), *VIEWS_FOR_READERS)
OBJECTS_FOR_ANALYSTS = (*(schema.relation(t) for t in (*HOUSEHOLD_TABLES, gold.EDIT_REPORT)), *VIEWS_FOR_ANALYSTS)
OBJECTS_FOR_NOBODY = ("staging.loaded", "access.read_record", "gold.household_202001", "gold.household_statistics_202001")
OBJECTS = (*OBJECTS_FOR_READERS, *OBJECTS_FOR_ANALYSTS, *OBJECTS_FOR_NOBODY)
TABLES_BESIDE_VIEWS = ("statistics.code_label", "statistics.boundary", "access.publication", "access.district_grant")
VIEWS = tuple(name for name in (*VIEWS_FOR_READERS, *VIEWS_FOR_ANALYSTS) if name not in TABLES_BESIDE_VIEWS)
VIEW_OF_ONE_TABLE = "statistics.household_grid"
"""Without a join: the server lets its owner write through it."""
ACTIONS = {
    "select": "select count(*) from {name}",
    "insert": "insert into {name} default values",
    "update": "update {name} set {column} = {column}",
    "delete": "delete from {name}",
    "truncate": "truncate {name}",
    "drop table": "drop table {name}",
    "drop view": "drop view {name}",
    "create": "create table {schema}.mine (a int)",
    "policy": "alter table {name} disable row level security",
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("login", "role"),
    [
        *(("reader", None), ("analyst", None), ("outsider", None)),
        *(("reader", READER), ("analyst", ANALYST), ("postgres", READER), ("postgres", ANALYST)),
    ],
)
def test_every_role_on_every_object_with_every_action(server: Server, login: str, role: str | None, action: str) -> None:
    """A login as it is, and in the role that `query --role` puts on; the embedded server has one login, a superuser."""
    may_read = {*OBJECTS_FOR_READERS, *(OBJECTS_FOR_ANALYSTS if ANALYST in (role, LOGINS.get(login)) else ())}
    may_read = set() if login == "outsider" else may_read
    assert done(server, login, role, action).keys() == (may_read if action == "select" else set())


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("login", "role"), [("publisher", None), ("publisher", OWNER), ("postgres", OWNER)])
def test_the_owner_on_every_object_with_every_action(server: Server, login: str, role: str | None, action: str) -> None:
    """It owns everything and may do all of it, but sees and changes no row of a month by that while row security stands."""
    tables = set(OBJECTS) - set(VIEWS)
    months = {name for name in OBJECTS if name.endswith("_202001")}
    may = {
        **{each: set(OBJECTS) for each in ("select", "create")},
        **dict.fromkeys(("truncate", "drop table", "policy"), tables),
        **{each: tables | {VIEW_OF_ONE_TABLE} for each in ("update", "delete")},
        "insert": tables - months | {VIEW_OF_ONE_TABLE},
        "drop view": set(VIEWS),
    }
    found = done(server, login, role, action)
    assert found.keys() == may[action]
    if action in ("select", "update", "delete"):
        touched = {name for name, rows in found.items() if rows}
        assert {name.partition(".")[0] for name in touched} <= {"access", "staging", "statistics"}
        assert not touched & {*VIEWS} - {"statistics.publication"}


def done(server: Server, login: str, role: str | None, action: str) -> dict[str, int]:
    """Objects that the action was allowed on → rows that it counted or changed, 0 where something else stood in its way."""
    rows = {}
    with server.login(login).connection(role=role) as connection:
        for name in OBJECTS:
            layer = name.partition(".")[0]
            first = "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum = 2"
            statement = ACTIONS[action].format(name=name, schema=layer, column=_first_column(server, first, name))
            try:
                with connection.transaction(force_rollback=True):
                    cursor = connection.execute(statement.encode())
                    rows[name] = cursor.fetchall()[0][0] if action == "select" else cursor.rowcount
            except (
                psycopg.errors.InsufficientPrivilege,
                psycopg.errors.WrongObjectType,  # a view is not truncated
                psycopg.errors.ObjectNotInPrerequisiteState,  # nor, with joins in it, written to
            ):
                pass
            except (psycopg.errors.IntegrityError, psycopg.errors.DependentObjectsStillExist):
                rows[name] = 0  # an empty row fits no table, and views rest on tables: whoever has no right is told that first
    return rows


def _first_column(server: Server, statement: str, name: str) -> str:
    with server.administrator.connection(role=None) as connection:
        row = connection.execute(statement.encode(), (name,)).fetchone()
    assert row is not None, f"{name} is not there"
    return schema.quoted(row[0])


def test_the_matrix_names_every_object(server: Server) -> None:
    with server.administrator.connection(role=None) as connection:
        found = connection.execute(
            """select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition and c.relname !~ '_[0-9]{6}$'
            and n.nspname in ('gold', 'silver', 'statistics', 'restricted', 'staging', 'access')"""
        ).fetchall()
    assert {name for (name,) in found} == {name for name in OBJECTS if not name.endswith("_202001")}


def test_nobody_logs_in_as_a_group_and_no_role_passes_row_security(server: Server) -> None:
    with server.administrator.connection(role=None) as connection:
        flags = connection.execute(
            "select distinct rolcanlogin, rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = any(%s)",
            ([OWNER, READER, ANALYST],),
        ).fetchall()
        owners = connection.execute(
            """select distinct pg_get_userbyid(c.relowner) from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname in ('gold', 'silver', 'statistics', 'restricted', 'staging', 'access')"""
        ).fetchall()
        unsecured = connection.execute(
            """select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname in ('gold', 'silver', 'access') and c.relkind in ('r', 'p')
            and not (c.relrowsecurity and c.relforcerowsecurity)"""
        ).fetchall()
        views = connection.execute(
            """select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname in ('statistics', 'restricted') and c.relkind = 'v'
            and not coalesce('security_invoker=true' = any(c.reloptions), false)"""
        ).fetchall()
    assert flags == [(False, False, False, False)]
    assert owners == [(OWNER,)]
    assert (unsecured, views) == ([], [])


@pytest.mark.parametrize(
    ("login", "districts"),
    [("analyst", {"11140"}), ("late_analyst", set()), ("publisher", set())],
)
def test_household_rows_are_seen_by_analysts_of_their_district_only(server: Server, login: str, districts: set[str]) -> None:
    for table in HOUSEHOLD_TABLES:
        found = server.rows(login, f"select distinct gu_code from {schema.relation(table)}")
        assert {gu for (gu,) in found} == districts, table.name
    if login != "publisher":
        assert {gu for (gu,) in server.rows(login, "select distinct gu_code from restricted.household")} == districts
        assert server.rows(login, "select grantee from access.district_grant") == [(login,)]


def asked(server: Server, login: str, role: str, what: str = "distinct gu_code") -> set[Any] | None:
    """What `living-finance query --role` answers on household rows; None: the role may not."""
    try:
        return {value for (value,) in server.login(login).query(f"select {what} from gold.household", role=role)[1]}
    except ConfigurationError:
        return None


@pytest.mark.parametrize(
    ("login", "role", "districts"),
    [
        ("reader", READER, None),
        ("reader", ANALYST, None),
        ("analyst", READER, None),
        ("analyst", ANALYST, {"11140"}),
        ("late_analyst", ANALYST, set()),
        ("publisher", ANALYST, None),
        ("postgres", READER, None),
        ("postgres", ANALYST, set()),
    ],
)
def test_a_question_in_a_role_sees_the_districts_of_the_login(
    server: Server, login: str, role: str, districts: set[str] | None
) -> None:
    assert asked(server, login, role) == districts


def test_a_district_is_granted_until_a_day_and_taken_back(server: Server) -> None:
    """On the embedded server too, whose one login passes row security as itself but not in the analysts' role."""
    keeper = server.administrator
    yesterday = dt.date.today() - dt.timedelta(days=1)
    assert keeper.login() == "postgres" and keeper.districts() == []
    keeper.grant("postgres", "11230", until=None, reason="survey")
    assert asked(server, "postgres", ANALYST) == {"11230"} and asked(server, "analyst", ANALYST) == {"11140"}
    keeper.grant("postgres", "11230", until=yesterday, reason="survey, ended")
    assert asked(server, "postgres", ANALYST) == set()
    assert [(g.gu_code, g.reason, g.is_valid) for g in keeper.districts()] == [("11230", "survey, ended", False)]
    assert {g.login for g in server.publisher.grants()} == {"postgres", "analyst", "late_analyst"}
    assert keeper.revoke("postgres", "11230") and not keeper.revoke("postgres", "11230")
    with pytest.raises(ConfigurationError, match="no login 'nobody'"):
        keeper.grant("nobody", "11140", until=None, reason="x")
    for login in ("reader", "analyst"):
        with pytest.raises(ConfigurationError, match="lacks a right"):
            server.login(login).grant(login, "11140", until=None, reason="x")


def test_the_command_grants_lists_and_takes_back(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("living_finance.progress.console.width", 200, raising=False)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["grant", "--database-url", server.url, *arguments])

    for wrong in (
        ["--region", "1114059", "--reason", "x"],
        ["--region", "11230"],
        ["--region", "11230", "--reason", "x", "--until", "May"],
    ):
        assert isinstance(run(*wrong).exception, ConfigurationError)
    assert run("--region", "11230", "--login", "late_analyst", "--reason", "survey").exit_code == 0
    assert asked(server, "late_analyst", ANALYST) == {"11230"}
    assert run("--region", "11230", "--login", "late_analyst", "--revoke").exit_code == 0
    assert asked(server, "late_analyst", ANALYST) == set()
    assert isinstance(run("--region", "11230", "--login", "late_analyst", "--revoke").exception, MissingInput)


@pytest.mark.parametrize(
    ("login", "districts"),
    [("reader", ConfigurationError), ("analyst", {"11140"}), ("late_analyst", set()), ("publisher", ConfigurationError)],
)
def test_a_household_is_explained_to_analysts_of_its_district_and_recorded_before(
    server: Server, login: str, districts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the database: the owner role alone opens no household. What is read is Spark's and stands for itself here."""
    seen: list[Any] = []

    def facts(*_: Any, districts: Any, household_id: str, **__: Any) -> HouseholdFacts:
        seen.append((districts, recorded()))
        return HouseholdFacts(
            household={"household_id": household_id}, before_income={}, members=(), register=(), lineage=(), steps=()
        )

    def recorded() -> list[tuple[Any, ...]]:
        query = f"select login, role, rows from access.read_record where statement = 'explain household {login}1 --month 202001'"
        with server.publisher.connection() as connection:
            return connection.execute(query.encode()).fetchall()

    monkeypatch.setattr("living_finance.steps.explain.household_facts", facts)
    monkeypatch.setattr("living_finance.storage.ledger.Ledger.finished", lambda *_: {})
    monkeypatch.setattr("living_finance.cli.figures.spark_session", lambda _: contextlib.nullcontext())
    asking = ["explain", "household", f"{login}1", "--month", "202001", "--database-url", server.login(login).url]
    answer = CliRunner().invoke(app, asking)
    if districts is ConfigurationError:
        assert isinstance(answer.exception, ConfigurationError) and (seen, recorded()) == ([], [])
    else:
        assert answer.exit_code == 0 and seen == [(districts, [(login, ANALYST, None)])]
        assert recorded() == [(login, ANALYST, 1)]


def test_the_owner_of_an_embedded_server_may_have_every_household_explained(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr("living_finance.steps.explain.household_facts", lambda *_, districts, **__: seen.append(districts))
    monkeypatch.setattr("living_finance.catalog.explain.explain_household", lambda _: "told")
    # Leaving it a second time in one process would stop the server of these tests.
    opened = contextlib.nullcontext(server.administrator)
    monkeypatch.setattr("living_finance.storage.postgres.open_database", lambda *_, **__: opened)
    monkeypatch.setattr("living_finance.storage.ledger.Ledger.finished", lambda *_: {})
    monkeypatch.setattr("living_finance.cli.figures.spark_session", lambda _: contextlib.nullcontext())
    asking = ["explain", "household", "H1", "--month", "202001", "--warehouse", str(server.folder.parent)]
    answer = CliRunner().invoke(app, asking)
    assert answer.exit_code == 0 and seen == [None], answer.exception


@pytest.mark.parametrize(
    ("statement", "role", "said"),
    [
        ("select 1 where false", READER, "no rows"),
        ("select n from generate_series(1, 1001) n", READER, "the first 1,000 rows; there are more"),
        ("select count(*) from restricted.household", ANALYST, "no district is granted to this login"),
        ("select 1", READER, ""),
    ],
)
def test_an_answer_says_what_is_not_in_it(server: Server, statement: str, role: str, said: str) -> None:
    answer = CliRunner().invoke(app, ["query", statement, "--database-url", server.url, "--role", role])
    assert answer.exit_code == 0 and said in answer.output
    assert IN_DEVELOPMENT.both in " ".join(answer.output.split())
    assert bool(said) == any(word in answer.output for word in ("no rows", "there are more", "no district"))


def test_a_login_in_another_persons_role_sees_that_persons_districts(server: Server) -> None:
    """Programs with one login for many people (`set role`): who is put on counts, not the program."""
    with server.administrator.connection(role=None) as connection:
        connection.execute(b"create role program login in role analyst, late_analyst")
    with server.administrator.connection() as connection:
        connection.execute(b"insert into access.district_grant (grantee, gu_code) values ('program', '11230')")
    try:
        assert asked(server, "program", "analyst") == {"11140"}
        assert asked(server, "program", "late_analyst") == set()
    finally:
        server.administrator.revoke("program", "11230")


def test_a_reader_sees_cells_of_five_and_in_output_areas_one_dimension_at_a_time(server: Server) -> None:
    levels = "select region_level, head_sex, min(households_unweighted) from gold.household_statistics where base_month = '2020-01-01' group by 1, 2"  # noqa: E501
    seen = {(level, sex): least for level, sex, least in server.rows("reader", levels)}
    assert seen == {
        **{(level, "all"): 10 for level in ("city", "gu", "dong", "output_area")},
        **{(level, "M"): 6 for level in ("city", "gu", "dong")},
    }
    smallest = server.rows(
        "reader", "select (select min(persons) from statistics.person_statistics), (select count(*) from gold.coverage)"
    )
    assert smallest[0][0] == 7 >= SMALLEST_CELL
    assert server.rows("reader", "select distinct age_band from gold.coverage") == [(20,)]
    assert server.rows("reader", "select distinct value from gold.cross_validation") == [(9.0,)]
    assert server.rows("reader", "select distinct observed from gold.population_movement") == [(9,)]


def test_an_analyst_sees_small_cells_of_the_own_district_only(server: Server) -> None:
    small = server.rows(
        "analyst", "select distinct left(region_code, 5) from gold.household_statistics where households_unweighted < 5"
    )
    assert small == [("11140",)]


def test_a_household_needs_no_view_to_be_hidden(server: Server) -> None:
    """A function that reveals its argument is not called on rows that row security hides."""
    found = server.rows(
        "analyst", "select household_id from gold.household where (household_id || '')::text <> 'x' and gu_code <> '11140'"
    )
    assert found == []


def test_reads_are_logged_with_the_login(server: Server) -> None:
    server.rows("analyst", "select count(*) /* trace-7 */ from restricted.household")
    lines = [line for line in (server.folder / "log").read_text(encoding="utf-8").splitlines() if "trace-7" in line]
    assert lines and all(" analyst " in line for line in lines)
    tomorrow = dt.date.today() + dt.timedelta(days=2)
    assert (purge_log(server.folder, since=tomorrow, dry_run=True) or 0) >= len(lines), "entries begin with a day"
    assert purge_log(server.folder, since=tomorrow, dry_run=False) is None, "it runs"


def test_the_socket_is_for_the_servers_user_only(server: Server) -> None:
    socket = Path(server.url.partition("host=")[2]) / ".s.PGSQL.5432"
    assert socket.stat().st_mode & 0o077 == 0


# --- what is said of the data, and views ------------------------------------------------------------------------------------


def test_every_column_says_what_it_is_in_both_languages(server: Server) -> None:
    query = """select a.attname, col_description(a.attrelid, a.attnum), obj_description(a.attrelid, 'pg_class')
        from pg_attribute a where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped"""
    with server.administrator.connection(role=None) as connection:
        for table in TABLES:
            found = {name: (column, whole) for name, column, whole in connection.execute(query, (schema.relation(table),))}
            assert found.keys() == set(table.column_names)
            for column in table.columns:
                comment, about = found[column.name]
                assert comment.startswith(f"{column.label_ko} / {column.label_en}") and table.label_ko in about


def test_no_column_that_anybody_can_see_is_without_comment(server: Server) -> None:
    """Tables and views alike, the database's own tables included; the views' columns say what their tables' say."""
    query = """select n.nspname || '.' || c.relname, a.attname, col_description(a.attrelid, a.attnum)
        from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition and c.relname !~ '_[0-9]{6}$'
        and n.nspname in ('gold', 'silver', 'statistics', 'restricted', 'staging', 'access')
        and a.attnum > 0 and not a.attisdropped"""
    with server.administrator.connection(role=None) as connection:
        said = {(relation, column): comment for relation, column, comment in connection.execute(query).fetchall()}
    assert {relation for relation, _ in said} >= {*VIEWS_FOR_READERS, *VIEWS_FOR_ANALYSTS}
    korean_and_english = re.compile(r"[가-힣].* / .*[a-z]")
    assert [key for key, comment in said.items() if not comment or not korean_and_english.search(comment)] == []
    mean = ("mean_total_income_krw_year", "gini_total_income", "region_code")
    for view in ("household_statistics", "household_map"):
        assert [said[f"statistics.{view}", name] for name in mean] == [said["gold.household_statistics", name] for name in mean]
    named = "가구주 성별 명칭(영어) / head's sex: what the code is called in English"
    assert said["restricted.household", "head_sex_en"] == named


def test_every_view_says_that_the_statistic_is_in_development(server: Server) -> None:
    query = """select n.nspname || '.' || c.relname, obj_description(c.oid, 'pg_class')
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'v' and n.nspname in ('statistics', 'restricted')"""
    with server.administrator.connection(role=None) as connection:
        said = dict(connection.execute(query).fetchall())
    tables_of_their_own = {"statistics.code_label", "statistics.boundary"}
    assert (
        said.keys() == {name for name in (*VIEWS_FOR_READERS, *VIEWS_FOR_ANALYSTS) if "access" not in name} - tables_of_their_own
    )
    assert [name for name, about in said.items() if not about.endswith(IN_DEVELOPMENT.both)] == []


def test_views_name_regions_and_codes(server: Server) -> None:
    query = """select region_code, gu_code, gu_name_ko, dong_name_en, head_sex_ko, household_type_en, head_age_band_ko
        from statistics.household_statistics where base_month = '2020-01-01' and head_sex in ('all', 'M')"""
    found = {(row[0], row[4]): row for row in server.rows("reader", query)}
    assert found["11", "전체"] == ("11", None, None, None, "전체", "all", "전체")
    assert found["11140", "남"] == ("11140", "11140", "구11140", None, "남", "one person", "전체")
    assert found["1114059", "전체"][1:4] == ("11140", "구11140", "dong 1114059")
    assert found["11140590001", "전체"][3] == "dong 1114059"


def test_a_category_is_named_by_its_dimension(server: Server) -> None:
    query = "select distinct dimension, category_ko from statistics.household_breakdown where base_month = '2020-01-01'"
    assert dict(server.rows("reader", query)) == {"household_size": "1인", "income_class": "1분위"}


def test_the_cube_reaches_from_city_to_output_area(server: Server) -> None:
    query = """select region_level, income_class_ko, count(*) from statistics.household_cube
        where base_month = '2020-01-01' group by 1, 2"""
    found = {(level, income): count for level, income, count in server.rows("reader", query)}
    assert found == {
        **{(level, income): n for level, n in (("city", 1), ("gu", 2), ("dong", 2)) for income in ("전체", "1분위")},
        ("output_area", "전체"): 2,
    }


def test_maps_have_boundaries(server: Server) -> None:
    query = """select region_code, geojson ->> 'type', geojson #>> '{coordinates,0,0,0}' from statistics.household_map
        where base_month = '2020-01-01' and head_sex = 'all' and region_level = 'gu' order by 1"""
    found = server.rows("reader", query)
    assert [(code, kind) for code, kind, _ in found] == [(gu, "Polygon") for gu in ("11140", "11230")]
    assert all(126.7 < float(x) < 127.3 for _, _, x in found)


def test_readers_have_a_grid_of_cells_of_five_with_their_squares(server: Server) -> None:
    query = "select grid_id, households_unweighted, wkt from statistics.household_grid where base_month = '2020-01-01'"
    square = "POLYGON((953750 1952000, 954000 1952000, 954000 1952250, 953750 1952250, 953750 1952000))"
    for login in ("reader", "analyst"):
        assert server.rows(login, query) == [("CRS5179RES250mN1952000E953750", 6, square)]


def test_readers_find_output_areas_on_the_grid_by_five_buildings_and_analysts_all_of_their_district(server: Server) -> None:
    query = """select g.region_code, g.gu_name_ko, g.x_m, g.buildings, g.wkt like 'POLYGON((95%', s.households
        from statistics.output_area_grid g join statistics.household_statistics s using (base_month, region_level, region_code)
        where g.base_month = '2020-01-01' and s.head_sex = 'all' and s.household_type = 'all' order by 1, 3"""
    seen = [(f"{dong}0001", f"구{gu}", 953_750, 5, True, 12.5) for dong, gu in DONGS.items()]
    assert server.rows("reader", query) == seen
    assert server.rows("analyst", query) == [seen[0], (*seen[0][:2], 954_000, 4, True, 12.5), seen[1]]


def test_analysts_have_a_grid_with_cells_of_five(server: Server) -> None:
    query = "select grid_id, households, households_unweighted, mean_total_income_krw_year::bigint from restricted.household_grid where base_month = '2020-01-01'"  # noqa: E501
    assert server.rows("analyst", query) == [("CRS5179RES250mN1952000E914050", 7.5, 6, 50_000_000)]


def test_every_code_of_a_published_table_has_a_label() -> None:
    for published in PUBLISHED:
        for column in published.table.columns:
            if column.codes is not None and column.name not in ("assignment_evidence", "sex"):
                assert set(column.codes.codes) <= set(LABELS[column.name].codes), column.name


# --- the definition -----------------------------------------------------------------------------------------------------------


def test_preparing_again_changes_nothing(server: Server) -> None:
    def must_not_be_called() -> Iterator[Any]:
        raise AssertionError("the definition was applied again")

    server.publisher.prepare(must_not_be_called)


def test_a_publisher_without_superuser_can_define_anew(server: Server) -> None:
    with server.publisher.connection() as connection:
        connection.execute("comment on schema access is 'older'")
    server.publisher.prepare(boundaries)
    assert incomes(server) == {50_000_000}


def test_a_column_added_by_a_later_contract_is_missing_in_months_before(server: Server) -> None:
    added = Column(name="added_share", kind=Kind.DECIMAL, label_ko="추가", label_en="added", is_required=True)
    grown = dataclasses.replace(gold.QUALITY_REPORT, columns=(*gold.QUALITY_REPORT.columns, added))
    published = next(each for each in PUBLISHED if each.table is gold.QUALITY_REPORT)
    with server.publisher.connection() as connection, connection.transaction(force_rollback=True):
        for statement in schema._table(dataclasses.replace(published, table=grown)):
            connection.execute(statement.encode())
        connection.execute("set local role lf_owner")
        types = connection.execute("select added_share from gold.quality_report").fetchall()
    assert set(types) <= {(None,)}


# --- a database that is not there ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("postgresql://someone:hidden-password@127.0.0.1:1/none", DatabaseUnavailable),
        ("postgresql://someone:hidden-password@[", ConfigurationError),
        ("hidden-password", ConfigurationError),
    ],
)
def test_a_database_that_is_not_there_is_told_without_its_address(url: str, error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error) as raised, open_database(DatabaseSettings(url=url), warehouse_root=str(tmp_path)):
        pass
    assert "hidden-password" not in str(raised.value) and "someone" not in str(raised.value)


def test_a_server_that_cannot_start_is_told(tmp_path: Path) -> None:
    folder = folder_of(str(tmp_path))
    folder.mkdir()
    (folder / "PG_VERSION").write_text("9\n")
    with (
        pytest.raises(DatabaseUnavailable, match="did not start"),
        open_database(DatabaseSettings(), warehouse_root=str(tmp_path)),
    ):
        pass


@pytest.mark.parametrize("command", [["query", "select 1"], ["grant"]])
def test_asking_where_nothing_was_published_makes_no_database(command: list[str], tmp_path: Path) -> None:
    asked = CliRunner().invoke(app, [*command, "--warehouse", str(tmp_path / "warehouse")])
    assert isinstance(asked.exception, MissingInput) and not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_a_warehouse_that_root_copied_still_has_its_database(tmp_path: Path) -> None:
    folder = folder_of(str(tmp_path / "warehouse"))
    with embedded_server(folder) as url:
        Database(url).prepare(list)
    shutil.copytree(tmp_path / "warehouse", tmp_path / "copy")
    with embedded_server(folder_of(str(tmp_path / "copy"))) as url:
        assert Database(url).query("select count(*) from gold.household_statistics")[1] == [(0,)]


def test_a_role_that_is_not_there_is_no_defect_of_the_data(server: Server) -> None:
    with pytest.raises(ConfigurationError, match="lacks a right or a role"):
        server.administrator.query("select 1", role="lf_auditor")


def test_no_embedded_server_in_an_object_store() -> None:
    with pytest.raises(ConfigurationError), open_database(DatabaseSettings(), warehouse_root="s3://bucket/warehouse"):
        pass


def test_a_login_without_the_owner_role_cannot_publish(server: Server) -> None:
    with pytest.raises(ConfigurationError, match="lacks a right"):
        server.login("reader").publish(JANUARY, loads=loads(month_rows(1)), rows={}, facts={})


def test_queries_read_only_and_one_at_a_time(server: Server) -> None:
    columns, rows = server.administrator.query("select 1 as one")
    assert (columns, rows) == (["one"], [(1,)])
    for statement in (
        "insert into access.publication (base_month, definition, facts) values ('2020-01-01', '', '{}')",
        "select 1; reset role",
    ):
        with pytest.raises(ConfigurationError):
            server.administrator.query(statement, role=OWNER)


def test_a_question_that_cannot_be_answered_says_why_and_quotes_no_row(server: Server) -> None:
    for statement, said in {
        "select no_such_column from statistics.household_statistics": 'column "no_such_column" does not exist',
        "select household_id from gold.household": "Role lf_reader may not do that",
        "select region_code::int / 0 from gold.household_statistics where region_level = 'city'": "DivisionByZero",
        "select household_type::int from gold.household_statistics": "InvalidTextRepresentation",
    }.items():
        with pytest.raises(ConfigurationError, match=said) as raised:
            server.login("reader").query(statement)
        assert "one_person" not in str(raised.value)


def test_an_analysts_question_is_recorded_before_it_is_answered(server: Server) -> None:
    def records() -> list[tuple[Any, ...]]:
        with server.administrator.connection() as connection:
            query = "select login, person, role, statement, rows from access.read_record where person = 'kim' order by read_id"
            return connection.execute(query.encode()).fetchall()

    asked = "select 7 as seven"
    _, rows = server.login("analyst").query(asked, role=ANALYST, person="kim")
    with pytest.raises(ConfigurationError):
        server.login("analyst").query("select no_such_column from restricted.household", role=ANALYST, person="kim")
    server.login("analyst").query("select 1", role=READER, person="kim")
    assert records() == [
        ("analyst", "kim", ANALYST, asked, len(rows)),
        ("analyst", "kim", ANALYST, "select no_such_column from restricted.household", None),
    ]
    assert rows
    with server.login("analyst").connection(role=None) as connection:
        for number in range(1, 9):
            connection.execute(f"select access.end_read({number}, 99)".encode())
    assert records()[0][-1] == len(rows), "what is recorded stays"
    with server.administrator.connection() as connection:
        connection.execute(b"update access.read_record set rows = null where statement like '%no_such%'")
    with pytest.raises(ConfigurationError, match="lacks a right"), server.login("reader").connection(role=None) as connection:
        connection.execute(b"select access.begin_read('', '', '')")

    assert server.publisher.purge_records(months=24, dry_run=False) == 0
    with server.administrator.connection() as connection:
        connection.execute(
            b"update access.read_record set read_at = now() - interval '25 months' where person = 'kim' and rows is null"
        )

    def is_in_the_file(text: str) -> bool:
        with server.administrator.connection(role=None) as connection:
            connection.execute(b"checkpoint")
            read = "select position(%s::bytea in pg_read_binary_file(pg_relation_filepath('access.read_record'))) > 0"
            found = connection.execute(read.encode(), (text.encode(),)).fetchone()
        return bool(found and found[0])

    assert server.publisher.purge_records(months=24, dry_run=True) == 1
    assert len(records()) == 2 and is_in_the_file("no_such_column from restricted")
    assert server.publisher.purge_records(months=24, dry_run=False) == 1
    assert len(records()) == 1 and not is_in_the_file("no_such_column from restricted") and is_in_the_file(asked)


def test_the_url_is_shown_without_its_password() -> None:
    assert Database("postgresql://me:secret@host:1/db").shown_url() == "postgresql://me@host:1/db"
