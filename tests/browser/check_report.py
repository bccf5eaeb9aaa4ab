"""Open reports in Chromium at desktop and phone width, and draw their PDFs; `make test-browser` runs it with its own environment.

Fails on console errors, requests, sideways scrolling, serious or critical findings of axe-core, a banner that is not there,
Korean in English pages and blank pages; leaves screenshots and pages.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from check_pages import draw_pages, korean_words
from playwright.sync_api import Browser, sync_playwright

WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
SERIOUS = {"serious", "critical"}


def look(browser: Browser, file: Path, *, view: str, out: Path, has_typeface: bool = True) -> list[str]:
    """Problems of one page at one width; without a typeface of its own it is not asked for one."""
    width, height = WIDTHS[view]
    context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
    page = context.new_page()
    found: list[str] = []
    page.on("console", lambda message: found.append(f"console: {message.text}") if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    page.on(
        "request", lambda request: None if request.url.startswith(("file:", "data:")) else found.append(f"request: {request.url}")
    )
    page.goto(file.resolve().as_uri())
    page.evaluate("document.fonts.ready")
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > width:
        found.append(f"wider than the window: {wide} > {width}")
    if has_typeface and not page.evaluate("document.fonts.check('1rem NanumGothic', '가')"):
        found.append("the Korean font is not there")
    if not page.locator("p.banner").first.is_visible():
        found.append("no banner says that the statistic is in development")
    if page.evaluate("document.documentElement.lang") == "en":
        found += [f"not translated: {words}" for words in korean_words(page.evaluate("document.body.innerText"))]
    violations = Axe().run(page).response["violations"]
    found += [f"axe {v['impact']}: {v['id']} ({len(v['nodes'])}×): {v['help']}" for v in violations if v["impact"] in SERIOUS]
    page.screenshot(path=out / f"{file.stem}-{view}.png", full_page=True)
    context.close()
    return found


def tell(what: str, found: list[str]) -> int:
    """Say what was found; how much."""
    sys.stdout.write(f"{what}: {'nothing found' if not found else ''}\n")
    sys.stdout.writelines(f"  {line}\n" for line in found)
    return len(found)


def main() -> int:
    """Exit code 1 where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="+", type=Path, help="HTML, with a PDF of the same name beside it")
    parser.add_argument("--pages", nargs="*", type=Path, default=[], help="other HTML, without PDF and typeface")
    parser.add_argument("--browser", required=True, help="Chromium's program")
    parser.add_argument("--out", type=Path, required=True, help="folder for screenshots")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    problems = 0
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=wanted.browser)
        for file in (*wanted.reports, *wanted.pages):
            for view in WIDTHS:
                found = look(browser, file, view=view, out=wanted.out, has_typeface=file in wanted.reports)
                problems += tell(f"{file.name} {view}", found)
        browser.close()
    for file in wanted.reports:
        pdf = file.with_suffix(".pdf")
        problems += tell(pdf.name, draw_pages(pdf, out=wanted.out) if pdf.exists() else ["there is no such file"])
    sys.stdout.write(f"screenshots: {wanted.out}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
