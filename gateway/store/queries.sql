-- name: insert_finished
-- Records predictions made now, and those that failed, which say their state; tells of them with one
-- event a model. A row whose request_id is taken is left out; the answer is the ids of those.
WITH input AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s::json) AS i (
        id uuid, request_id uuid, model text, version text, text text,
        create_time timestamptz, complete_time timestamptz, caller text, traceparent text,
        state text, error jsonb, tags jsonb,
        label text, confidence float8, scores jsonb, value float8, features_uri text)
), claimed AS (
    INSERT INTO request_ids (request_id, id)
    SELECT request_id, id FROM input WHERE request_id IS NOT NULL
    ON CONFLICT DO NOTHING RETURNING id
), fresh AS MATERIALIZED (
    SELECT * FROM input WHERE request_id IS NULL OR id IN (SELECT id FROM claimed)
), new_requests AS (
    INSERT INTO requests (id, model, version, text, state, create_time, complete_time, caller, error,
                          tags)
    SELECT id, model, version, text, coalesce(state, 'SUCCEEDED')::prediction_state, create_time,
           complete_time, coalesce(caller, ''), error, tags
    FROM fresh
), new_predictions AS (
    INSERT INTO predictions (id, label, confidence, scores, value, features_uri)
    SELECT id, label, confidence, scores, value, features_uri FROM fresh WHERE state IS NULL
), events AS (
    INSERT INTO outbox (id, event, model, payload, traceparent, links)
    SELECT uuidv7(), 'job_completed', model, payload, traces[1], nullif(traces[2:], '{}')
    FROM (
        SELECT model, events_v1.job_completed(
                   model, max(complete_time),
                   jsonb_agg(events_v1.completed_prediction(
                       id, version, coalesce(state, 'SUCCEEDED')))) AS payload,
               CASE WHEN count(traceparent) > 0
                    THEN events_v1.traces(array_agg(traceparent)) END AS traces
        FROM fresh GROUP BY model
    ) AS told
)
SELECT id::text FROM input WHERE id NOT IN (SELECT id FROM fresh)

-- name: insert_accepted
-- Records predictions to be made later, and the events that ask for them. A row whose
-- request_id is taken is left out; the answer is the ids of those.
WITH input AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s::json) AS i (
        id uuid, request_id uuid, model text, version text, text text,
        create_time timestamptz, expire_time timestamptz, caller text, traceparent text,
        tags jsonb)
), claimed AS (
    INSERT INTO request_ids (request_id, id)
    SELECT request_id, id FROM input WHERE request_id IS NOT NULL
    ON CONFLICT DO NOTHING RETURNING id
), fresh AS MATERIALIZED (
    SELECT * FROM input WHERE request_id IS NULL OR id IN (SELECT id FROM claimed)
), new_requests AS (
    INSERT INTO requests (id, model, version, text, state, create_time, expire_time, caller, tags,
                          traceparent)
    SELECT id, model, version, text, 'ACCEPTED', create_time, expire_time, coalesce(caller, ''),
           tags, traceparent
    FROM fresh
), events AS (
    INSERT INTO outbox (id, event, model, version, payload, traceparent)
    SELECT uuidv7(), 'inference_request', model, version,
           events_v1.inference_requested(id, model, version), traceparent
    FROM fresh
), wake AS MATERIALIZED (
    SELECT pg_notify('outbox', '')
)
SELECT id::text FROM input, wake WHERE id NOT IN (SELECT id FROM fresh)

-- name: get
-- Reads predictions by id, some of them with their texts, and for some whether they have labels; not
-- those that nobody has in reach who asks for them.
SELECT r.id::text, r.model, r.caller, r.version,
       CASE WHEN r.id = ANY (%(texted)s::uuid[]) THEN r.text END, r.state::text,
       r.create_time, r.complete_time, r.expire_time, r.error, r.tags, r.erase_time,
       p.label, p.confidence, p.scores, p.value, p.features_uri,
       r.id = ANY (%(labelled)s::uuid[]) AND EXISTS (
           SELECT FROM labels l WHERE l.prediction_id = r.id)
