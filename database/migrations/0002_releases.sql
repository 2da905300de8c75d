-- A model's versions, and who moved its traffic, when and why.

-- A model whose folder is gone is no longer listed; its history stays.
ALTER TABLE models ADD COLUMN listed boolean NOT NULL DEFAULT true;

CREATE TYPE version_state AS ENUM ('LOADING', 'SERVING', 'DRAINING', 'RETIRED', 'REFUSED');

CREATE TABLE versions (
    model text NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    version text NOT NULL CHECK (version ~ '^[1-9][0-9]{0,17}$'),
    state version_state NOT NULL,
    sha256 text NOT NULL DEFAULT '',     -- of its artifact
    update_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, version)
);

INSERT INTO versions (model, version, state) SELECT model, version, 'SERVING' FROM traffic;
ALTER TABLE traffic ADD FOREIGN KEY (model, version) REFERENCES versions;

CREATE TYPE release_action AS ENUM ('RELEASE', 'PROMOTE', 'ROLLBACK', 'SET_TRAFFIC');
CREATE TYPE release_state AS ENUM ('RUNNING', 'DONE', 'REFUSED', 'INTERRUPTED');

-- One row for each thing that was asked of a model's traffic, refused ones included.
CREATE TABLE releases (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    model text NOT NULL,
    version text NOT NULL DEFAULT '',    -- that it is about; empty for SET_TRAFFIC
    action release_action NOT NULL,
    actor text NOT NULL,                 -- who
    reason text NOT NULL,                -- why
    state release_state NOT NULL,
    refusal text NOT NULL DEFAULT '',    -- stable reason of a REFUSED one
    detail text NOT NULL DEFAULT '',     -- the same for people
    traffic jsonb,                       -- version -> percent: the last split that it made
    create_time timestamptz NOT NULL DEFAULT now(),
    complete_time timestamptz
);

CREATE INDEX releases_by_model ON releases (model, id DESC);

-- Where the registry's alias pointed when the release process last looked: only a move is an order.
CREATE TABLE aliases (
    model text NOT NULL,
    alias text NOT NULL,
    version text NOT NULL DEFAULT '',
    pending text NOT NULL DEFAULT '',    -- where the release process is just moving it
    PRIMARY KEY (model, alias)
);

-- Replaces the split of a model's requests by {version: percent}, on behalf of a release.
-- Errors: PM001 the shares do not add up to 100, PM002 a version (the detail) is not SERVING.
CREATE FUNCTION move_traffic(for_model text, shares jsonb, by_release uuid) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    missing text;
BEGIN
    PERFORM FROM models WHERE id = for_model FOR UPDATE;  -- one move at a time
    IF (SELECT sum(value::integer) FROM jsonb_each_text(shares)) IS DISTINCT FROM 100 THEN
        RAISE EXCEPTION 'the shares of % do not add up to 100', for_model USING ERRCODE = 'PM001';
    END IF;
    SELECT key INTO missing FROM jsonb_each_text(shares)
    WHERE NOT EXISTS (SELECT FROM versions
                      WHERE model = for_model AND version = key AND state = 'SERVING')
    ORDER BY key LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'version % of % does not serve', missing, for_model
            USING ERRCODE = 'PM002', DETAIL = missing;
    END IF;
    DELETE FROM traffic WHERE model = for_model;
    INSERT INTO traffic (model, version, percent)
    SELECT for_model, key, value::integer FROM jsonb_each_text(shares);
    UPDATE releases SET traffic = shares WHERE id = by_release;
    UPDATE releases  -- what was going on has been taken out of its hands
    SET state = 'INTERRUPTED', complete_time = now(), detail = 'somebody moved the traffic'
    WHERE model = for_model AND state = 'RUNNING' AND id <> by_release;
    PERFORM pg_notify('catalog_changed', '');
END $$;

-- Completions are merged before they are first offered to the bus, and never after.
ALTER TABLE outbox ADD COLUMN sealed boolean NOT NULL DEFAULT false;
