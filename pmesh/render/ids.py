"""Which ids of models a cluster takes: it makes names of Kubernetes of them, and of charts."""

LONGEST = 43
"""A CronJob's name has 52 characters at the most, and begins with "training-"."""
CHARTS = ("annotation", "mlflow", "model", "postgres", "predict-mesh")
"""deploy/jobs/install.sh knows them, and the files of one's own values, by these names."""


def check_id(model: str) -> None:
    """Raises ValueError, which says why, unless a cluster takes it. It is the id of a model."""
    if len(model) > LONGEST or model.endswith("-"):
        raise ValueError(
            f"{model!r} is no id for a cluster, which makes names of it: that has {LONGEST}"
            " characters at the most, and a letter or digit at its end"
        )
    if model in CHARTS:
        raise ValueError(f"{model!r} is no id for a cluster: a chart of deploy/charts is called so")
