"""Open a warehouse's models in MLflow's own pages with Chromium and keep pictures of them; `make mlflow-picture` runs it.

Three pages: the runs of the experiment, the registered model with its aliases, the champion with its card. A page that is not
there, or stays without what it should show, ends it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
from mlflow_server import mlflow_server

EXPERIMENT, MODEL = "living-finance", "living-finance-income"
"""As in conf/local.yaml."""
WIDTH, HEIGHT = 1400, 600
COLOURS = 128
NO_ASSISTANT = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
"""Its panel opens by itself on the first visit only."""
PATIENCE, SETTLING = 120_000, 3_000
"""Milliseconds. The page of runs never stops asking for more, so that no idle network says when it is drawn."""
SCROLLED = """Math.max(0, ...[...document.querySelectorAll('main, main *')]
  .filter(each => /auto|scroll/.test(getComputedStyle(each).overflowY)).map(each => each.scrollHeight - each.clientHeight))"""
"""Dots of the page below the window."""


def take(browser: Browser, address: str, *, out: Path) -> None:
    """Write a picture of each page without the menu beside it, as high as what it shows."""
    page = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, timezone_id="Asia/Seoul").new_page()
    page.set_default_timeout(PATIENCE)
    page.add_init_script(NO_ASSISTANT)
    ask = f"{address}/api/2.0/mlflow"
    found = page.request.get(f"{ask}/experiments/get-by-name", params={"experiment_name": EXPERIMENT}, fail_on_status_code=True)
    experiment = found.json()["experiment"]["experiment_id"]
    found = page.request.get(
        f"{ask}/registered-models/alias", params={"name": MODEL, "alias": "champion"}, fail_on_status_code=True
    )
    champion = found.json()["model_version"]["version"]
    for name, where, shown in (
        ("mlflow-runs", f"experiments/{experiment}/runs", "train-"),
        ("mlflow-model", f"models/{MODEL}", "@ champion"),
        ("mlflow-ui", f"models/{MODEL}/versions/{champion}", "사생활 · Privacy"),
    ):
        page.goto(f"{address}/#/{where}")
        page.get_by_text(shown).first.wait_for()
        page.wait_for_timeout(SETTLING)
        file = out / f"{name}.png"
        page.set_viewport_size({"width": WIDTH, "height": HEIGHT + page.evaluate(SCROLLED)})
        page.locator("main").screenshot(path=file)
        page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        Image.open(file).quantize(COLOURS).save(file, optimize=True)
        sys.stdout.write(f"{file}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", required=True, type=Path, help="mlflow.db of a warehouse")
    parser.add_argument("--mlflow", required=True, help="MLflow's program")
    parser.add_argument("--fonts", required=True, type=Path, help="folder with a Korean typeface, which the machine may lack")
    parser.add_argument("--browser", required=True, help="Chromium's program")
    parser.add_argument("--out", required=True, type=Path, help="folder for the pictures")
    wanted = parser.parse_args()
    with (
        mlflow_server([wanted.mlflow], "--backend-store-uri", f"sqlite:///{wanted.store.resolve()}") as address,
        tempfile.TemporaryDirectory() as shared,
        sync_playwright() as driver,
    ):
        # Where fontconfig looks for a user's own.
        (Path(shared) / "fonts").symlink_to(wanted.fonts.resolve())
        browser = driver.chromium.launch(executable_path=wanted.browser, env={**os.environ, "XDG_DATA_HOME": shared})
        take(browser, address, out=wanted.out)
        browser.close()


if __name__ == "__main__":
    main()
