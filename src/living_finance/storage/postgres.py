"""The utilization database: the only module that talks to PostgreSQL.

A month is loaded by COPY into staging tables, checked there, and swapped in by one transaction over all its tables
(decision 0041). Whatever happens before that transaction commits, readers see the month as it was.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import errors as pg
from psycopg.types.json import Jsonb
from pyarrow import csv as arrow_csv
from pyspark.sql import DataFrame

from living_finance.config import DatabaseSettings
from living_finance.contracts.core import Table
from living_finance.contracts.utilization import ANALYST, OWNER, PUBLISHED, READER
from living_finance.errors import ConcurrentRun, ConfigurationError, ContractViolation, DatabaseUnavailable, MissingInput
from living_finance.months import Month
from living_finance.storage import postgres_schema as schema
from living_finance.storage.postgres_server import embedded_server, folder_of

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 10
_LOCK_SECONDS = 30
"""How long a swap waits for readers of the tables before it gives up and leaves the month as it was."""
_OLDEST_VERSION = 150_000
_LOCK_SPACE = 20_180_901
_LEAVING_SECONDS = 5
"""First half of our advisory locks; the second is the month, or 0 for the definition."""


@dataclass(frozen=True)
class CopyTarget:
    """A staging table that rows go to; travels to executors, so it holds text only."""

    url: str
    name: str
    columns: tuple[str, ...]


Load = Callable[[CopyTarget], None]
"""Fills a staging table."""


@dataclass(frozen=True)
class Publication:
    """A month as it was last swapped in."""

    base_month: dt.date
    definition: str
    facts: Mapping[str, Any]
    published_at: dt.datetime


@dataclass(frozen=True)
class DistrictGrant:
    """Who may read the household rows of a district, and how long."""

    login: str
    gu_code: str
    valid_until: dt.date | None
    reason: str | None
    is_valid: bool


_GRANTS = f"""select grantee, gu_code, valid_until, reason, current_date <= coalesce(valid_until, 'infinity')
    from {schema.ACCESS}.district_grant"""


@contextlib.contextmanager
def open_database(settings: DatabaseSettings, *, warehouse_root: str) -> Iterator[Database]:
    """The database of the settings, or the warehouse's embedded one, which then runs as long as the context.

    Raises:
        DatabaseUnavailable: it does not start or answer.
        ConfigurationError: the URL cannot be read; the server is too old.
    """
    with contextlib.ExitStack() as stack:
        url = settings.url or stack.enter_context(embedded_server(folder_of(warehouse_root)))
        database = Database(url)
        database.check_version()
        yield database


def check_published(settings: DatabaseSettings, *, warehouse_root: str) -> None:
    """Raises MissingInput where there is no database: asking does not make an empty one."""
    if not settings.url and not folder_of(warehouse_root).is_dir():
        raise MissingInput(
            f"Nothing has been published from {warehouse_root}.",
            remedy="name the --warehouse, or run living-finance publish first",
        )


class Database:
    """One utilization database, by its URL. The login is a superuser or a member of the owner role."""

    def __init__(self, url: str) -> None:
        self.url = url

    @contextlib.contextmanager
    def connection(self, role: str | None = OWNER) -> Iterator[psycopg.Connection[Any]]:
        """A connection in a role, outside a transaction; failures become ours.

        Raises:
            DatabaseUnavailable, ContractViolation, ConfigurationError: see `_translated`.
        """
        # Password, host and user stay in the URL and out of every message.
        options: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS, "application_name": "living-finance"}
        with _translating(role), psycopg.connect(self.url, autocommit=True, **options) as connection:
            if role is not None:
                connection.execute(f"set role {schema.quoted(role)}".encode())
            yield connection

    def shown_url(self) -> str:
        """The URL without its password."""
        return re.sub(r"//([^:@/]*):[^@/]*@", r"//\1@", self.url)

    def check_version(self) -> None:
        """Raises ConfigurationError for a server older than PostgreSQL 15."""
        with self.connection(role=None) as connection:
            if connection.info.server_version < _OLDEST_VERSION:
                raise ConfigurationError("The database is older than PostgreSQL 15.", remedy="name a newer server")

    def prepare(self, boundaries: Callable[[], Iterable[tuple[str, str, int, str, str]]]) -> None:
        """Make roles, schemas, tables, row security and views what the contracts say; nothing where they are so already.

        Args:
            boundaries: rows of region level, region code, year, GeoJSON geometry, source; called when they are needed.
        """
        wanted = schema.fingerprint()
        with self.connection(role=None) as connection, connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s, 0)", (_LOCK_SPACE,))
            if self._definition(connection) == wanted:
                return
            self._ensure_roles(connection)
            connection.execute(f"set local role {OWNER}".encode())
            for statement in schema.definition():
                connection.execute(statement.encode())
            connection.execute(f"delete from {schema.STATISTICS}.boundary".encode())
            with connection.cursor() as cursor:
                insert = f"insert into {schema.STATISTICS}.boundary values (%s, %s, %s, %s, %s)"
                cursor.executemany(insert.encode(), list(boundaries()))
            connection.execute(f"comment on schema {schema.ACCESS} is {schema.literal(wanted)}".encode())
        log.info("database definition %s", wanted)

    def publication(self, month: Month) -> Publication | None:
        """The newest publication of a month, or None."""
        with self.connection(role=None) as connection:
            if self._definition(connection) is None:
                return None
            connection.execute(f"set role {OWNER}".encode())
            query = f"""select base_month, definition, facts, published_at from {schema.ACCESS}.publication
                where base_month = %s order by publication_id desc limit 1"""
            row = connection.execute(query.encode(), (month.date,)).fetchone()
            return Publication(*row) if row else None

    def publish(
        self, month: Month, *, loads: Mapping[str, Load], rows: Mapping[str, int], facts: Mapping[str, Any]
    ) -> Publication:
        """Replace a month: load every table into staging, check it, swap all of them in one transaction.

        Args:
            month: the month.
            loads: for every published table, by qualified name, what fills its staging table.
            rows: rows a table must have; tables that are not named may have any number.
            facts: Delta versions, models and the like, for the record.

        Raises:
            ConcurrentRun: another process publishes the month.
            ContractViolation: a row breaks its contract, or rows are missing or too many; the old month is whole.
            DatabaseUnavailable: the database went away, or readers held the tables; the old month is whole.
        """
        tables = [published.table for published in PUBLISHED]
        with self.connection() as connection:
            try:  # the server may take a moment to notice that a publisher has gone
                connection.execute(f"set lock_timeout = '{_LEAVING_SECONDS}s'".encode())
                connection.execute("select pg_advisory_lock(%s, %s)", (_LOCK_SPACE, month.index))
                connection.execute("reset lock_timeout")
            except pg.LockNotAvailable:
                raise ConcurrentRun(f"Another process publishes {month}.", remedy="wait until it has ended") from None
            counted = {table.qualified_name: self._stage(connection, table, month, loads, rows) for table in tables}
            everything = {**facts, "rows": counted}
            with connection.transaction():
                connection.execute(f"set local lock_timeout = '{_LOCK_SECONDS}s'".encode())
                for table in tables:
                    for statement in schema.swap(table, month):
                        connection.execute(statement.encode())
                insert = f"""insert into {schema.ACCESS}.publication (base_month, definition, facts) values (%s, %s, %s)
                    returning published_at"""
                row = connection.execute(insert.encode(), (month.date, schema.fingerprint(), Jsonb(everything))).fetchone()
        log.info("published %s rows=%d", month, sum(counted.values()))
        return Publication(month.date, schema.fingerprint(), everything, row[0] if row else dt.datetime.min)

    def query(
        self, statement: str, *, role: str = READER, limit: int = 1000, person: str = ""
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and at most `limit` rows of one read-only statement, run in a role.

        In any role but the readers' it is recorded before it runs, and not run if it cannot be.

        Args:
            statement: one statement.
            role: group role.
            limit: most rows.
            person: who asks, as the machine knows them; the database login is recorded too.

        Raises:
            ConfigurationError: the role may not, or the statement cannot be run.
            DatabaseUnavailable: see `connection`.
        """
        record = None if role == READER else self.begin_read(statement, role=role, person=person)
        with self.connection(role) as connection, connection.transaction():
            connection.execute("set transaction read only")
            try:
                cursor = connection.execute(statement.encode(), prepare=True)  # prepared: a second statement is refused
                columns = [column.name for column in cursor.description] if cursor.description else []
                rows = cursor.fetchmany(limit) if columns else []
            except (pg.InsufficientPrivilege, psycopg.DataError, psycopg.ProgrammingError) as error:
                raise _refused_statement(error, role) from None
        if record is not None:
            self.end_read(record, role=role, rows=len(rows))
        return columns, rows

    def begin_read(self, statement: str, *, role: str, person: str) -> int:
        """Record that rows of households are about to be read.

        Returns:
            Number of the record.

        Raises:
            ConfigurationError: the login may not put on the role.
        """
        with self.connection(role) as connection:
            begin = f"select {schema.ACCESS}.begin_read(%s, %s, %s)"
            row = connection.execute(begin.encode(), (person, role, statement)).fetchone()
        if row is None:
            raise ContractViolation("The read could not be recorded.")
        return int(row[0])

    def end_read(self, record: int, *, role: str, rows: int) -> None:
        """Complete a record by the rows that were read."""
        with self.connection(role) as connection:
            connection.execute(f"select {schema.ACCESS}.end_read(%s, %s)".encode(), (record, rows))

    def districts(self) -> list[DistrictGrant]:
        """Districts whose household rows this login may read as an analyst, also those whose time is over."""
        with self.connection(ANALYST) as connection:
            found = connection.execute(f"{_GRANTS} order by gu_code".encode()).fetchall()
        return [DistrictGrant(*row) for row in found]

    def grant(self, login: str, gu_code: str, *, until: dt.date | None, reason: str) -> None:
        """Let a login read household rows of a district as an analyst; granted again, the new end and reason count.

        Raises:
            ConfigurationError: there is no such login, or this one may not grant.
        """
        insert = f"""insert into {schema.ACCESS}.district_grant (grantee, gu_code, valid_until, reason) values (%s, %s, %s, %s)
            on conflict (grantee, gu_code) do update set valid_until = excluded.valid_until, reason = excluded.reason,
            granted_by = session_user, granted_at = now()"""
        with self.connection() as connection:
            if connection.execute("select 1 from pg_roles where rolname = %s and rolcanlogin", (login,)).fetchone() is None:
                raise ConfigurationError(
                    f"The database has no login {login!r}.",
                    remedy=f"an administrator makes it: create role … login in role {ANALYST}",
                )
            connection.execute(insert.encode(), (login, gu_code, until, reason))

    def revoke(self, login: str, gu_code: str) -> bool:
        """Take a grant back.

        Returns:
            Whether there was one.
        """
        delete = f"delete from {schema.ACCESS}.district_grant where grantee = %s and gu_code = %s"
        with self.connection() as connection:
            return connection.execute(delete.encode(), (login, gu_code)).rowcount > 0

    def grants(self) -> list[DistrictGrant]:
        """Of all logins, for whoever may grant."""
        with self.connection() as connection:
            found = connection.execute(f"{_GRANTS} order by grantee, gu_code".encode()).fetchall()
        return [DistrictGrant(*row) for row in found]

    def login(self) -> str:
        """Who this connection is to the database."""
        with self.connection(role=None) as connection:
            row = connection.execute("select session_user").fetchone()
            return str(row[0]) if row else ""

    def purge_records(self, *, months: int, dry_run: bool) -> int:
        """Remove access records older than some months, and write the file they were in anew.

        Returns:
            How many there are, or were.
        """
        old = f"{schema.ACCESS}.read_record where read_at < now() - make_interval(months => %s)"
        with self.connection(role=None) as connection:
            if self._definition(connection) is None:
                return 0
            connection.execute(f"set role {OWNER}".encode())
            is_there = connection.execute("select to_regclass(%s)", (f"{schema.ACCESS}.read_record",)).fetchone()
            if is_there is None or is_there[0] is None:  # a database that an earlier version made
                return 0
            counted = connection.execute(f"select count(*) from {old}".encode(), (months,)).fetchone()
            if not dry_run:
                connection.execute(f"delete from {old}".encode(), (months,))
                connection.execute(f"vacuum (full) {schema.ACCESS}.read_record".encode())
            return int(counted[0]) if counted else 0

    def _stage(
        self,
        connection: psycopg.Connection[Any],
        table: Table,
        month: Month,
        loads: Mapping[str, Load],
        rows: Mapping[str, int],
    ) -> int:
        name = f"{schema.STAGING}.{schema.partition(table, month)}"
        for statement in schema.staging_table(table, month):
            connection.execute(statement.encode())
        connection.execute(f"delete from {schema.STAGING}.loaded where target = %s".encode(), (name,))
        loads[table.qualified_name](CopyTarget(self.url, name, table.column_names))
        counted = connection.execute(f"select count(*) from {name}".encode()).fetchone()
        count = int(counted[0]) if counted else 0
        wanted = rows.get(table.qualified_name, count)
        if count != wanted:
            raise ContractViolation(f"{table.qualified_name}: {count} rows loaded for {month}, {wanted} expected.")
        for statement in schema.finish_staging(table, month):
            connection.execute(statement.encode())
        return count

    def _definition(self, connection: psycopg.Connection[Any]) -> str | None:
        query = "select obj_description(to_regnamespace(%s)::oid, 'pg_namespace')"
        row = connection.execute(query, (schema.ACCESS,)).fetchone()
        return row[0] if row else None

    def _ensure_roles(self, connection: psycopg.Connection[Any]) -> None:
        """Make the group roles if this login may; otherwise an administrator has."""
        row = connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone()
        if row is None or not row[0]:
            return
        for statement in schema.roles():
            connection.execute(statement.encode())
        database = schema.quoted(connection.info.dbname)
        connection.execute(f"grant create on database {database} to {OWNER}".encode())


