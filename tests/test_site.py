"""The site's pages against the registry: for each algorithm a page, a row, a picture, a program, a place."""

import contextlib
import io
import math
import re
from pathlib import Path

import pytest

import gradchain as gc
from docs import check_searches, check_site
from docs.pages import algorithm, facts, overview, paths, problems, reference, site, small, snippet, words

ROOT = Path(__file__).resolve().parent.parent
NAV = (ROOT / "mkdocs.yml").read_text("utf-8")


def leaves(nav) -> list[str]:
    """The pages of a navigation."""
    if isinstance(nav, str):
        return [nav]
    entries = nav.values() if isinstance(nav, dict) else nav
    return [path for entry in entries for path in leaves(entry)]


def written() -> set[str]:
    """The pages that are files."""
    return {file.relative_to(ROOT / "docs").as_posix() for file in (ROOT / "docs").rglob("*.md")}


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return {f"algorithms/{name}.md": algorithm.page(name) for name in gc.REGISTRY}


def test_every_algorithm_has_its_page(made):
    for name, factory in gc.REGISTRY.items():
        page = made[f"algorithms/{name}.md"]
        assert page.startswith(f"# {name}\n") and "## Try it" in page and "## State" in page
        for address in re.findall(r"arXiv:(\d{4}\.\d{4,5})", factory.paper):
            assert f"https://arxiv.org/abs/{address}" in page
        for argument in factory.signature.parameters:
            assert f"`{argument}`" in page
        for near in factory.near:
            assert f"({near}.md)" in page


def test_overview_has_a_row_for_each():
    page = overview.page()
    assert re.findall(r'<tr .*?<a href="(\w+)/"><code>', page) == sorted(gc.REGISTRY)
    listed = re.findall(r"\]\(\.\./(?:schedules|losses)/(\w+)\.md\)", page)
    assert set(listed) >= {*gc.SCHEDULES, *small.loss_names()}


def test_navigation_leads_to_every_page():
    nav = [{"Algorithms": "algorithms/index.md"}, {"Reference": "reference.md"}]
    found = leaves(site.navigation(nav))
    pages = {f"algorithms/{name}.md" for name in gc.REGISTRY}
    pages |= {f"schedules/{name}.md" for name in gc.SCHEDULES}
    pages |= {f"losses/{name}.md" for name in small.loss_names()}
    pages |= {section.path for section in reference.sections(site.source())}
    assert set(found) == pages | {"algorithms/index.md", "reference.md"} and len(found) == len(set(found))
    for page in written():
        assert f": {page}\n" in NAV, f"{page} has no place in mkdocs.yml"


def test_every_public_loss_and_schedule_has_a_page():
    losses = {
        n for n in gc.__all__ if getattr(getattr(gc, n), "__module__", "").startswith("gradchain.losses")
    }
    assert losses <= {*small.loss_names(), "losses"} and len(small.loss_names()) > 25
    for name in small.loss_names():
        assert small.loss(name).startswith(f"# {name}\n")
    assert set(small.SHOWN) == set(gc.SCHEDULES)
    assert "<svg" not in small.schedule("wsd_schedule") and "Try it" in small.schedule("wsd_schedule")


def test_every_algorithm_has_a_path_or_a_reason():
    kept = paths.read()
    assert sorted(kept) == sorted(gc.REGISTRY), "run: make pictures"
    for name, one in kept.items():
        assert one.get("why") or one["d"].startswith("m"), name
        assert "error" not in one, name


def points(kept) -> list[tuple[float, float]]:
    """The points of a path, of its `d`."""
    moves = [tuple(map(int, pair.split(","))) for pair in kept["d"].removeprefix("m").split()]
    at = [tuple(map(sum, zip(*moves[: i + 1], strict=True))) for i in range(len(moves))]
    return [(x / paths.UNIT + problems.LOW[0], problems.HIGH[1] - y / paths.UNIT) for x, y in at]


def test_every_path_goes_somewhere():
    for name, one in paths.read().items():
        assert "why" in one or (math.isfinite(one["value"]) and len(points(one)) > 2 and one["value"] < 10), (
            name
        )


def test_what_keeps_a_norm_is_drawn_where_it_can_reach_the_minimum():
    for name, problem in problems.OF.items():
        kept = paths.read()[name]
        assert kept["value"] < 0.05 and sum(problem.terms(*problem.goal)) == 0 and problem.note, name
        assert "the cross is the minimum. " + problem.note[:30] in algorithm.page(name)
    for name, radius in {
        "muonh": problems.NORM,
        "adamh": problems.NORM,
        "spel": 1,
        "step_on_stiefel": 1,
    }.items():
        assert all(abs(math.hypot(*point) - radius) < 0.02 for point in points(paths.read()[name])), name
    assert all(abs(x + y + 0.5) < 0.02 for x, y in points(paths.read()["centralize"]))


