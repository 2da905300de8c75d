"""The dashboards as Grafana gets them."""

import re
from typing import Any

import pytest

from monitoring.dashboards.__main__ import FOLDER, rendered
from tests.parts.documented_metrics import documented_metrics, family
from tests.parts.panels import dashboards, queries
from tests.parts.prometheus import series_named

PANELS = [
    pytest.param(panel, id=f"{uid} / {panel['title']}")
    for uid, dashboard in dashboards().items()
    for panel in dashboard["panels"]
]


def test_those_that_are_installed_are_made_of_the_code() -> None:
    assert {file.name: file.read_text() for file in FOLDER.glob("*")} == rendered()


def test_each_leads_to_all_others_at_the_same_time() -> None:
    for dashboard in dashboards().values():
        (link,) = dashboard["links"]
        assert link["type"] == "dashboards"
        assert link["keepTime"]
        assert set(link["tags"]) == set(dashboard["tags"])


def test_the_overview_leads_to_a_model_at_the_same_time() -> None:
    links = [
        link["url"]
        for panel in dashboards()["predict-mesh-overview"]["panels"]
        for link in panel["fieldConfig"]["defaults"].get("links", [])
    ]
    assert links
    for url in links:
        uid, _, parameters = url.removeprefix("/d/").partition("?")
        names = {variable["name"] for variable in dashboards()[uid]["templating"]["list"]}
        assert set(re.findall(r"var-(\w+)=", parameters)) == names == {"model", "datasource"}
        assert "${__url_time_range}" in parameters


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_and_what_to_do(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith((".", "?"))
    assert panel["fieldConfig"]["defaults"]["unit"]
    letters = [target["refId"] for target in panel["targets"]]
    assert letters == sorted(set(letters)) != []


def test_no_panel_lies_on_another_or_outside() -> None:
    for dashboard in dashboards().values():
        cells: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            own = {
                (place["x"] + across, place["y"] + down)
                for across in range(place["w"])
                for down in range(place["h"])
            }
            assert not own & cells, panel["title"]
            cells |= own


def test_no_two_panels_of_a_dashboard_share_a_title() -> None:
    for dashboard in dashboards().values():
        titles = [panel["title"] for panel in dashboard["panels"]]
        assert len(titles) == len(set(titles))


def test_no_query_names_a_label_of_production_or_of_one_machine_alone() -> None:
    """Namespaces, pods and jobs are not there locally."""
    for asked in queries():
        assert not re.search(r"\b(namespace|pod|job|instance)\b", asked.expression), asked
        assert ("app" in asked.expression) == ("part" in asked.expression), asked


def test_panels_show_metrics_that_the_page_explains() -> None:
    named = {family(name) for asked in queries() for name in series_named(asked.expression)}
    assert {name for name in named if not name.startswith(("nv_", "process_"))} <= (
        documented_metrics()
    )


def test_the_series_of_an_expression() -> None:
    expression = (
        'histogram_quantile(0.99, sum by (le, from) (rate(a_bucket{b="c{d}", e!~"f"}[5m])))'
        " unless on (g) (h:i:rate5m offset 1d > bool 1e9) or 0 * absent(j) / time()"
    )
    assert series_named(expression) == {"a_bucket", "h:i:rate5m", "j"}
