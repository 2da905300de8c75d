-- What people and programs say is true of a prediction. Rows are only added: a correction is a
-- further row, and so is a withdrawal. What counts of them, database/published/labels_v1.sql says.

CREATE TYPE label_source AS ENUM ('PERSON', 'CLIENT', 'IMPORT', 'LABEL_STUDIO');

CREATE TABLE labels (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    prediction_id uuid NOT NULL,
    model text NOT NULL,                    -- of the prediction
    label text,                             -- null: what was said before is withdrawn
    source label_source NOT NULL,
    annotator text NOT NULL DEFAULT '',     -- who said it; '': unknown
    adjudicated boolean NOT NULL DEFAULT false,  -- decides, whatever others say
    label_time timestamptz NOT NULL,        -- when it was said: of one annotator, the newest counts
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),  -- when the database took it
    external_id text,                       -- of the source's own, as an annotation's
    choice text NOT NULL DEFAULT '',        -- how the prediction was chosen: 'control', 'uncertain'
    weight double precision,                -- 1 / the probability of that; null: unknown
    caller text NOT NULL DEFAULT '',        -- of the rpc; '': callers are not told apart
    request_id uuid                         -- as gateway/request_keys.py makes it
);

CREATE INDEX labels_by_prediction ON labels (prediction_id);
CREATE INDEX labels_by_model ON labels (model, id);
CREATE INDEX labels_by_time ON labels (model, create_time);  -- for what changed since
CREATE INDEX labels_by_external_id ON labels (source, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX labels_by_request_id ON labels (request_id) WHERE request_id IS NOT NULL;
