"""PostgreSQL: whether it answers, how fast it commits, and what it runs out of."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.panels import Query, Steps, graph, number, page
from monitoring.dashboards.promql import largest, mean, quantile, rate

_STATISTICS = "max by ({by}) (rate({counter}[$__rate_interval]))"
"""The database's own, which each relay tells."""


def dashboard() -> Dashboard:
    """What the gateway waits for comes first."""
    return page(
        "database",
        "Database",
        "Every answer waits for a commit: is it PostgreSQL, its connections, or its disk?",
        number(
            "Answers",
            "1: each gateway can write. 0: one cannot, and refuses with STORE_UNAVAILABLE.",
            Query("min (pmesh_store_available)", ""),
            unit="none",
            steps=Steps(1, 0.5),
            width=6,
        ),
        number(
            "Connections in use",
            "Of those that the server allows. Above 80 %: fewer replicas, or more connections.",
            Query(
                "sum (max by (login) (pmesh_database_connections))"
                " / max (pmesh_database_connections_limit)",
                "",
            ),
            unit="percentunit",
            steps=Steps(0.8, 0.95),
            width=6,
        ),
        number(
            "Oldest transaction",
            "While it is open nothing is cleaned up. Minutes: see pg_stat_activity. Empty where"
            " the database's owner lacks pg_read_all_stats.",
            Query("max (pmesh_database_oldest_transaction_seconds)", ""),
            unit="s",
            steps=Steps(60, 600),
            width=6,
        ),
        number(
            "Size",
            "Days that are kept too long make it grow: retention_days of the models.",
            Query("max (pmesh_database_size_bytes)", ""),
            unit="bytes",
            steps=Steps(1e12, 4e12),
            width=6,
        ),
        graph(
            "Commits",
            "99 of 100 are faster. Slow ones make every answer slow: disk, or a long transaction.",
            Query(quantile(0.99, "pmesh_commit_seconds", "statement"), "{{statement}}"),
            unit="s",
            steps=Steps(0.05, 0.25),
        ),
        graph(
            "Rows in a commit",
            "The mean. It grows with the load, or as commits slow down.",
            Query(mean("pmesh_commit_rows", "statement"), "{{statement}}"),
            unit="short",
        ),
        graph(
            "Rows and connections in wait",
            "In use, of what the gateway allows itself. At 100 % it refuses.",
            Query(
                "max by (resource) (pmesh_capacity_used{resource=~"
                '"rows_waiting|database_connections"}'
                " / (pmesh_capacity_limit > 0))",
                "{{resource}}",
            ),
            unit="percentunit",
            steps=Steps(0.8, 0.95),
            most=1,
        ),
        graph(
            "Connections by login",
            "One that grows: which program's pool, or who else.",
            Query(largest("pmesh_database_connections", "login"), "{{login}}"),
            Query("max (pmesh_database_connections_limit)", "limit"),
            unit="short",
        ),
        graph(
            "Transactions",
            "A second. Rollbacks that grow: see the programs' logs.",
            Query(
                _STATISTICS.format(by="outcome", counter="pmesh_database_transactions_total"),
                "{{outcome}}",
            ),
            unit="ops",
        ),
        graph(
            "Blocks by where they were",
            "A second. Many from the disk: more memory for PostgreSQL.",
            Query(_STATISTICS.format(by="from", counter="pmesh_database_blocks_total"), "{{from}}"),
            unit="ops",
        ),
        graph(
            "Deadlocks",
            "A second. There should be none: the server's log says between which statements.",
            Query("max (rate(pmesh_database_deadlocks_total[$__rate_interval]))", "deadlocks"),
            unit="ops",
            steps=Steps(0.001, 0.1),
        ),
        graph(
            "Without a record",
            "Texts a second that were refused or failed and have no row, by reason.",
            Query(rate("predict_unrecorded_total", "reason"), "{{reason}}"),
            unit="reqps",
        ),
        graph(
            "Erasures in wait",
            "Of predictions whose features have to go from S3 as well. It grows: S3 is away.",
            Query("max (pmesh_erasures_waiting)", "waiting"),
            unit="short",
        ),
    )
