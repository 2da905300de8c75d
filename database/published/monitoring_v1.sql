-- What the monitoring job sees of predictions: numbers and names, and never a text.
CREATE SCHEMA IF NOT EXISTS monitoring_v1;

-- The words of a text, in lower case. Where none are written, each character counts as one.
CREATE OR REPLACE FUNCTION monitoring_v1.words(of_text text) RETURNS SETOF text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT word
    FROM regexp_split_to_table(
        CASE WHEN octet_length(of_text) = length(of_text) THEN lower(of_text)
             ELSE regexp_replace(lower(of_text), '([\u3040-\u30ff\u3400-\u9fff])', ' \1 ', 'g') END,
        '[^[:alnum:]]+') AS w (word)
    WHERE word <> ''
$$;

-- A word's place among 2^17: with these, a set of words is a string of bits, and holds no text.
CREATE OR REPLACE FUNCTION monitoring_v1.place(word text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (('x' || left(encode(sha256(convert_to(word, 'UTF8')), 'hex'), 8))::bit(32)::bigint
            & 131071)::integer;

-- The script that most letters of a text are of; 'none' if it has no letters.
CREATE OR REPLACE FUNCTION monitoring_v1.script(of_text text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN octet_length(of_text) = length(of_text)
        THEN CASE WHEN of_text ~ '[A-Za-z]' THEN 'latin' ELSE 'none' END
        ELSE coalesce(
            (SELECT name
             FROM (VALUES ('latin', '[A-Za-z\u00c0-\u024f\u1e00-\u1eff]'),
                          ('greek', '[\u0370-\u03ff\u1f00-\u1fff]'),
                          ('cyrillic', '[\u0400-\u052f]'),
                          ('hebrew', '[\u0590-\u05ff]'),
                          ('arabic', '[\u0600-\u06ff\u0750-\u077f]'),
                          ('devanagari', '[\u0900-\u097f]'),
                          ('thai', '[\u0e00-\u0e7f]'),
                          ('kana', '[\u3040-\u30ff]'),
                          ('han', '[\u3400-\u9fff]'),
                          ('hangul', '[\u1100-\u11ff\uac00-\ud7af]')) AS s (name, letters)
             CROSS JOIN LATERAL regexp_count(of_text, letters) AS size
             WHERE size > 0 ORDER BY size DESC, name LIMIT 1),
            CASE WHEN of_text ~ '[[:alpha:]]' THEN 'other' ELSE 'none' END)
        END;

-- The slice of a text's length, in characters.
CREATE OR REPLACE FUNCTION monitoring_v1.length_slice(characters integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 'length:' || CASE WHEN characters < 50 THEN '0-49'
                             WHEN characters < 200 THEN '50-199'
                             WHEN characters < 1000 THEN '200-999'
                             ELSE '1000-' END;

-- The bin of a text's length: the power of two.
CREATE OR REPLACE FUNCTION monitoring_v1.length_bin(characters integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN floor(log(2, greatest(characters, 1)))::integer::text;

-- The requests of a model that were asked for in a window, of one version or (null) of all. What
-- was erased has no characters, no script and no words. known: the places of the words of a
-- reference; with null, all words are unknown. truth: of an answer, the label that counts; weight:
-- the inverse of the probability with which it was chosen to be labelled, 1 if that is not known.
CREATE OR REPLACE FUNCTION monitoring_v1.observations(
    for_model text, for_version text, from_time timestamptz, to_time timestamptz, known bytea
) RETURNS TABLE (
    id uuid, version text, state text, reason text, seconds float8, label text, confidence float8,
    tags jsonb, features_uri text, characters integer, script text, words bigint,
    unknown_words bigint, truth text, weight float8, brier float8
)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- only with the times at hand, days are left out
    AS $$
    SELECT r.id, r.version, r.state::text, r.reason,
           greatest(extract(epoch FROM r.complete_time - r.create_time), 0)::float8,
           p.label, p.confidence, r.tags, p.features_uri,
           length(t.text), monitoring_v1.script(t.text), w.words, w.unknown_words,
           d.label, coalesce(d.weight, 1),
           (SELECT sum((s.value::float8 - (s.key = d.label)::integer) ^ 2)
            FROM jsonb_each_text(p.scores) AS s WHERE d.label IS NOT NULL)
    FROM requests r
    CROSS JOIN LATERAL (SELECT nullif(r.text, '') AS text) AS t
    LEFT JOIN predictions p
        ON p.id = r.id AND p.id >= uuid_at(from_time) AND p.id < uuid_at(to_time)
    LEFT JOIN labels_v1.decided d
        ON d.prediction_id = r.id AND d.model = r.model AND p.id IS NOT NULL
           AND d.prediction_id >= uuid_at(from_time) AND d.prediction_id < uuid_at(to_time)
    LEFT JOIN LATERAL (
        SELECT count(*) AS words,
               count(*) FILTER (
                   WHERE known IS NULL OR get_bit(known, monitoring_v1.place(word)) = 0
               ) AS unknown_words
        FROM monitoring_v1.words(t.text) AS word
    ) AS w ON t.text IS NOT NULL
    WHERE r.model = for_model AND (for_version IS NULL OR r.version = for_version)
      AND r.id >= uuid_at(from_time) AND r.id < uuid_at(to_time)
$$;

-- How often each place of a word is taken by the texts that were asked for in a window.
CREATE OR REPLACE FUNCTION monitoring_v1.places(
    for_model text, for_version text, from_time timestamptz, to_time timestamptz
) RETURNS TABLE (place integer, words bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- only with the times at hand, days are left out
    AS $$
    SELECT monitoring_v1.place(word), count(*)
    FROM requests r CROSS JOIN LATERAL monitoring_v1.words(r.text) AS word
    WHERE r.model = for_model AND (for_version IS NULL OR r.version = for_version)
      AND r.id >= uuid_at(from_time) AND r.id < uuid_at(to_time)
    GROUP BY 1
$$;

-- Answers of a version in a window: by chance, the same each time, at most so many. Only of these is
-- more than an id read.
CREATE OR REPLACE FUNCTION monitoring_v1.sample(
    for_model text, for_version text, from_time timestamptz, to_time timestamptz, most bigint
) RETURNS TABLE (
    id uuid, label text, confidence float8, characters integer, truth text, features_uri text
)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- only with the times at hand, days are left out
    AS $$
    WITH chosen AS MATERIALIZED (
        SELECT r.id FROM requests r
        WHERE r.model = for_model AND r.version = for_version AND r.state = 'SUCCEEDED'
          AND r.erase_time IS NULL
          AND r.id >= uuid_at(from_time) AND r.id < uuid_at(to_time)
        ORDER BY right(r.id::text, 12), r.id LIMIT most
    )
    SELECT c.id, p.label, p.confidence, length(nullif(r.text, '')), d.label, p.features_uri
    FROM chosen c
    JOIN requests r ON r.id = c.id AND r.id >= uuid_at(from_time) AND r.id < uuid_at(to_time)
    JOIN predictions p ON p.id = c.id AND p.id >= uuid_at(from_time) AND p.id < uuid_at(to_time)
    LEFT JOIN labels_v1.decided d
        ON d.prediction_id = c.id AND d.model = for_model
           AND d.prediction_id >= uuid_at(from_time) AND d.prediction_id < uuid_at(to_time)
    ORDER BY right(c.id::text, 12), c.id
$$;

-- How many texts of these labelled predictions are of each bin of length; of the erased, none is.
CREATE OR REPLACE FUNCTION monitoring_v1.lengths_of_labelled(ids uuid[])
    RETURNS TABLE (bin text, texts bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- only with the ids at hand, days are left out
    AS $$
    SELECT monitoring_v1.length_bin(length(r.text)), count(*)
    FROM requests r
    WHERE r.id = ANY (ids) AND r.text <> ''
      AND EXISTS (SELECT FROM labels l WHERE l.prediction_id = r.id)
    GROUP BY 1
$$;

-- How often each place of a word is taken by the texts of these labelled predictions.
CREATE OR REPLACE FUNCTION monitoring_v1.places_of_labelled(ids uuid[])
    RETURNS TABLE (place integer, words bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- only with the ids at hand, days are left out
    AS $$
    SELECT monitoring_v1.place(word), count(*)
    FROM requests r CROSS JOIN LATERAL monitoring_v1.words(r.text) AS word
    WHERE r.id = ANY (ids)
      AND EXISTS (SELECT FROM labels l WHERE l.prediction_id = r.id)
    GROUP BY 1
$$;
