-- name: lock_models
-- Models with requests to publish. One relay at a time has a model, until its transaction ends,
-- so that the bound on work in flight holds; the count must come in a later statement.
WITH RECURSIVE waiting AS (  -- hops from model to model in the index: the backlog may be long
    (SELECT model FROM outbox WHERE event = 'inference_request' ORDER BY model LIMIT 1)
    UNION ALL
    SELECT (SELECT o.model FROM outbox o
            WHERE o.event = 'inference_request' AND o.model > w.model
            ORDER BY o.model LIMIT 1)
    FROM waiting w WHERE w.model IS NOT NULL
)
SELECT p.model FROM waiting JOIN publishing p USING (model) FOR UPDATE OF p SKIP LOCKED

-- name: claim_requests
-- The oldest requests to publish of each version, no more than may be in flight of it: one that does
-- not answer keeps no other of its model waiting. All have the same share of what a transaction
-- takes. What is finished already is not wanted any more.
WITH RECURSIVE waiting AS (  -- as above, from version to version
    (SELECT model, version FROM outbox
     WHERE event = 'inference_request' ORDER BY model, version LIMIT 1)
    UNION ALL
    SELECT n.model, n.version
    FROM waiting w
    CROSS JOIN LATERAL (
        SELECT o.model, o.version FROM outbox o
        WHERE o.event = 'inference_request' AND (o.model, o.version) > (w.model, w.version)
        ORDER BY o.model, o.version LIMIT 1
    ) AS n
), shared AS (
    SELECT *, count(*) OVER () AS versions FROM waiting WHERE model = ANY (%(models)s)
), in_flight AS MATERIALIZED (
    SELECT model, version, count(*) AS size FROM requests
    WHERE id >= %(since)s::uuid AND model = ANY (%(models)s) AND publish_time IS NOT NULL
      AND state IN ('ACCEPTED', 'RUNNING')
    GROUP BY model, version
)
SELECT o.id::text, o.event, o.model, o.version,
       (o.payload || jsonb_build_object('eventId', o.id))::text AS body,
       o.prediction_id::text,
       EXISTS (
           SELECT FROM requests r
           WHERE r.id >= %(since)s::uuid AND r.id = o.prediction_id AND r.state IN ('ACCEPTED', 'RUNNING')
             AND (r.expire_time IS NULL OR r.expire_time > now())
       ) AS wanted,
       o.traceparent, o.links
FROM shared w
LEFT JOIN in_flight f USING (model, version)
CROSS JOIN LATERAL (
    SELECT o.*, CASE WHEN pg_input_is_valid(o.payload ->> 'predictionId', 'uuid')
                     THEN (o.payload ->> 'predictionId')::uuid END AS prediction_id
    FROM outbox o
    WHERE o.event = 'inference_request' AND o.model = w.model AND o.version = w.version
    ORDER BY o.id
    LIMIT greatest(0, least(
        greatest(1, %(limit)s / w.versions), %(max_in_flight)s - coalesce(f.size, 0)
    ))
    FOR UPDATE SKIP LOCKED
) AS o

-- name: seal_completions
-- Makes one completion of the small ones of a model, so that a busy moment is few messages, and
-- seals them all: what may have been offered to the bus keeps its id. At most 1,500 predictions,
-- some 180 KiB, come together: SNS takes 256.
WITH fresh AS MATERIALIZED (
    SELECT id, model, version, payload, traceparent || links AS traces,
           coalesce(jsonb_array_length(payload -> 'predictions'), 1000) AS size
    FROM outbox WHERE event = 'job_completed' AND NOT sealed
    ORDER BY model, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), parts AS (
    SELECT *, (sum(size) OVER (PARTITION BY model, version ORDER BY id) - size) / 1000 AS part
    FROM fresh
), groups AS MATERIALIZED (
    SELECT model, version, array_agg(id) AS ids,
           max((payload ->> 'completeTime')::timestamptz) AS complete_time,
           jsonb_agg(payload -> 'predictions') AS predictions,
           events_v1.traces(string_to_array(
               string_agg(nullif(array_to_string(traces, ' '), ''), ' ' ORDER BY id), ' ')
           ) AS traces
    FROM parts GROUP BY model, version, part
), gone AS (
    DELETE FROM outbox o USING groups g WHERE o.id = ANY (g.ids) AND cardinality(g.ids) > 1
), kept AS (
    UPDATE outbox o SET sealed = true FROM groups g
    WHERE o.id = ANY (g.ids) AND cardinality(g.ids) = 1
)
INSERT INTO outbox (id, event, model, version, sealed, payload, traceparent, links)
SELECT uuidv7(), 'job_completed', model, version, true, events_v1.job_completed(
    model, complete_time, jsonb_path_query_array(predictions, '$[*][*]')),
    traces[1], nullif(traces[2:], '{}')
