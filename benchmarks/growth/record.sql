-- name: make_days
-- Makes the partitions of the days before today, so many.
DO $do$
DECLARE
    parent text;
    day timestamptz;
BEGIN
    FOR i IN 1..current_setting('growth.days')::integer LOOP
        day := date_trunc('day', now(), 'UTC') - i * interval '1 day';
        FOREACH parent IN ARRAY ARRAY['requests', 'predictions'] LOOP
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                           parent || to_char(day AT TIME ZONE 'UTC', '_YYYYMMDD'), parent,
                           uuid_at(day), uuid_at(day + interval '1 day'));
        END LOOP;
        IF i % 20 = 0 THEN
            COMMIT;  -- the locks of all would be too many
        END IF;
    END LOOP;
END $do$

-- name: requests
-- So many from the first of these days until now, evenly; ten of them by version 2.
INSERT INTO requests (id, model, version, text, state, create_time, complete_time)
SELECT overlay(uuid_at(time)::text PLACING '7' || substr(gen_random_uuid()::text, 16)
               FROM 15)::uuid,
       'sentiment', CASE WHEN number %% (%(rows)s / 10) = 0 THEN '2' ELSE '1' END,
       'a text of some sixteen words, as people write them of films that they have seen',
       'SUCCEEDED', time, time
FROM generate_series(1, %(rows)s) AS number
CROSS JOIN LATERAL (
    SELECT now() - (%(rows)s - number) * (%(days)s * interval '1 day' / %(rows)s) AS time
) AS t

-- name: predictions
-- Their answers.
INSERT INTO predictions (id, label, confidence, scores)
SELECT id, 'positive', 0.5, '{"negative": 0.3, "neutral": 0.2, "positive": 0.5}' FROM requests

-- name: some_ids
-- Ids of some, from all days.
SELECT id::text FROM requests ORDER BY md5(id::text) LIMIT 1000

-- name: memory
-- What the backend of this connection keeps of the tables and for itself, in bytes.
SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts
