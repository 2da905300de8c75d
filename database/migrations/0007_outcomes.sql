-- How each request ended, what its client says of it, how long it is kept, and what is taken out of
-- it when its person is to be forgotten.

ALTER TABLE requests
    ADD COLUMN reason text           -- of a FAILED one: that of its error; else ''
        GENERATED ALWAYS AS (
            coalesce(jsonb_path_query_first(error, '$.details[*].reason') #>> '{}', '')) VIRTUAL,
    ADD COLUMN tags jsonb,           -- name -> value, of the client's choice; null: none
    ADD COLUMN erase_time timestamptz;  -- when its text, tags and features were taken away

ALTER TABLE models
    ADD COLUMN retention_days integer NOT NULL DEFAULT 90  -- of its predictions and their features
        CHECK (retention_days BETWEEN 1 AND 3650);

-- Rows of features that are still to be taken out of their objects: written in the transaction that
-- erases their prediction, deleted once the object is without them.
CREATE TABLE erasures (
    id uuid PRIMARY KEY,             -- of the prediction
    features_uri text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    next_time timestamptz NOT NULL DEFAULT now()  -- when to try next: an object may come late
);

CREATE INDEX erasures_due ON erasures (next_time);