FROM groups WHERE cardinality(ids) > 1

-- name: claim_completions
-- The oldest completions to publish, and changes of alerts.
WITH alerts AS MATERIALIZED (
    SELECT * FROM outbox WHERE event = 'alert_changed'
    ORDER BY model, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), completions AS MATERIALIZED (
    SELECT * FROM outbox WHERE event = 'job_completed' AND sealed
    ORDER BY model, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
SELECT id::text, event, model, version,
       (payload || jsonb_build_object('eventId', id))::text AS body,
       NULL AS prediction_id, true AS wanted, traceparent, links
FROM (SELECT * FROM alerts UNION ALL SELECT * FROM completions) AS told

-- name: delete_events
-- Takes events out of the outbox.
DELETE FROM outbox WHERE id = ANY (%(ids)s::uuid[])

-- name: mark_published
-- Notes that requests are on the bus; whoever claims one at this moment notes it as well. As in all
-- that follows, rows that others hold are passed over: a worker may hold those of its model for as
-- long as it likes.
WITH free AS MATERIALIZED (
    SELECT id FROM requests
    WHERE id = ANY (%(ids)s::uuid[]) AND state IN ('ACCEPTED', 'RUNNING')
    FOR UPDATE SKIP LOCKED
)
UPDATE requests r SET publish_time = now()
FROM free WHERE r.id = free.id AND r.id = ANY (%(ids)s::uuid[])

-- name: answer
-- Finishes requests with what their models answered, where the answer shows the token of the
-- present claim on work that is not finished; all other answers change nothing. Without a state
-- are those that fit, but whose requests others hold or have just changed. A trace ends with its
-- request: the client chose its id, and the outbox has it for the completion.
WITH given AS (
    SELECT * FROM unnest(
        %(id)s::uuid[], %(model)s::text[], %(version)s::text[], %(claim_token)s::uuid[],
        %(error)s::jsonb[], %(label)s::text[], %(confidence)s::float8[], %(scores)s::jsonb[],
        %(value)s::float8[], %(features_uri)s::text[], %(traceparent)s::text[]
    ) AS g (id, model, version, claim_token, error, label, confidence, scores, value,
            features_uri, traceparent)
), fitting AS MATERIALIZED (
    SELECT g.* FROM given g
    JOIN requests r ON r.id = g.id AND r.id = ANY (%(id)s::uuid[])
         AND r.model = g.model AND r.version = g.version
         AND r.claim_token = g.claim_token AND r.state = 'RUNNING'
    JOIN models m ON m.id = r.model
    LEFT JOIN catalog_v1.versions v ON v.model = r.model AND v.version = r.version
    WHERE g.error IS NOT NULL
       OR ARRAY(SELECT jsonb_object_keys(g.scores)) <@ coalesce(v.labels, m.labels)
), free AS MATERIALIZED (
    SELECT r.id FROM fitting f
    JOIN requests r ON r.id = f.id AND r.id = ANY (%(id)s::uuid[])
         AND r.claim_token = f.claim_token AND r.state = 'RUNNING'
    FOR UPDATE OF r SKIP LOCKED
), finished AS (
    UPDATE requests r
    SET state = (CASE WHEN f.error IS NULL THEN 'SUCCEEDED' ELSE 'FAILED' END)::prediction_state,
        error = f.error, complete_time = now(), lease_until = NULL, traceparent = NULL
    FROM fitting f JOIN free USING (id) WHERE r.id = f.id AND r.id = ANY (%(id)s::uuid[])
    RETURNING r.id, r.state, r.attempt, r.create_time, old.traceparent
), answered AS (
    INSERT INTO predictions (id, label, confidence, scores, value, features_uri)
    SELECT id, f.label, f.confidence, f.scores, f.value, f.features_uri
    FROM fitting f JOIN finished USING (id) WHERE f.error IS NULL
    ON CONFLICT (id) DO NOTHING
)
SELECT f.id::text, f.model, f.version, n.state::text, f.claim_token::text, n.attempt,
       extract(epoch FROM now() - n.create_time)::float8 AS age_s,
       coalesce(f.traceparent, n.traceparent) AS traceparent
FROM fitting f LEFT JOIN finished n USING (id)

-- name: fail
-- Makes unfinished requests FAILED. One that its worker holds was on the bus before, and will be
-- answered, tried again or given up like any.
WITH given AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(errors)s::jsonb[]) AS g (id, error)
), unfinished AS MATERIALIZED (
    SELECT r.id, g.error FROM given g
    JOIN requests r ON r.id = g.id AND r.id = ANY (%(ids)s::uuid[])
         AND r.state IN ('ACCEPTED', 'RUNNING')
    FOR UPDATE OF r SKIP LOCKED
)
UPDATE requests r
SET state = 'FAILED', error = u.error, complete_time = now(), lease_until = NULL, traceparent = NULL
FROM unfinished u WHERE r.id = u.id AND r.id = ANY (%(ids)s::uuid[])
RETURNING r.id::text, r.model, r.version, r.state::text, r.attempt,
          extract(epoch FROM now() - r.create_time)::float8 AS age_s, old.traceparent

