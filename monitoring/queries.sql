-- name: models
-- The models of which there is anything to make.
SELECT model FROM monitoring_progress ORDER BY model

-- name: begin
-- When a run begins, by the database's clock.
SELECT clock_timestamp(), date_trunc('hour', clock_timestamp(), 'UTC')

-- name: first_hour
-- The hour of a model's first request.
SELECT date_trunc('hour', uuid_extract_timestamp(id), 'UTC')
FROM requests WHERE model = %(model)s ORDER BY id LIMIT 1

-- name: progress
-- How far the hours of a model were made.
SELECT through FROM monitoring_progress WHERE model = %(model)s

-- name: due
-- The hours of a model that are to be made, the oldest first: those since the last run and a few
-- before it, as what was under way then has come to its rows since; those with unfinished requests;
-- and those in which something has changed. Not those that were made since this run began, nor those
-- whose rows may be deleted.
SELECT due.hour
FROM (
    SELECT generate_series(%(first)s::timestamptz, %(now)s, interval '1 hour') AS hour
    UNION
    SELECT hour FROM monitoring_hours WHERE model = %(model)s AND unfinished > 0
    UNION
    SELECT hour FROM monitoring_stale WHERE model = %(model)s AND hour <= %(now)s
) AS due
JOIN models m ON m.id = %(model)s
LEFT JOIN monitoring_hours h ON h.model = m.id AND h.hour = due.hour
WHERE due.hour > %(now)s::timestamptz - m.retention_days * interval '1 day' + interval '1 hour'
  AND (h.computed_at < %(begun)s OR h.hour IS NULL OR EXISTS (
    SELECT FROM monitoring_stale s WHERE s.model = m.id AND s.hour = due.hour
  ))
ORDER BY due.hour

-- name: hold
-- Keeps other jobs from the model until the transaction ends; who waited for one then begins anew.
-- Notes that all hours up to this one were made: a run makes them in their order.
UPDATE monitoring_progress SET through = greatest(through, %(hour)s) WHERE model = %(model)s

-- name: made_since
-- Whether an hour was made since a run began.
SELECT FROM monitoring_hours
WHERE model = %(model)s AND hour = %(hour)s AND computed_at >= %(begun)s

-- name: take_marks
-- Takes the marks of an hour away.
DELETE FROM monitoring_stale WHERE model = %(model)s AND hour = %(hour)s

-- name: drop_marks
-- Takes the marks of hours that are not made any more.
DELETE FROM monitoring_stale s USING models m
WHERE s.model = m.id AND m.id = %(model)s
  AND s.hour <= %(now)s::timestamptz - m.retention_days * interval '1 day' + interval '1 hour'

-- name: sizes
-- How many requests each version had in a window, and how many of these are unfinished.
SELECT version, count(*), count(*) FILTER (WHERE state IN ('ACCEPTED', 'RUNNING'))
FROM requests
WHERE model = %(model)s AND id >= uuid_at(%(from)s) AND id < uuid_at(%(to)s)
GROUP BY version ORDER BY version

-- name: counts
-- All that figures are made of, for the rows of a version (null: of all) in a window: slice, kind,
-- key, rows, and sums as monitoring/counts.py names them. Of tags, the most frequent are slices.
-- Weighted sums are of numeric, which the order of rows does not change: hours that are made anew
-- from the same rows have the same figures.
WITH seen AS MATERIALIZED (
    SELECT * FROM monitoring_v1.observations(
        %(model)s, %(version)s, %(from)s, %(to)s, %(known)s)
), tag AS MATERIALIZED (
    SELECT 'tag:' || t.key || '=' || t.value AS slice
    FROM seen CROSS JOIN LATERAL jsonb_each_text(seen.tags) AS t
    GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT %(tag_slices)s
), sliced AS MATERIALIZED (
    SELECT slice, state, reason, seconds, label, confidence, characters, words, unknown_words,
           truth, weight, brier,
           CASE WHEN confidence BETWEEN 0 AND 1
                THEN least(floor(confidence * 10), 9)::text END AS bin
    FROM seen
    CROSS JOIN LATERAL (
        SELECT ''
        UNION ALL SELECT monitoring_v1.length_slice(characters) WHERE characters IS NOT NULL
        UNION ALL SELECT 'script:' || script WHERE script IS NOT NULL
        UNION ALL SELECT slice FROM jsonb_each_text(tags) AS t
                  JOIN tag ON tag.slice = 'tag:' || t.key || '=' || t.value
    ) AS s (slice)
), judged AS (
    SELECT slice, label, truth, bin, confidence, weight::numeric AS weight, brier::numeric AS brier
    FROM sliced WHERE label IS NOT NULL AND truth IS NOT NULL
)
SELECT slice, 'ending', ARRAY[state, reason], count(*), ARRAY[]::float8[]
FROM sliced GROUP BY slice, state, reason
UNION ALL
SELECT slice, 'seconds', ARRAY[]::text[], count(*),
       percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY seconds)
