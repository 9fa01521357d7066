"""Click through the table of all algorithms in Chromium: its headings sort, its fields filter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

WIDTHS = (1280, 400)
WORDS = ("muon", "sign 2405", "no such algorithm")
# Run in the page: the cells of each row that is shown, numbers as they are kept.
ROWS = """() => [...document.querySelectorAll('.gc-all tbody tr')].filter(row => row.checkVisibility()).map(
  row => ({
    text: row.textContent.toLowerCase(), kind: row.dataset.kind, family: row.dataset.family,
    cells: [...row.cells].map(c => 'value' in c.dataset ? Number(c.dataset.value) : c.textContent),
  }))"""


async def clicks(page: Any) -> AsyncIterator[str]:
    """What is wrong with sorting and filtering of the overview that a page shows, wide and narrow."""
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 900})
        async for text in sorting(page):
            yield f"{width} px: {text}"
        async for text in filtering(page):
            yield f"{width} px: {text}"


async def sorting(page: Any) -> AsyncIterator[str]:
    """Press each heading that is shown twice: rows are in order, then in the other; none is lost."""
    everything = sorted(row["text"] for row in await page.evaluate(ROWS))
    heads = page.locator(".gc-all th button")
    if await page.locator(".gc-all th button:visible").count() < 3:
        yield "fewer than three columns are shown"
    for column in range(await heads.count()):
        head = heads.nth(column)
        if not await head.is_visible():  # on a telephone some columns are left out
            continue
        title = await head.inner_text()
        for sort in ("ascending", "descending"):
            await head.click()
            said = await page.locator(".gc-all th").nth(column).get_attribute("aria-sort")
            rows = await page.evaluate(ROWS)
            keys = [row["cells"][column] for row in rows]
            if said != sort or keys != sorted(keys, reverse=sort == "descending"):
                yield f"after a press on {title!r} the rows are not {sort}: {keys[:4]}"
            if sorted(row["text"] for row in rows) != everything:
                yield f"after a press on {title!r} there are {len(rows)} rows of {len(everything)}"


async def filtering(page: Any) -> AsyncIterator[str]:
    """Type and choose: the rows that are left are those that fit, and their number is shown."""
    every = await page.evaluate(ROWS)
    if not every:
        yield "no row is shown"
        return
    field, output = page.locator(".gc-filter input"), page.locator(".gc-filter output")

    async def wrong(said: str, expected: list[dict]) -> AsyncIterator[str]:
        left = await page.evaluate(ROWS)
        if sorted(row["text"] for row in left) != sorted(row["text"] for row in expected):
            yield f"{said}: {len(left)} rows are left; expected {len(expected)}"
        count = f"{len(expected)} of {len(every)}"
        if (shown := await output.inner_text()) != count:
            yield f"{said}: the page says {shown!r}; expected {count!r}"

    for words in WORDS:
        await field.fill("")
        await field.press_sequentially(words)
        fits = [row for row in every if all(word in row["text"] for word in words.split())]
        async for text in wrong(f"filter {words!r}", fits):
            yield text
    await field.fill("")
    for i, key in enumerate(("kind", "family")):
        choice = every[0][key]
        await page.locator(".gc-filter select").nth(i).select_option(choice)
        async for text in wrong(f"{key} {choice!r}", [row for row in every if row[key] == choice]):
            yield text
        await page.locator(".gc-filter select").nth(i).select_option("")
    async for text in wrong("nothing", every):
        yield text
