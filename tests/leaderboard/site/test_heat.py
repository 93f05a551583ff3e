"""The heat map: differences to the random encoder, their colours, and what is bold."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from dabs.leaderboard.site.heat import COLUMN, DEEPEST, FULL, HEAD, NAMES, ROW, HeatMap, heat_view, layout_heat
from dabs.leaderboard.tables.aggregate import Table, build_table
from tests.helpers.made_results import EVERY_ROW, make, make_suite

SVG = "{http://www.w3.org/2000/svg}"
FAILED = {("shed", "sensor", 1): "it fell"}


@pytest.fixture(scope="module")
def table() -> Table:
    return build_table(make_suite(("linear",), gains=EVERY_ROW, failed=FAILED), "linear")


@pytest.fixture(scope="module")
def heat(table: Table) -> HeatMap:
    found = layout_heat(table)
    assert found is not None
    return found


def test_cells_are_differences_to_none(table: Table, heat: HeatMap) -> None:
    names = [name for _, name, _ in heat.rows]
    assert names == ["contrastive", "emix", "shed", "raw", "summary", "supervised"]
    scopes = [None, *table.tasks]
    assert len(heat.cells) == len(names) * len(scopes)
    for cell in heat.cells:
        name = names[round((cell.y - HEAD) / ROW)]
        scope = scopes[round((cell.x - NAMES) / COLUMN)]
        own, floor = (table.overall(n) if scope is None else table.domain_mean(n, scope) for n in (name, "none"))
        assert own is not None
        assert floor is not None
        gain = 100 * (own - floor)
        assert float(cell.text.strip("✗").replace("−", "-")) == pytest.approx(gain, abs=0.051)
        assert cell.text.startswith("+" if gain > 0 else "−")
        assert cell.text.endswith("✗") == (name == "shed" and scope in (None, "sensor"))
        assert cell.tone == ("tone-0" if gain > 0 else "tone-1")
        assert cell.opacity == pytest.approx(DEEPEST * min(abs(gain) / 100 / FULL, 1), abs=0.001)


def test_bold_marks_intervals_that_do_not_overlap() -> None:
    def cell(score: float) -> bool:
        found = layout_heat(build_table([make(algorithm="none", score=0.5), make(score=score)], "linear"))
        assert found is not None
        assert len(found.cells) == 1, "one domain has no mean over domains"
        return found.cells[0].clear

    assert [cell(score) for score in (0.40, 0.49, 0.52, 0.60)] == [True, False, False, True]


def test_a_missing_mean_is_a_dash_and_zero_has_no_sign() -> None:
    results = [make(algorithm="none"), make(), make(algorithm="none", domain="speech", task="word")]
    found = layout_heat(build_table(results, "linear"))
    assert found is not None
    assert [cell.text for cell in found.cells] == ["–", "0.0", "–"]
    assert [cell.opacity for cell in found.cells] == [0, 0, 0]


def test_without_the_random_encoder_or_another_row_there_is_none() -> None:
    assert layout_heat(build_table([make()], "linear")) is None
    assert layout_heat(build_table([make(algorithm="none")], "linear")) is None
    assert heat_view(build_table([make()], "linear"), "x") is None


def test_the_file_and_the_words_hold_every_number(table: Table, heat: HeatMap) -> None:
    view = heat_view(table, "lite.linear")
    assert view is not None
    (file,) = view["files"]
    root = ET.fromstring(file.text)
    texts = [element.text for element in root.iter(f"{SVG}text")]
    for cell in heat.cells:
        assert cell.text in texts
        assert cell.text in heat.words
    classes = {name for element in root.iter() for name in element.attrib.get("class", "").split()}
    assert classes - {"name"} <= set(re.findall(r"\.([\w-]+)", root.findtext(f"{SVG}style") or ""))
    assert heat.width + 32 <= float(root.attrib["width"])
