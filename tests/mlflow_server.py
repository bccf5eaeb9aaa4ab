"""A real MLflow server on this machine, for as long as it is needed; the standard library only, for any environment."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def mlflow_server(mlflow: Sequence[str], *options: str) -> Iterator[str]:
    """Its address, on a free port, when it answers.

    Args:
        mlflow: how MLflow's command is called.
        options: of `mlflow server`, such as where the store is.

    Raises:
        RuntimeError: it ended, or did not answer in five minutes.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [*mlflow, "server", "--host", "127.0.0.1", "--port", port, "--workers", "1", *options]
    # Without the processes of its job queue, which nothing here asks for.
    alone = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(command, env=alone, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield _when_it_answers(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait(60)


def _when_it_answers(address: str, process: subprocess.Popen[bytes]) -> str:
    for _ in range(600):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/health", timeout=5)
            return address
        if process.poll() is not None:
            break
        time.sleep(0.5)
    raise RuntimeError("The MLflow server does not answer.")
