"""HLD's overview shows the pods that the charts render, and no others."""

from tests.mesh.test_charts import OUTSIDE_THE_CHARTS, everything
from tests.parts.overview import read_overview

NOT_PODS = {"clients", "outside"}


def test_the_overview_has_the_pods_of_the_charts_and_no_others() -> None:
    drawn = {
        part
        for part in read_overview().parts
        if part.split("/")[0] not in OUTSIDE_THE_CHARTS | NOT_PODS
    }
    rendered = {
        f"{namespace}/{pod['metadata']['labels']['app']}"
        for chart, namespace in everything()
        for _, pod in chart.pods()
    }
    assert drawn == rendered
