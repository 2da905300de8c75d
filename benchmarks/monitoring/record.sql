-- name: texts
-- Texts of some 16 words, so many, asked for over 72 hours; half of them with a tag.
CREATE TEMPORARY TABLE asked AS
SELECT overlay(overlay(gen_random_uuid()::text PLACING left(uuid_at(time)::text, 13) FROM 1 FOR 13)
               PLACING '7' FROM 15 FOR 1)::uuid AS id,
       time, number, (SELECT string_agg(word || (random() * 200)::integer, ' ')
                      FROM unnest(string_to_array(%(words)s, ' ')) AS word WHERE number > 0) AS text
FROM generate_series(1, %(rows)s) AS number
CROSS JOIN LATERAL (
    SELECT date_trunc('hour', now()) - interval '72 hours'
           + number * (interval '72 hours' / (%(rows)s + 1)) AS time
) AS t

-- name: requests
-- Nine of ten by version 1.
INSERT INTO requests (id, model, version, text, state, create_time, complete_time, tags)
SELECT id, 'sentiment', CASE WHEN number %% 10 = 0 THEN '2' ELSE '1' END, text, 'SUCCEEDED', time,
       time + random() * interval '0.1 seconds',
       CASE WHEN number %% 2 = 0
            THEN jsonb_build_object('country', (ARRAY['de', 'fr', 'us'])[1 + number %% 3]) END
FROM asked

-- name: predictions
-- Labels and confidences by chance.
INSERT INTO predictions (id, label, confidence, scores)
SELECT id, (ARRAY['negative', 'neutral', 'positive'])[1 + floor(random() * 3)::integer], random(),
       '{"negative": 0.3, "neutral": 0.2, "positive": 0.5}'
FROM asked

-- name: labels
-- One of ten is labelled.
INSERT INTO labels (prediction_id, model, label, source, label_time)
SELECT id, 'sentiment', 'positive', 'PERSON', now() FROM asked WHERE number %% 10 = 1
