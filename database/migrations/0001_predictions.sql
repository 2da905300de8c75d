-- The record: what was asked, what was answered, and what is still to be said.

CREATE TYPE prediction_state AS ENUM
    ('ACCEPTED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED');

-- Ids are UUIDv7: their order is the order of time, so that ranges of ids are
-- ranges of time and the primary key stays unique over all partitions. Times
-- that no id can have count as the first or the last one.
CREATE FUNCTION uuid_at(moment timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (lpad(to_hex(least(greatest(floor(extract(epoch FROM moment) * 1000), 0),
                              (2 ^ 48)::numeric - 1)::bigint), 12, '0')
            || repeat('0', 20))::uuid
$$;

CREATE TABLE models (
    id text PRIMARY KEY,
    description text NOT NULL DEFAULT '',
    labels text[] NOT NULL,
    address text NOT NULL            -- host:port of its ModelRuntimeService
);

CREATE TABLE traffic (
    model text NOT NULL REFERENCES models (id),
    version text NOT NULL,
    percent integer NOT NULL CHECK (percent BETWEEN 1 AND 100),
    PRIMARY KEY (model, version)
);

CREATE TABLE requests (
    id uuid PRIMARY KEY,
    model text NOT NULL,
    version text NOT NULL,
    text text NOT NULL,
    state prediction_state NOT NULL,
    create_time timestamptz NOT NULL,
    complete_time timestamptz,
    expire_time timestamptz,
    error jsonb,                     -- google.rpc.Status of a FAILED request
    attempt integer NOT NULL DEFAULT 0,
    publish_time timestamptz,        -- when its event last went to the bus
    lease_until timestamptz          -- until when a runtime works on it
) PARTITION BY RANGE (id);

CREATE INDEX requests_by_model ON requests (model, id DESC);
CREATE INDEX requests_given_up ON requests (state, id DESC)
    WHERE state IN ('FAILED', 'CANCELLED', 'EXPIRED');
CREATE INDEX requests_unfinished ON requests (model, publish_time)
    WHERE state IN ('ACCEPTED', 'RUNNING');
CREATE INDEX requests_expiring ON requests (expire_time)
    WHERE state IN ('ACCEPTED', 'RUNNING');

CREATE TABLE predictions (
    id uuid PRIMARY KEY,             -- of its request
    label text NOT NULL,
    confidence double precision NOT NULL,
    scores jsonb NOT NULL,           -- label -> score
    value double precision,
    features_uri text NOT NULL DEFAULT ''
) PARTITION BY RANGE (id);

-- A partition for each day; the default ones take what no day claims.
CREATE TABLE requests_default PARTITION OF requests DEFAULT;
CREATE TABLE predictions_default PARTITION OF predictions DEFAULT;

CREATE FUNCTION create_partitions(days_ahead integer) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    day timestamptz;
BEGIN
    FOR i IN 0..days_ahead LOOP
        day := date_trunc('day', now(), 'UTC') + i * interval '1 day';
        FOREACH parent IN ARRAY ARRAY['requests', 'predictions'] LOOP
            BEGIN
                EXECUTE format(
                    'CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                    parent || to_char(day AT TIME ZONE 'UTC', '_YYYYMMDD'), parent,
                    uuid_at(day), uuid_at(day + interval '1 day'));
            EXCEPTION WHEN check_violation THEN
                NULL;  -- rows of this day lie in the default partition already, and stay there
            END;
        END LOOP;
    END LOOP;
END $$;

SELECT create_partitions(7);

-- Which request a client's request_id stands for (AIP-155).
CREATE TABLE request_ids (
    request_id uuid PRIMARY KEY,
    id uuid NOT NULL,                -- of the request
    create_time timestamptz NOT NULL DEFAULT now()
);

-- Events to publish, written in the transaction that makes them true and
-- deleted once the bus has them.
CREATE TABLE outbox (
    id uuid PRIMARY KEY,             -- UUIDv7, the event's id
    event text NOT NULL,
    model text NOT NULL,
    version text NOT NULL DEFAULT '',
    payload jsonb NOT NULL           -- Protobuf JSON of predict.v1 events
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE INDEX outbox_by_event ON outbox (event, model, id);

-- Tells gateways which predictions changed, in payloads below NOTIFY's 8000 bytes.
CREATE FUNCTION notify_changed(ids uuid[]) RETURNS void
    LANGUAGE sql AS $$
    SELECT pg_notify('prediction_changed', string_agg(id::text, ','))
    FROM (SELECT id, (row_number() OVER () - 1) / 200 AS part FROM unnest(ids) AS c (id)) AS c
    GROUP BY part
$$;

-- What a model runtime may do: claim requests that the bus told it of, keep
-- the claim while it works, and nothing else. `outcome` says what to do with
-- the message: 'claimed' (work on it), 'busy' (somebody does; look again
-- later), 'finished' (nothing to do: terminal, expired, unknown, or tried as
-- often as allowed), 'alone' (claim it by itself: it was tried before, and
-- may be what killed its runtime and would take others with it).
CREATE FUNCTION claim_requests(
    for_model text, ids uuid[], lease interval, max_attempts integer
) RETURNS TABLE (id uuid, outcome text, version text, attempt integer, text text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH wanted AS MATERIALIZED (
        SELECT r.id,
            CASE WHEN r.state NOT IN ('ACCEPTED', 'RUNNING') OR r.expire_time <= now()
                 THEN 'finished'
                 WHEN r.lease_until > now() THEN 'busy'
                 WHEN r.attempt >= max_attempts THEN 'finished'
                 WHEN r.attempt > 0 AND cardinality(ids) > 1 THEN 'alone'
                 ELSE 'claimed' END AS outcome
        FROM unnest(ids) AS i (id)
        JOIN requests r ON r.id = i.id AND r.model = for_model
        ORDER BY r.id FOR UPDATE OF r
    ), claimed AS (
        UPDATE requests r
        SET state = 'RUNNING', attempt = r.attempt + 1, lease_until = now() + lease
        FROM wanted w WHERE w.id = r.id AND w.outcome = 'claimed'
        RETURNING r.id, r.version, r.attempt, r.text
    )
    SELECT i.id, coalesce(w.outcome, 'finished'),
           coalesce(c.version, ''), coalesce(c.attempt, 0), coalesce(c.text, '')
    FROM unnest(ids) AS i (id)
    LEFT JOIN wanted w ON w.id = i.id
    LEFT JOIN claimed c ON c.id = i.id;
    PERFORM notify_changed(ids);
END $$;

-- Keeps claims alive; answers with the ids that are still the caller's. A
-- lease of zero gives them back.
CREATE FUNCTION extend_claims(
    for_model text, ids uuid[], attempts integer[], lease interval
) RETURNS SETOF uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE requests r SET lease_until = now() + lease
    FROM unnest(ids, attempts) AS c (id, attempt)
    WHERE r.id = c.id AND r.attempt = c.attempt AND r.model = for_model
      AND r.state = 'RUNNING' AND (r.expire_time IS NULL OR r.expire_time > now())
    RETURNING r.id
$$;

REVOKE ALL ON FUNCTION claim_requests FROM PUBLIC;
REVOKE ALL ON FUNCTION extend_claims FROM PUBLIC;

-- Roles belong to the server, not to the database: another one may have made it,
-- or whoever set up the server, so that the owner of the database need not be
-- allowed to make roles.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pmesh_runtime') THEN
        CREATE ROLE pmesh_runtime NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
GRANT EXECUTE ON FUNCTION claim_requests, extend_claims TO pmesh_runtime;