FROM sliced WHERE state IN ('SUCCEEDED', 'FAILED') AND seconds IS NOT NULL GROUP BY slice
UNION ALL
SELECT slice, 'label', ARRAY[label], count(*), ARRAY[]::float8[]
FROM sliced WHERE label IS NOT NULL GROUP BY slice, label
UNION ALL
SELECT slice, CASE WHEN bin IS NULL THEN 'no confidence' ELSE 'confidence' END, ARRAY[bin],
       count(*), ARRAY[]::float8[]
FROM sliced WHERE label IS NOT NULL GROUP BY slice, bin
UNION ALL
SELECT slice, 'length', ARRAY[monitoring_v1.length_bin(characters)], count(*), ARRAY[]::float8[]
FROM sliced WHERE characters IS NOT NULL GROUP BY slice, 3
UNION ALL
SELECT slice, 'words', ARRAY[]::text[], count(*),
       ARRAY[sum(words), sum(unknown_words), sum(words * words), sum(words * unknown_words),
             sum(unknown_words * unknown_words)]::float8[]
FROM sliced WHERE slice = '' AND words > 0 GROUP BY slice
UNION ALL
SELECT slice, 'confusion', ARRAY[label, truth, floor(log(2, greatest(weight, 1)))::text], count(*),
       ARRAY[sum(weight), sum(weight * weight)]::float8[]
FROM judged GROUP BY slice, label, truth, 3
UNION ALL
SELECT slice, 'calibration', ARRAY[bin], count(*),
       ARRAY[sum(weight), sum(weight * weight), sum(weight * (label = truth)::integer),
             sum(weight * confidence::numeric)]::float8[]
FROM judged WHERE bin IS NOT NULL GROUP BY slice, bin
UNION ALL
SELECT slice, 'brier', ARRAY[]::text[], count(*),
       ARRAY[sum(weight), sum(weight * brier), sum(weight * weight), sum(weight * weight * brier),
             sum(weight * weight * brier * brier)]::float8[]
FROM judged WHERE brier < 'Infinity' GROUP BY slice
ORDER BY 1, 2, 3

-- name: sample
-- Answers of a version in a window, by chance and the same each time, as Evidently sees them.
SELECT label, least(floor(confidence * 10), 9)::text, monitoring_v1.length_bin(characters), truth
FROM monitoring_v1.sample(%(model)s, %(version)s, %(from)s, %(to)s, %(limit)s)
WHERE confidence BETWEEN 0 AND 1 AND characters IS NOT NULL

-- name: feature_uris
-- Where the features of a sample of answers lie.
SELECT features_uri FROM monitoring_v1.sample(%(model)s, %(version)s, %(from)s, %(to)s, %(limit)s)

-- name: kept_features
-- The figures of features that an hour has, with how many requests it had then.
SELECT f.version, v.value::bigint, coalesce(u.value, 0)::bigint, f.metric, f.value, f.low, f.high,
       f.rows, f.reference
FROM quality_metrics f
JOIN quality_metrics v
    ON v.model = f.model AND v.hour = f.hour AND v.version = f.version AND v.slice = ''
       AND v.metric = 'volume'
LEFT JOIN quality_metrics u
    ON u.model = f.model AND u.hour = f.hour AND u.version = f.version AND u.slice = ''
       AND u.metric = 'unfinished'
WHERE f.model = %(model)s AND f.hour = %(hour)s AND f.slice = ''
  AND f.metric IN ('features_missing_share', 'features_drift')

-- name: feature_reference
-- What the features of a version are compared with.
SELECT name, dimension, cuts, counts FROM monitoring_features
WHERE model = %(model)s AND version = %(version)s

-- name: write_feature_reference
-- Sets what the features of a version are compared with.
INSERT INTO monitoring_features (model, version, name, dimension, cuts, counts)
VALUES (%(model)s, %(version)s, %(name)s, %(dimension)s, %(cuts)s, %(counts)s)
ON CONFLICT (model, version) DO NOTHING

-- name: mark_hour
-- Has an hour made anew.
INSERT INTO monitoring_stale (model, hour) VALUES (%(model)s, %(hour)s)

-- name: days
-- The days in which a model was asked, the newest first, with when last an hour of each was made.
SELECT (hour AT TIME ZONE 'UTC')::date AS day, max(computed_at)
FROM monitoring_hours WHERE model = %(model)s AND hour >= %(first)s AND rows > 0
GROUP BY day ORDER BY day DESC

-- name: forget_hour
-- Takes the figures of an hour away.
DELETE FROM quality_metrics WHERE model = %(model)s AND hour = %(hour)s

-- name: write_figures
-- Writes the figures of an hour.
INSERT INTO quality_metrics
    (model, version, hour, slice, metric, value, low, high, rows, reference, computed_at)
