"""Open every page of the built site in Chromium, wide and narrow, light and dark: docs/check_site.py [site]

Fails on errors in the console, requests that fail or leave the site, broken links and anchors, pages and code
wider than the window, empty tables and headings, formulas and images that are not shown, searches whose first
result is another page than the one that answers, and a table of algorithms that does not sort or filter.
`--shots FOLDER` also keeps pictures of some pages.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import http.server
import json
import shutil
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # as a script: the folder above holds the package
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from docs import check_overview, check_searches

LOOKS = [(width, scheme) for width in (1280, 400) for scheme in ("light", "dark")]
SHOTS = (
    "",
    "algorithms/adamw/",
    "algorithms/",
    "benchmarks/",
    "gallery/",
    "algorithms/soap/",
    "reference/optimizers/",
)
# The palette's switch remembers nothing here; and after two frames a page has its new width.
DRESS = """scheme => new Promise(done => {
  document.body.setAttribute('data-md-color-scheme', scheme);
  requestAnimationFrame(() => requestAnimationFrame(done));
})"""
# Run in the page: what is wrong with it, and where its links lead.
LOOK = """() => {
  const wrong = [], wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > wide + 1) {
    const over = [...document.querySelectorAll('.md-content *')]
      .filter(e => e.getBoundingClientRect().right > wide + 1);
    const named = over.slice(0, 3).map(e => `${e.tagName}.${e.getAttribute('class')}`);
    wrong.push(`wider than the window: ${named.join(' ')}`);
  }
  for (const pre of document.querySelectorAll('.md-content .language-python pre > code'))
    if (wide > 1000 && pre.scrollWidth > pre.clientWidth + 1
        && pre.textContent.split('\\n').every(line => line.length < 101))
      wrong.push(`code of less than 101 columns is cut: ${pre.textContent.slice(0, 60)}`);
  for (const table of document.querySelectorAll('.md-content table')) {
    if (!table.tBodies[0]?.rows.length) wrong.push('a table without rows');
    const heads = [...(table.tHead?.rows[0]?.cells ?? [])];
    if (heads.length && !table.closest('.highlight') && heads.every(h => !h.textContent.trim()))
      wrong.push('a table whose heading is empty');
  }
  for (const head of document.querySelectorAll('.md-content :is(h1,h2,h3,h4)'))
    if (!head.textContent.replace('¶', '').trim()) wrong.push('an empty heading');
  for (const math of document.querySelectorAll('math')) {
    const box = math.getBoundingClientRect();
    if (math.checkVisibility() && !(box.width > 2 && box.height > 2))
      wrong.push(`a formula is not shown: ${math.textContent}`);
  }
  if (/[\\ue000\\ue001]/.test(document.body.textContent)) wrong.push('a formula is missing');
  for (const image of document.images) {
    if (image.loading === 'lazy') image.loading = 'eager';
    if (image.complete && !image.naturalWidth) wrong.push(`an image is not shown: ${image.src}`);
  }
  const links = [...document.querySelectorAll('a[href]')].map(a => a.href);
  const ids = [...document.querySelectorAll('[id], a[name]')].map(e => e.id || e.name);
  return {wrong, links, ids};
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server of files that says nothing."""

    def log_message(self, *args: Any) -> None:
        pass


def serve(folder: Path) -> http.server.ThreadingHTTPServer:
    """The folder at a free port of this machine, until `shutdown`."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def pages(folder: Path) -> list[str]:
    """The addresses of all pages within the site."""
    found = [file.relative_to(folder).as_posix() for file in sorted(folder.rglob("*.html"))]
    return [page.removesuffix("index.html") for page in found]