def test_contours_are_where_the_function_has_their_height():
    for problem in {problems.VALLEY, *problems.OF.values()}:
        heights = [sum(problem.terms(*point)) for point in problem.contour(3.0)]
        assert max(abs(height - 3) for height in heights) < 1e-9
    assert problems.VALLEY.formula == "(1 − x)² + 10 (y − x²)²"
    assert (
        problems.AXES.formula == "(x − 1.2)² + 4 y²" and problems.LINE.formula == "(x − 0.2)² + 4 (y + 0.7)²"
    )


def test_a_path_is_what_running_it_gives():
    for name in ("sgd", "lion", "step_on_sphere"):
        assert paths.picture(name) == paths.read()[name]


@pytest.mark.parametrize(
    "name",  # in the quick suite one of forty
    [pytest.param(name, marks=[pytest.mark.slow] * (i % 40 > 0)) for i, name in enumerate(gc.REGISTRY)],
)
def test_program_runs(name):
    code = snippet.program(name, algorithm._where(name))
    assert max(map(len, code.splitlines())) <= 100
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, name, "exec"), {})
    assert out.getvalue().strip()


def test_reference_is_split_by_its_headings():
    sections = reference.sections(site.source())
    names = [name for section in sections for name in section.names]
    assert len(names) == len(set(names)) and set(names) >= set(gc.__all__) - {"REGISTRY", "SCHEDULES"}
    pages = "".join(reference.page(section) for section in sections)
    for name in ("adam", "sgd"):  # functions in modules of their names
        assert f'<a id="gradchain.{name}"></a>' in pages
        assert f"\n::: {getattr(gc, name).__module__}.{name}\n" in pages
    assert reference.index(site.source()).count("][gradchain.") == len(names)


@pytest.mark.parametrize(
    ("link", "turned"),
    [
        ("[`adamw`](reference.md#gradchain.adamw)", "[`adamw`][gradchain.adamw]"),
        ("[a](../reference.md#sharding)", "[a](../reference/sharding.md)"),
        ("[a](reference.md#glossary)", "[a](glossary.md)"),
        ("[a](reference.md)", "[a](reference.md)"),
    ],
)
def test_links_into_the_reference(link, turned):
    assert site.relinked(link) == turned


def test_facts():
    assert facts.state_bytes("adamw")["float32"] == pytest.approx(8, abs=0.01)
    assert facts.state_bytes("adamw")["log8"] == pytest.approx(2, abs=0.01)
    assert facts.traffic("adamw")[0][1] == "28"
    assert set(facts.TRAITS) >= {trait for factory in gc.REGISTRY.values() for trait in factory.traits}
    needed = {need for name in gc.REGISTRY for need in facts.entry(name).needs}
    assert needed <= set(facts.NEEDS) and needed <= set(snippet.GIVEN)


def known_pages() -> set[str]:
    """The pages that are files, and those that are made."""
    nav = [{"Algorithms": "algorithms/index.md"}, {"Reference": "reference.md"}]
    return written() | set(leaves(site.navigation(nav)))


def test_words_are_of_pages_that_are_there():
    assert set(words.PAGES) <= known_pages()
    assert words.tags("algorithms/scale_by_adam.md") == ["scale_by_adam", "scalebyadam"]


def test_searches_lead_to_pages_that_are_there():
    wanted = {page.rstrip("/") + ".md" for pages in check_searches.SEARCHES.values() for page in pages}
    assert len(check_searches.SEARCHES) > 50 and wanted <= known_pages()


def test_check_finds_what_is_wrong(tmp_path):
    (tmp_path / "page").mkdir()
    (tmp_path / "index.html").write_text("<p>home</p>")
    (tmp_path / "page" / "index.html").write_text("<p>page</p>")
    assert check_site.pages(tmp_path) == ["", "page/"]
    check = check_site.Check("http://here/", check_site.pages(tmp_path))
    check.ids["page/"] = {"there"}
    for to in ("page/#there", "page/#not", "none/", "#top", "page/index.html"):
        check.links[f"http://here/{to}"] = {""}
    assert [text.partition(": ")[2] for text in check.broken()] == [
        "no such page: none/",
        "no such anchor: page/#not",
    ]
    assert not check.inside("https://fonts.googleapis.com/css") and check.inside("http://here/page/")