SELECT %(model)s, f.version, %(hour)s, f.slice, f.metric, f.value, f.low, f.high, f.rows,
       f.reference, clock_timestamp()
FROM json_to_recordset(%(figures)s) AS f (
    version text, slice text, metric text, value float8, low float8, high float8, rows bigint,
    reference text)

-- name: note_hour
-- Notes that an hour was made.
INSERT INTO monitoring_hours (model, hour, rows, unfinished, computed_at)
VALUES (%(model)s, %(hour)s, %(rows)s, %(unfinished)s, clock_timestamp())
ON CONFLICT (model, hour) DO UPDATE
SET rows = excluded.rows, unfinished = excluded.unfinished, computed_at = excluded.computed_at

-- name: keep_hour
-- Leaves an hour as it was made, of more requests than are left, and notes what is unfinished.
UPDATE monitoring_hours SET unfinished = %(unfinished)s
WHERE model = %(model)s AND hour = %(hour)s AND rows > %(rows)s

-- name: references
-- What the hours of a model are compared with, by version.
SELECT version, name, rows, profiles, vocabulary, unknown_words
FROM monitoring_references WHERE model = %(model)s

-- name: volumes
-- How much a version was asked in each of its hours that are over, the oldest first.
SELECT hour, value::bigint FROM quality_metrics
WHERE model = %(model)s AND version = %(version)s AND slice = '' AND metric = 'volume'
  AND hour < %(now)s
ORDER BY hour

-- name: places
-- How often each place of a word is taken.
SELECT place, words FROM monitoring_v1.places(%(model)s, %(version)s, %(from)s, %(to)s)

-- name: lengths_of
-- How many of these texts are of each bin of length.
SELECT monitoring_v1.length_bin(length(t.text)), count(*)
FROM unnest(%(texts)s::text[]) AS t (text) GROUP BY 1

-- name: places_of
-- How often each place of a word is taken by these texts.
SELECT monitoring_v1.place(word), count(*)
FROM unnest(%(texts)s::text[]) AS t (text) CROSS JOIN LATERAL monitoring_v1.words(t.text) AS word
GROUP BY 1

-- name: lengths_of_labelled
-- How many texts of these labelled predictions are of each bin of length.
SELECT bin, texts FROM monitoring_v1.lengths_of_labelled(%(ids)s::uuid[])

-- name: places_of_labelled
-- How often each place of a word is taken by the texts of these labelled predictions.
SELECT place, words FROM monitoring_v1.places_of_labelled(%(ids)s::uuid[])

-- name: write_reference
-- Sets what the hours of a model, or of a version, are compared with.
INSERT INTO monitoring_references
    (model, version, name, rows, profiles, vocabulary, unknown_words)
VALUES (%(model)s, %(version)s, %(name)s, %(rows)s, %(profiles)s, %(vocabulary)s,
        %(unknown_words)s)
ON CONFLICT (model, version) DO UPDATE
SET name = excluded.name, rows = excluded.rows, profiles = excluded.profiles,
    vocabulary = excluded.vocabulary, unknown_words = excluded.unknown_words, create_time = now()

-- name: forget_reference
-- Gives a model its versions' defaults back.
DELETE FROM monitoring_references WHERE model = %(model)s AND version = ''

-- name: mark_all
-- Has all hours of a model with requests made anew.
INSERT INTO monitoring_stale (model, hour)
SELECT model, hour FROM monitoring_hours WHERE model = %(model)s AND rows > 0

-- name: mark_version
-- Has all hours of a version made anew.
INSERT INTO monitoring_stale (model, hour)
SELECT model, hour FROM quality_metrics
WHERE model = %(model)s AND version = %(version)s AND slice = '' AND metric = 'volume'

-- name: latest
-- The figures of each model's newest hour with answers that is over, of versions and slices; of
-- the last day only, and the most general ones first. Where models and slices are given, even none,
-- slices by a tag, which is what a client made up, are left out unless they are among these.
SELECT q.model, q.version, q.slice, q.metric, q.value, q.low, q.high, q.rows, q.hour
FROM monitoring_progress p
CROSS JOIN LATERAL (
    SELECT hour FROM monitoring_hours h
    WHERE h.model = p.model AND h.rows > 0 AND h.hour < %(now)s
      AND h.hour >= %(now)s::timestamptz - interval '1 day'
    ORDER BY hour DESC LIMIT 1
) AS newest
JOIN quality_metrics q ON q.model = p.model AND q.hour = newest.hour
WHERE %(models)s::text[] IS NULL OR NOT starts_with(q.slice, 'tag:')
    OR (q.model, q.slice) IN (SELECT * FROM unnest(%(models)s::text[], %(slices)s::text[]))
ORDER BY q.slice <> '', q.model, q.version, q.slice, q.metric
LIMIT %(limit)s