def load_arrow(batches: Iterable[pa.RecordBatch]) -> Load:
    """Fill a staging table from Arrow batches of this process."""

    def load(target: CopyTarget) -> None:
        copy_part(target, 0, batches)

    return load


def load_spark(frame: DataFrame, *, connections: int) -> Load:
    """Fill a staging table from a DataFrame: each task sends its own batches, the driver sees a count per task.

    Args:
        frame: the table's columns in any order.
        connections: most tasks, and so connections, at a time.
    """

    def load(target: CopyTarget) -> None:
        def send(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            from pyspark import TaskContext

            context = TaskContext.get()
            count = copy_part(target, context.partitionId() if context else 0, batches)
            yield pa.RecordBatch.from_pydict({"row_count": [count]})

        frame.select(*target.columns).coalesce(connections).mapInArrow(send, "row_count bigint").collect()  # ok: a row per task

    return load


def copy_part(target: CopyTarget, part: int, batches: Iterable[pa.RecordBatch]) -> int:
    """COPY batches into a staging table as one transaction, once: a task that runs again finds its part there.

    Returns:
        Rows of the part.
    """
    with Database(target.url).connection() as connection, connection.transaction():
        claim = f"insert into {schema.STAGING}.loaded values (%s, %s, 0) on conflict do nothing"
        # A second attempt waits here until the first has committed or failed.
        if connection.execute(claim.encode(), (target.name, part)).rowcount == 0:
            known = f"select row_count from {schema.STAGING}.loaded where target = %s and part = %s"
            row = connection.execute(known.encode(), (target.name, part)).fetchone()
            return int(row[0]) if row else 0
        columns = ", ".join(map(schema.quoted, target.columns))
        options = arrow_csv.WriteOptions(include_header=False)  # text quoted, missing values not: COPY tells '' from null
        rows = 0
        with connection.cursor().copy(f"copy {target.name} ({columns}) from stdin (format csv)".encode()) as copy:
            for batch in batches:
                sink = pa.BufferOutputStream()
                arrow_csv.write_csv(batch.select(list(target.columns)), sink, options)
                copy.write(memoryview(sink.getvalue()))
                rows += batch.num_rows
        noted = f"update {schema.STAGING}.loaded set row_count = %s where target = %s and part = %s"
        connection.execute(noted.encode(), (rows, target.name, part))
    return rows


def _refused_statement(error: psycopg.Error, role: str) -> ConfigurationError:
    """Why a question was not answered. Texts on syntax and names quote the question; those on data quote rows and stay out."""
    if isinstance(error, pg.InsufficientPrivilege):
        return ConfigurationError(
            f"Role {role} may not do that.",
            remedy=f"statistics are open to {READER}; households need --role {ANALYST} and a district (`living-finance grant`)",
        )
    text = error.diag.message_primary if isinstance(error, psycopg.ProgrammingError) else None
    said = text or type(error).__name__
    return ConfigurationError(
        f"The database cannot answer this: {said}.",
        remedy="docs/operations.md lists the views; `living-finance describe` the columns",
    )


@contextlib.contextmanager
def _translating(role: str | None) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise _translated(error, role or OWNER) from None


def _translated(error: psycopg.Error, role: str) -> Exception:
    """Our error; the server's text is left out because it quotes rows, and the client's because it names the login."""
    about = error.diag
    where = f"{about.schema_name}.{about.table_name}" if about.table_name else "the database"
    if isinstance(error, pg.InsufficientPrivilege | pg.UndefinedObject | pg.InvalidParameterValue):
        return ConfigurationError(
            f"The database login lacks a right or a role ({type(error).__name__}).",
            remedy=f"an administrator makes it a member of {role}; docs/operations.md has the statements for an administrator",
        )
    if isinstance(error, psycopg.IntegrityError | psycopg.DataError):
        rule = about.constraint_name or about.column_name or type(error).__name__
        return ContractViolation(f"{where}: {rule} does not hold; the published month is as it was.")
    if isinstance(error, pg.LockNotAvailable | pg.DeadlockDetected):
        return DatabaseUnavailable("Readers held the tables too long; the published month is as it was.", remedy="publish again")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return DatabaseUnavailable(
            f"The database does not answer ({type(error).__name__}).",
            remedy="check that it runs and that database.url is right; the published month is as it was",
        )
    if error.sqlstate is None:
        return ConfigurationError("database.url is not a PostgreSQL URL.", remedy="write postgresql://user@host:port/database")
    return ConfigurationError(f"The database refused a statement ({type(error).__name__}).", remedy="check the statement")
