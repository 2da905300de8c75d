"""What all panels and dashboards have in common: looks, source, thresholds, links."""

from collections.abc import Sequence
from string import ascii_uppercase
from typing import NamedTuple

from grafana_foundation_sdk.builders import common as builders_common
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.models import common, dashboard

PREFIX = "predict-mesh"
"""Of each dashboard's uid, and the tag that they find each other by."""
_SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
_GREEN, _ORANGE, _RED = "green", "orange", "red"
_LINES = builders_common.GraphThresholdsStyleConfig().mode(common.GraphTresholdsStyleMode.DASHED)


class Query(NamedTuple):
    """One question to Prometheus, and how its series are called."""

    expr: str
    legend: str
    exemplars: bool = False
    """Whether dots lead from its observations to their traces."""


class Steps(NamedTuple):
    """From where on a value is no longer good, and from where on it is bad: above, or below where
    that is the smaller one."""

    warn: float
    bad: float


Panel = timeseries.Panel | stat.Panel


def graph(
    title: str,
    text: str,
    *queries: Query,
    unit: str,
    steps: Steps | None = None,
    most: float | None = None,
    width: int = 8,
) -> timeseries.Panel:
    """How something went. text: what it says and what to do; most: the end of its scale."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(text)
        .datasource(_SOURCE)
        .unit(unit)
        .min(0)
        .span(width)
        .height(8)
        .fill_opacity(5)
        .legend(
            builders_common.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(
            builders_common.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
    )
    if most is not None:
        panel.max(most)
    if steps:
        panel.thresholds(_thresholds(steps))
        panel.thresholds_style(_LINES)
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(query).ref_id(letter).range())
    return panel


def number(
    title: str,
    text: str,
    query: Query,
    *,
    unit: str,
    steps: Steps,
    links: Sequence[builders.DashboardLink] = (),
    width: int = 8,
) -> stat.Panel:
    """How something stands, in large print, its colour by its thresholds."""
    panel = (
        stat.Panel()
        .title(title)
        .description(text)
        .datasource(_SOURCE)
        .unit(unit)
        .span(width)
        .height(5)
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .reduce_options(builders_common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(common.BigValueGraphMode.NONE)
        .thresholds(_thresholds(steps))
        .data_links(list(links))
        .with_target(_target(query).ref_id("A").instant())
    )
    if query.legend:
        panel.text_mode(common.BigValueTextMode.VALUE_AND_NAME)
    return panel


def page(
    name: str, title: str, text: str, *panels: Panel, of_model: bool = False
) -> builders.Dashboard:
    """A dashboard. name: the end of its uid. of_model: it shows one, which is chosen at its top."""
    made = (
        builders.Dashboard(f"Predict Mesh / {title}")
        .uid(f"{PREFIX}-{name}")
        .description(text)
        .tags([PREFIX])
        .readonly()
        .time("now-3h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .with_variable(builders.DatasourceVariable("datasource").label("Data").type("prometheus"))
        .link(
            builders.DashboardLink("Predict Mesh")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags([PREFIX])
            .as_dropdown(True)
            .keep_time(True)
            .include_vars(True)
        )
    )
    if of_model:
        made.with_variable(
            builders.QueryVariable("model")
            .label("Model")
            .datasource(_SOURCE)
            .query("label_values(pmesh_traffic_share, model)")
            .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        )
    for place, panel in enumerate(panels, 1):
        made.with_panel(panel.id(place))
    return made


def to_model() -> builders.DashboardLink:
    """From a value to the dashboard of its model, at the same time."""
    there = f"/d/{PREFIX}-model?var-model=${{__field.labels.model}}"
    return builders.DashboardLink("This model").url(
        f"{there}&var-datasource=${{datasource}}&${{__url_time_range}}"
    )


def _target(query: Query) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .datasource(_SOURCE)
        .expr(query.expr)
        .legend_format(query.legend)
        .exemplar(query.exemplars)
    )


def _thresholds(steps: Steps) -> builders.ThresholdsConfig:
    colors = [(None, _GREEN), (steps.warn, _ORANGE), (steps.bad, _RED)]
    if steps.bad < steps.warn:
        colors = [(None, _RED), (steps.bad, _ORANGE), (steps.warn, _GREEN)]
    return builders.ThresholdsConfig().steps(
        [dashboard.Threshold(value=value, color=color) for value, color in colors]
    )