FROM requests r
LEFT JOIN predictions p ON p.id = r.id AND p.id = ANY (%(ids)s::uuid[])
WHERE r.id = ANY (%(ids)s::uuid[])
  AND (%(reach)s::json IS NULL OR EXISTS (
      SELECT FROM json_to_recordset(%(reach)s::json) AS asker (
          id uuid, caller text, everybodys text[], own text[])  -- models; null: all
      WHERE asker.id = r.id
        AND (asker.everybodys IS NULL OR r.model = ANY (asker.everybodys)
             OR r.caller = asker.caller
                AND (asker.own IS NULL OR r.model = ANY (asker.own)))))

-- name: find
-- Reads which predictions the clients' request_ids stand for.
SELECT request_id::text, id::text FROM request_ids WHERE request_id = ANY (%(request_ids)s::uuid[])

-- name: hold_record
-- Has the statements of a search see the same record.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ

-- name: limit_search
-- Bounds a search by conditions that few predictions meet.
SELECT set_config('statement_timeout', %(limit)s, true)

-- name: search
-- Finds the newest predictions between two ids, for a page; what follows max_bytes of text is left
-- for the next.
SELECT id::text, bytes
FROM (
    SELECT id, bytes, sum(bytes) OVER (ORDER BY id DESC) - bytes AS bytes_before
    FROM (
        SELECT id, CASE WHEN %(with_text)s THEN octet_length(text) ELSE 0 END AS bytes
        FROM requests
        WHERE id >= %(since)s::uuid AND id < %(until)s::uuid
          AND (%(model)s::text IS NULL OR model = %(model)s)
          AND (%(models)s::text[] IS NULL OR model = ANY (%(models)s))
          AND (%(caller)s::text IS NULL OR caller = %(caller)s AND caller <> '')
          AND (%(version)s::text IS NULL OR version = %(version)s)
          AND (%(state)s::prediction_state IS NULL OR state = %(state)s)
          AND (%(start_time)s::timestamptz IS NULL OR create_time >= %(start_time)s)
          AND (%(end_time)s::timestamptz IS NULL OR create_time < %(end_time)s)
          AND (%(unlabeled)s::boolean IS NULL OR (  -- looked up for each
              SELECT l.id FROM labels_v1.newest l
              WHERE l.prediction_id = requests.id AND l.label IS NOT NULL LIMIT 1) IS NULL)
        ORDER BY id DESC LIMIT %(limit)s
    ) AS newest
) AS page
WHERE bytes_before <= %(max_bytes)s
ORDER BY id DESC

-- name: least_confident
-- Sorts predictions for a page; what follows max_bytes of text is left out.
SELECT id::text
FROM (
    SELECT r.id, p.confidence, sum(octet_length(r.text)) OVER (ORDER BY p.confidence, r.id DESC)
               - octet_length(r.text) AS bytes_before
    FROM requests r JOIN predictions p ON p.id = r.id AND p.id = ANY (%(ids)s::uuid[])
    WHERE r.id = ANY (%(ids)s::uuid[])
) AS sorted
WHERE bytes_before <= %(max_bytes)s OR NOT %(with_text)s
ORDER BY confidence, id DESC LIMIT %(limit)s

-- name: cancel
-- Takes a prediction back unless it is finished, and tells of it; if its time is over, it expires.
-- One that others hold stays as it is: a worker may do so for as long as it likes.
WITH free AS MATERIALIZED (
    SELECT id FROM requests WHERE id = %(id)s::uuid AND state IN ('ACCEPTED', 'RUNNING')
    FOR UPDATE SKIP LOCKED
), cancelled AS (
    UPDATE requests r
    SET state = (CASE WHEN expire_time <= now() THEN 'EXPIRED' ELSE 'CANCELLED' END)
                ::prediction_state,
        complete_time = now(), traceparent = NULL
    FROM free WHERE r.id = free.id AND r.id = %(id)s::uuid
    RETURNING r.id, r.model, r.version, r.state, r.complete_time, old.traceparent
), event AS (
    INSERT INTO outbox (id, event, model, version, payload, traceparent)
    SELECT uuidv7(), 'job_completed', model, version, events_v1.job_completed(
        model, complete_time,
        jsonb_build_array(events_v1.completed_prediction(id, version, state::text))), traceparent
    FROM cancelled
)
SELECT notify_changed(ARRAY[id]) FROM cancelled

-- name: erase
-- Takes from a finished prediction what it holds of a person.
SELECT gateway_v1.erase(%(id)s::uuid)
