"""Requests for later: the outbox, the bus, the workers and what comes back."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.panels import Query, Steps, graph, page
from monitoring.dashboards.promql import largest, mean, quantile, rate


def dashboard() -> Dashboard:
    """In the order in which a request passes them."""
    return page(
        "queue",
        "Queue",
        "Where requests for later wait: in the outbox, in a queue, with a worker, or nowhere.",
        graph(
            "Oldest unfinished request",
            "Since it was accepted. It grows: the first panel to the right that grows too says"
            " where it waits.",
            Query(largest("pmesh_requests_oldest_age_seconds", "model"), "{{model}}"),
            unit="s",
            steps=Steps(60, 300),
        ),
        graph(
            "Oldest event in the outbox",
            "It grows: the relay is away, or SNS is. See what programs wait for.",
            Query(largest("pmesh_outbox_oldest_age_seconds", "event"), "{{event}}"),
            unit="s",
            steps=Steps(30, 120),
        ),
        graph(
            "Messages in queues",
            "visible grows: the workers are away or too few; in_flight stands still: they hang.",
            Query(largest("pmesh_queue_messages", "queue, state"), "{{queue}} {{state}}"),
            unit="short",
        ),
        graph(
            "Events in the outbox",
            "That wait to be published. Some always do; see how old they are.",
            Query(largest("pmesh_outbox_events", "event"), "{{event}}"),
            unit="short",
        ),
        graph(
            "Events published",
            "A second, and those that SNS refuses. Refused ones: see the relay's log.",
            Query(rate("pmesh_outbox_published_total", "event"), "{{event}}"),
            Query(rate("pmesh_outbox_rejected_total", "event"), "{{event}} rejected"),
            unit="ops",
        ),
        graph(
            "Dead letters",
            "Messages that nobody could work off. The relay takes requests among them to their"
            " end; what stays wants a person.",
            Query(largest("pmesh_dead_letters", "queue"), "{{queue}}"),
            unit="short",
            steps=Steps(1, 10),
        ),
        graph(
            "Requests finished",
            "A second, by state. FAILED: see the outcomes of the model's worker.",
            Query(rate("pmesh_requests_finished_total", "model, state"), "{{model}} {{state}}"),
            unit="reqps",
        ),
        graph(
            "From accepted to finished",
            "99 of 100 are faster.",
            Query(quantile(0.99, "pmesh_request_seconds", "model"), "{{model}}", True),
            unit="s",
            steps=Steps(30, 60),
        ),
        graph(
            "Attempts",
            "The mean of a request. Above 1: workers die, lose their claims, or give back.",
            Query(mean("pmesh_request_attempts", "model"), "{{model}}"),
            unit="short",
            steps=Steps(1.1, 2),
        ),
        graph(
            "Work done twice",
            "A second: messages that came again, claims that another worker has taken over,"
            " requests that were sent anew. Many: workers die, or the lease is too short.",
            Query(rate("pmesh_worker_redelivered_total", "model"), "{{model}} came again"),
            Query(rate("pmesh_worker_claims_lost_total", "model"), "{{model}} claim lost"),
            Query(rate("pmesh_requests_rearmed_total", "model"), "{{model}} sent anew"),
            unit="ops",
        ),
        graph(
            "The bus",
            "99 of 100 calls of SNS and SQS are faster, by what is done. Receiving waits on"
            " purpose while nothing comes.",
            Query(
                quantile(
                    0.99,
                    "messaging_client_operation_duration_seconds",
                    "messaging_system, messaging_operation_name",
                ),
                "{{messaging_system}} {{messaging_operation_name}}",
            ),
            unit="s",
        ),
        graph(
            "Messages worked off",
            "99 of 100 are faster, by queue, and how many come a second.",
            Query(
                quantile(0.99, "messaging_process_duration_seconds", "messaging_destination_name"),
                "{{messaging_destination_name}}",
            ),
            unit="s",
        ),
        graph(
            "Messages sent and received",
            "A second. Sent and not received: a queue is no subscriber, or nobody reads it.",
            Query(
                rate("messaging_client_sent_messages_total", "messaging_destination_name"),
                "to {{messaging_destination_name}}",
            ),
            Query(
                rate("messaging_client_consumed_messages_total", "messaging_destination_name"),
                "from {{messaging_destination_name}}",
            ),
            unit="ops",
        ),
        graph(
            "Features on their way",
            "What waits on the gateways' disks to go to S3. It grows: S3 or the shipper is away.",
            Query("sum (pmesh_spool_bytes)", "waiting"),
            unit="bytes",
        ),
        graph(
            "Oldest features on their way",
            "Since they were written. Monitoring leaves out those that are not in S3.",
            Query("max (pmesh_spool_oldest_age_seconds)", "oldest"),
            unit="s",
            steps=Steps(600, 3600),
        ),
    )
