-- Each program is who it is: a claim has a token, a model's worker a login, and a lock is a row
-- that only those can touch who may.

ALTER TABLE models  -- whose address is now that of the server that answers for its versions
    ADD COLUMN feature_share double precision NOT NULL DEFAULT 1  -- of the answers made now
        CHECK (feature_share BETWEEN 0 AND 1);

ALTER TABLE versions
    ADD COLUMN labels text[] NOT NULL DEFAULT '{}',  -- in the order of its scores; {}: the model's
    ADD COLUMN address text;                         -- of the server that answers; null: the model's

UPDATE versions v SET labels = m.labels FROM models m WHERE m.id = v.model;

ALTER TABLE requests
    ADD COLUMN claim_token uuid;     -- of the last claim: who answers shows it

-- At once, and not one version later: the workers that call these know no tokens, so nothing that
-- they answer would count. They fail until they are replaced, and their requests wait.
DROP FUNCTION claim_requests, extend_claims;

-- Which model the worker behind a login works for.
CREATE TABLE worker_logins (
    login name PRIMARY KEY,
    model text NOT NULL REFERENCES models (id) ON DELETE CASCADE
);

-- One relay at a time publishes the requests of a model: it holds the row. A row that a relay had
-- to insert would keep others waiting until its commit, so each model has one from the start.
CREATE TABLE publishing (
    model text PRIMARY KEY REFERENCES models (id) ON DELETE CASCADE
);

INSERT INTO publishing (model) SELECT id FROM models;

CREATE FUNCTION add_publishing() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO publishing (model) VALUES (NEW.id);
    RETURN NULL;
END $$;

CREATE TRIGGER add_publishing AFTER INSERT ON models
    FOR EACH ROW EXECUTE FUNCTION add_publishing();

-- A connection, as nothing else is named before or after it.
CREATE TYPE backend AS (pid integer, login name, start_time timestamptz);

-- Which process releases or tidies up a model; it counts while its connection lives.
CREATE TABLE release_locks (
    model text PRIMARY KEY,
    holder backend NOT NULL
);

ALTER TABLE releases
    ADD COLUMN holder backend;       -- of a RUNNING one: whose connection's end abandons it
