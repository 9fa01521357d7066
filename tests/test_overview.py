"""The table of all algorithms in a browser: pressing a heading sorts it, typing filters it."""

import asyncio
import importlib.util
import shutil

import pytest

from docs import check_overview, check_site
from docs.pages import overview

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("playwright") is None or shutil.which("chromium") is None,
    reason="needs playwright and chromium: make docs-check runs the same on the site",
)
ASSETS = check_site.Path(check_site.__file__).parent / "assets"
FAULTS = {  # in the script: what a reader would meet
    "sorts numbers as text": ("Number(cell.dataset.value)", "cell.dataset.value"),
    "sorts nothing": ("body.append(", "void ("),
    "takes any word": ("words.every(", "words.some("),
    "takes every family": ("row.dataset.family === family.value", "true"),
}


def wrong_with(script: str) -> list[str]:
    """What the clicks find in a page of the table alone."""
    from playwright.async_api import async_playwright

    table = overview.page().partition("# All algorithms")[2].partition("## Schedules")[0]
    style = (ASSETS / "site.css").read_text("utf-8")

    async def look() -> list[str]:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            page = await browser.new_page()
            await page.set_content(f"<style>{style}</style>{table}<script>{script}</script>")
            found = [text async for text in check_overview.clicks(page)]
            await browser.close()
            return found

    return asyncio.run(look())


@pytest.mark.slow
def test_headings_sort_and_fields_filter():
    assert wrong_with((ASSETS / "overview.js").read_text("utf-8")) == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_clicks_find_what_is_wrong(fault):
    script, (right, wrong) = (ASSETS / "overview.js").read_text("utf-8"), FAULTS[fault]
    assert script.count(right) == 1
    assert wrong_with(script.replace(right, wrong))
