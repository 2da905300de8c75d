-- What the monitoring job makes of the record, hour by hour.

CREATE TABLE quality_metrics (
    model text NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    version text NOT NULL,
    hour timestamptz NOT NULL,
    slice text NOT NULL DEFAULT '',
    metric text NOT NULL,
    value double precision NOT NULL,
    low double precision,
    high double precision,
    rows bigint NOT NULL,
    reference text NOT NULL DEFAULT '',
    computed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, hour, version, slice, metric),
    CHECK ((low IS NULL) = (high IS NULL))
);

COMMENT ON TABLE quality_metrics IS
    'Figures of a version in an hour. An hour is made anew, whole, when something in it changes.';
COMMENT ON COLUMN quality_metrics.hour IS
    'Its beginning, UTC. A prediction counts in the hour in which it was asked for, as its id says.';
COMMENT ON COLUMN quality_metrics.slice IS
    'Which predictions: '''' all; tag:KEY=VALUE those sent with this tag; length:50-199 those of so'
    ' many characters; script:latin those written mostly in this script.';
COMMENT ON COLUMN quality_metrics.metric IS
    'What the value is of; behind a colon, of which label, reason or bin. monitoring/README.md'
    ' lists them.';
COMMENT ON COLUMN quality_metrics.value IS
    'A number, a share of 0 to 1, or seconds where the metric says so.';
COMMENT ON COLUMN quality_metrics.low IS 'Where its 95 % interval begins; null: it has none.';
COMMENT ON COLUMN quality_metrics.high IS 'Where it ends.';
COMMENT ON COLUMN quality_metrics.rows IS 'Predictions that it was made from.';
COMMENT ON COLUMN quality_metrics.reference IS
    'What it was compared with; '''' for what needs no comparison.';
COMMENT ON COLUMN quality_metrics.computed_at IS 'When the hour was last made.';

-- One job at a time makes an hour of a model: it holds the row.
CREATE TABLE monitoring_progress (
    model text PRIMARY KEY REFERENCES models (id) ON DELETE CASCADE,
    through timestamptz  -- all hours up to this one were made; null: none was yet
);

COMMENT ON TABLE monitoring_progress IS 'How far the hours of a model have been made.';

INSERT INTO monitoring_progress (model) SELECT id FROM models;

CREATE FUNCTION add_monitoring_progress() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO monitoring_progress (model) VALUES (NEW.id);
    RETURN NULL;
END $$;

CREATE TRIGGER add_monitoring_progress AFTER INSERT ON models
    FOR EACH ROW EXECUTE FUNCTION add_monitoring_progress();

CREATE TABLE monitoring_hours (
    model text NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    hour timestamptz NOT NULL,
    rows bigint NOT NULL,            -- requests of the hour; 0: nobody asked
    unfinished bigint NOT NULL,      -- of these, when it was made: it is made again until 0
    computed_at timestamptz NOT NULL,
    PRIMARY KEY (model, hour)
);

COMMENT ON TABLE monitoring_hours IS 'The hours that were made, empty ones included.';

CREATE INDEX monitoring_hours_unfinished ON monitoring_hours (model, hour) WHERE unfinished > 0;

-- Whoever changes something in an hour adds a row, and the job takes away those that it sees: so no
-- two wait for each other, and no change is missed however long its transaction took.
CREATE TABLE monitoring_stale (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model text NOT NULL,
    hour timestamptz NOT NULL
);

COMMENT ON TABLE monitoring_stale IS 'Hours in which something has changed since they were made.';

CREATE INDEX monitoring_stale_by_hour ON monitoring_stale (model, hour);

CREATE FUNCTION mark_labelled_hours() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO monitoring_stale (model, hour)
    SELECT DISTINCT model, date_trunc('hour', uuid_extract_timestamp(prediction_id), 'UTC')
    FROM added WHERE uuid_extract_timestamp(prediction_id) IS NOT NULL;
    RETURN NULL;
END $$;

CREATE TRIGGER mark_labelled_hours AFTER INSERT ON labels
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION mark_labelled_hours();

-- What hours are compared with. It is kept as histograms, and so outlives its rows.
CREATE TABLE monitoring_references (
    model text NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    version text NOT NULL,           -- '': chosen, for all versions; else the default of one
    name text NOT NULL,              -- as it is shown with each figure
    rows bigint NOT NULL,
    profiles jsonb NOT NULL,         -- slice -> {"label" | "confidence" | "length": {bin: rows}}
    vocabulary bytea,                -- a bit for each place of a word; null: it has no words
    unknown_words double precision,  -- the share that more texts of its kind would have
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, version)
);

COMMENT ON TABLE monitoring_references IS
    'What the hours of a model are compared with: the chosen window, or the default of a version.';