class Check:
    """What was found so far; pages are looked at by several workers."""

    def __init__(self, root: str, names: list[str]):
        self.root, self.names = root, set(names)
        self.wrong: list[str] = []
        self.links: dict[str, set[str]] = {}  # target -> the pages that lead there
        self.ids: dict[str, set[str]] = {}

    def inside(self, address: str) -> bool:
        """Whether an address is one of the site."""
        return address.startswith((self.root, "data:", "blob:", "about:"))

    def watch(self, page: Any, now: dict[str, str]) -> None:
        """Note what a page's console and requests say."""

        def note(text: str) -> None:
            self.wrong.append(f"{now['at']}: {text}")

        page.on("console", lambda m: note(f"console: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: note(f"error: {error}"))
        page.on(
            "requestfailed",
            lambda r: note(f"request failed: {r.url}") if "ERR_ABORTED" not in str(r.failure) else None,
        )
        page.on("request", lambda r: None if self.inside(r.url) else note(f"asks another host: {r.url}"))
        page.on("response", lambda r: note(f"status {r.status}: {r.url}") if r.status >= 400 else None)

    async def look(self, page: Any, name: str, now: dict[str, str], shots: Path | None) -> None:
        """Open a page, and note what is wrong with it in every width and scheme."""
        now["at"] = name or "home"
        await page.goto(self.root + name, wait_until="load")
        for width, scheme in LOOKS:
            now["at"] = f"{name or 'home'} at {width} px, {scheme}"
            await page.set_viewport_size({"width": width, "height": 900})
            await page.evaluate(DRESS, {"light": "default", "dark": "slate"}[scheme])
            found = await page.evaluate(LOOK)
            if found["wrong"]:  # again, when the theme's scripts are done
                await page.wait_for_timeout(700)
                found = await page.evaluate(LOOK)
            self.wrong += [f"{now['at']}: {text}" for text in found["wrong"]]
            if shots and name in SHOTS:
                title = f"{name.strip('/').replace('/', '_') or 'home'}_{width}_{scheme}.png"
                await page.screenshot(path=shots / title)
        self.ids[name] = set(found["ids"])
        for target in found["links"]:
            self.links.setdefault(target, set()).add(name)

    def broken(self) -> Iterator[str]:
        """Links within the site that lead nowhere."""
        for target, sources in sorted(self.links.items()):
            if not target.startswith(self.root):
                continue
            address, _, anchor = target.removeprefix(self.root).partition("#")
            name = urllib.parse.unquote(address.partition("?")[0]).removesuffix("index.html")
            at = f"{min(sources) or 'home'} ({len(sources)} pages)"
            if name not in self.names:
                if not name.startswith(("assets/", "results/")):
                    yield f"{at}: no such page: {name}"
            elif anchor and name in self.ids and urllib.parse.unquote(anchor) not in self.ids[name]:
                yield f"{at}: no such anchor: {name}#{anchor}"


async def look_at_all(
    folder: Path, root: str, names: list[str], workers: int, shots: Path | None
) -> list[str]:
    """Everything that is wrong with the site."""
    from playwright.async_api import async_playwright

    check = Check(root, pages(folder))
    no_index = {**json.loads((folder / "search" / "search_index.json").read_text("utf-8")), "docs": []}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        queue = list(reversed(names))

        async def work() -> None:
            context = await browser.new_context()
            # The index of the search is large, and read by each page: it has a check of its own.
            await context.route("**/search_index.json", lambda route: route.fulfill(json=no_index))
            page, now = await context.new_page(), {"at": ""}
            check.watch(page, now)
            while queue:
                await check.look(page, queue.pop(), now, shots)
                if len(queue) % 50 == 0:
                    print(f"{len(queue)} pages to go, {len(check.wrong)} things wrong so far", flush=True)
            await context.close()

        await asyncio.gather(*(work() for _ in range(workers)))
        if "" in names:
            check.wrong += [text async for text in check_searches.searches(browser, root)]
        if "algorithms/" in names:
            page = await browser.new_page()
            await page.goto(f"{root}algorithms/", wait_until="load")
            check.wrong += [f"algorithms/ at {text}" async for text in check_overview.clicks(page)]
        await browser.close()
    return [*dict.fromkeys(check.wrong), *check.broken()]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("site", nargs="?", default="site", type=Path, help="the folder that make docs made")
    parser.add_argument("--only", default="", help="pages whose address has this text")
    parser.add_argument("--workers", default=6, type=int, help="pages at a time")
    parser.add_argument("--shots", type=Path, help="a folder for pictures of some pages")
    parser.add_argument("--json", type=Path, help="a file for what was found")
    args = parser.parse_args()
    if not (args.site / "index.html").exists():
        parser.error(f"{args.site} holds no site: run make docs first")
    if shutil.which("chromium") is None:
        parser.error("there is no chromium: install it, as by apt-get install chromium")
    if args.shots:
        args.shots.mkdir(parents=True, exist_ok=True)
    server = serve(args.site)
    root = f"http://127.0.0.1:{server.server_port}/"
    names = [name for name in pages(args.site) if args.only in name and name != "404.html"]
    wrong = asyncio.run(look_at_all(args.site, root, names, args.workers, args.shots))
    server.shutdown()
    if args.json:
        args.json.write_text(json.dumps(wrong, indent=1))
    print("\n".join(wrong) or f"{len(names)} pages are as they should be")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
