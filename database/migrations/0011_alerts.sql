-- When people are told that a model does worse, and all that becomes of it.

ALTER TABLE models
    ADD COLUMN alert_rules jsonb NOT NULL DEFAULT '[]';  -- of its alerts.yaml

CREATE TABLE alerts (
    id uuid PRIMARY KEY,
    model text NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    version text NOT NULL,
    rule text NOT NULL,              -- its name
    terms jsonb NOT NULL,            -- the rule, as it was when it fired
    state text NOT NULL DEFAULT 'FIRING'
        CHECK (state IN ('FIRING', 'ACKNOWLEDGED', 'RESOLVED')),
    hour timestamptz NOT NULL,
    value double precision NOT NULL,
    low double precision,
    high double precision,
    rows bigint NOT NULL,
    reference text NOT NULL,
    fire_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    acknowledge_time timestamptz,
    acknowledged_by text NOT NULL DEFAULT '',
    resolve_time timestamptz,
    resolved_by text NOT NULL DEFAULT '',
    through timestamptz,             -- of a RESOLVED one: hours up to this one fire no other
    CHECK ((state = 'RESOLVED') = (resolve_time IS NOT NULL))
);

COMMENT ON TABLE alerts IS 'Each time that a rule of a model began to hold for a version.';
COMMENT ON COLUMN alerts.hour IS
    'The hour with which it held for as long as the rule says; its figure follows.';
COMMENT ON COLUMN alerts.resolved_by IS 'monitoring, or whoever said that it is dealt with.';

-- However often an hour is looked at, and by however many jobs: one alert.
CREATE UNIQUE INDEX alerts_open ON alerts (model, rule, version) WHERE state <> 'RESOLVED';
CREATE INDEX alerts_by_rule ON alerts (model, rule, version, through);

CREATE TABLE alert_events (
    id uuid PRIMARY KEY,             -- also of the event on the bus, and the webhook-id
    alert uuid NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    change text NOT NULL
        CHECK (change IN ('FIRED', 'ACKNOWLEDGED', 'RESOLVED', 'RETRAINING_REQUESTED')),
    actor text NOT NULL,             -- monitoring, or a person
    detail text NOT NULL DEFAULT '',
    event_time timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE alert_events IS 'The whole life of each alert.';

CREATE INDEX alert_events_by_alert ON alert_events (alert, id);

CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY,             -- of what is told: the same at each attempt
    body text NOT NULL,              -- JSON
    state text NOT NULL DEFAULT 'PENDING' CHECK (state IN ('PENDING', 'DELIVERED', 'DEAD')),
    attempts integer NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_time timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE webhook_deliveries IS 'What the webhook is told, until it has taken it.';

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_time) WHERE state = 'PENDING';

CREATE TABLE webhook_attempts (
    delivery uuid NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    attempt integer NOT NULL,
    begin_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    status integer,                  -- of the answer; null: there was none
    error text,                      -- '': it was taken; null: its sender has not said
    PRIMARY KEY (delivery, attempt)
);

COMMENT ON TABLE webhook_attempts IS 'Each attempt to tell it, noted before it is made.';