-- name: expire
-- Gives up unfinished requests whose time is over; one that was given none has the longest.
WITH due AS MATERIALIZED (
    SELECT id FROM requests
    WHERE id >= %(since)s::uuid AND id < %(until)s::uuid AND state IN ('ACCEPTED', 'RUNNING')
      AND (expire_time <= now()
           OR expire_time IS NULL AND create_time <= now() - %(max_ttl)s::interval)
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE requests r
SET state = 'EXPIRED', complete_time = now(), lease_until = NULL, traceparent = NULL
FROM due WHERE r.id = due.id AND r.id >= %(since)s::uuid AND r.id < %(until)s::uuid
RETURNING r.id::text, r.model, r.version, r.state::text, r.attempt,
          extract(epoch FROM now() - r.create_time)::float8 AS age_s, old.traceparent

-- name: lock_exhausted
-- Unfinished requests that no worker works on or may claim again.
SELECT id::text, attempt FROM requests
WHERE id >= %(since)s::uuid AND model = %(model)s AND state = 'RUNNING' AND attempt >= %(max_attempts)s
  AND publish_time <= now() - make_interval(secs => %(age_s)s) AND lease_until <= now()
LIMIT %(limit)s FOR UPDATE SKIP LOCKED

-- name: stuck_models
-- Models with published requests that nobody works on.
SELECT m.id FROM models m
WHERE EXISTS (
    SELECT FROM requests r
    WHERE r.id >= %(since)s::uuid AND r.model = m.id AND r.state IN ('ACCEPTED', 'RUNNING')
      AND r.publish_time <= now() - make_interval(secs => %(age_s)s)
      AND (r.lease_until IS NULL OR r.lease_until <= now())
)

-- name: rearm
-- Has requests published again that were published but that nobody works on; of those in `ids`,
-- or of all if it is null.
WITH stuck AS MATERIALIZED (
    SELECT id FROM requests
    WHERE id >= %(since)s::uuid AND model = %(model)s AND state IN ('ACCEPTED', 'RUNNING')
      AND publish_time <= now() - make_interval(secs => %(age_s)s)
      AND (lease_until IS NULL OR lease_until <= now())
      AND attempt < %(max_attempts)s
      AND (%(ids)s::uuid[] IS NULL OR id = ANY (%(ids)s::uuid[]))
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), unpublished AS (
    UPDATE requests r SET publish_time = NULL
    FROM stuck WHERE r.id = stuck.id AND r.id >= %(since)s::uuid
    RETURNING r.id, r.model, r.version, r.traceparent
)
INSERT INTO outbox (id, event, model, version, payload, traceparent)
SELECT uuidv7(), 'inference_request', model, version,
       events_v1.inference_requested(id, model, version), traceparent
FROM unpublished

-- name: announce
-- Tells of finished requests: one event for each model, and the gateways that wait for them.
WITH finished AS (
    SELECT * FROM unnest(
        %(id)s::uuid[], %(model)s::text[], %(version)s::text[], %(state)s::text[],
        %(traceparent)s::text[]
    ) AS f (id, model, version, state, traceparent)
), events AS (
    INSERT INTO outbox (id, event, model, payload, traceparent, links)
    SELECT uuidv7(), 'job_completed', model, payload, traces[1], nullif(traces[2:], '{}')
    FROM (
        SELECT model, events_v1.job_completed(
                   model, now(), jsonb_agg(events_v1.completed_prediction(id, version, state))
               ) AS payload, events_v1.traces(array_agg(traceparent)) AS traces
        FROM finished GROUP BY model
    ) AS told
)
SELECT notify_changed(%(id)s::uuid[])

-- name: models
-- All models.
SELECT id FROM models

-- name: create_partitions
-- Makes the days to come.
SELECT relay_v1.create_partitions(7)

-- name: index_day
-- Gives a day of before an index that it lacks; false if there is none.
SELECT relay_v1.index_day()

-- name: settle_days
-- Has the days that are over keep no dead rows.
SELECT relay_v1.settle_days()

-- name: today
-- The day of retention, UTC.
SELECT (now() AT TIME ZONE 'UTC')::date

-- name: forget_request_ids
-- Forgets clients' request_ids that are old, before their requests are deleted.
SELECT relay_v1.forget_request_ids(%(today)s)

-- name: days
-- The days that are over, the oldest first.
SELECT relay_v1.days_before(%(today)s)

-- name: clear_day
-- Deletes some of what a day has that is kept no longer; answers what is left to do.
SELECT relay_v1.clear_day(%(day)s, %(today)s, %(limit)s)

-- name: drop_day
-- Drops a day of which nothing is kept.
SELECT relay_v1.drop_day(%(day)s, %(today)s)

-- name: kept_since
-- The first day of which something is kept of a model.
SELECT relay_v1.kept_since(%(model)s, %(today)s)

-- name: claim_erasures
-- Takes rows of features that are to be erased: those of one object together. Whoever takes them
-- has five minutes.
WITH due AS MATERIALIZED (
    SELECT id FROM erasures WHERE next_time <= now()
    ORDER BY features_uri LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE erasures e SET next_time = now() + interval '5 minutes'
FROM due WHERE e.id = due.id
RETURNING e.id::text, e.features_uri, e.create_time

-- name: postpone_erasures
-- Has erasures wait as long as they have waited already: a time at the least, a day at the most.
UPDATE erasures
SET next_time = now() + greatest(make_interval(secs => %(pause_s)s),
                                 least(now() - create_time, interval '1 day'))
WHERE id = ANY (%(ids)s::uuid[])

-- name: delete_erasures
-- Forgets erasures that are done.
DELETE FROM erasures WHERE id = ANY (%(ids)s::uuid[])

-- name: limit_figures
-- Bounds what is read for metrics: in vain, rather than for long.
SELECT set_config('statement_timeout', '5s', true)

-- name: outbox_figures
-- How many events wait, by an estimate if there are many, and for how long the oldest has.
SELECT e.event,
       CASE WHEN c.size < 100000 THEN c.size ELSE greatest(c.size, (
           SELECT reltuples::bigint FROM pg_class WHERE oid = 'outbox'::regclass)) END AS waiting,
       coalesce((
           SELECT greatest(max(extract(epoch FROM now() - uuid_extract_timestamp(o.id))), 0)::float8
           FROM models m
           CROSS JOIN LATERAL (  -- by the index, whose order is that of the ids within a model
               SELECT id FROM outbox WHERE event = e.event AND model = m.id ORDER BY id LIMIT 1
           ) AS o), 0) AS age_s
FROM unnest(ARRAY['inference_request', 'job_completed', 'alert_changed']) AS e (event)
CROSS JOIN LATERAL (
    SELECT count(*) AS size
    FROM (SELECT FROM outbox o WHERE o.event = e.event LIMIT 100000) AS first
) AS c

-- name: request_figures
-- Unfinished requests of each model, no more than so many: days come in their order, so that those
-- of the first are among them.
SELECT m.id AS model, r.state::text, count(r.state) AS size,
       coalesce(greatest(extract(epoch FROM now() - min(r.create_time)), 0), 0)::float8 AS age_s
FROM models m
LEFT JOIN LATERAL (
    SELECT state, create_time FROM requests
    WHERE id >= %(since)s::uuid AND model = m.id AND state IN ('ACCEPTED', 'RUNNING')
    LIMIT 20000
) AS r ON true
GROUP BY m.id, r.state

-- name: database_figures
-- What PostgreSQL counts of itself, and erasures.
SELECT d.xact_commit AS commits, d.xact_rollback AS rollbacks, d.deadlocks,
       d.blks_hit AS cached, d.blks_read AS read,
       pg_database_size(d.datid) AS size_bytes,
       current_setting('max_connections')::integer AS connections_limit,
       (SELECT jsonb_object_agg(usename, size) FROM (
           SELECT usename, count(*) AS size FROM pg_stat_activity
           WHERE datid = d.datid AND usename IS NOT NULL GROUP BY usename) AS a) AS connections,
       relay_v1.oldest_transaction() AS oldest_s,
       (SELECT count(*) FROM (SELECT FROM erasures LIMIT 100000) AS first) AS erasures
FROM pg_stat_database d WHERE d.datname = current_database()
