-- Which labels count, and the one way to add to them.
CREATE SCHEMA IF NOT EXISTS labels_v1;

-- What each annotator of each source said last of a prediction, withdrawals (null) included.
CREATE OR REPLACE VIEW labels_v1.newest AS
SELECT l.* FROM public.labels l
WHERE NOT EXISTS (
    SELECT FROM public.labels later
    WHERE later.prediction_id = l.prediction_id
      AND later.source = l.source AND later.annotator = l.annotator
      AND (later.label_time, later.id) > (l.label_time, l.id));

-- The one label of a prediction that counts: the newest of an adjudicator; without one, that of
-- the most annotators, and of several such the one that was said last. Choice and weight are the
-- prediction's: those of the newest label that has a weight, or of the one that counts.
-- update_time is that of the last thing that was said, withdrawals included.
CREATE OR REPLACE VIEW labels_v1.decided AS
SELECT DISTINCT ON (prediction_id, model)
       prediction_id, model, label, source, annotators::integer, update_time,
       CASE WHEN known_weight IS NULL THEN choice ELSE known_choice END AS choice,
       known_weight AS weight
FROM (
    SELECT n.*, count(label) OVER prediction AS annotators,
           max(create_time) OVER prediction AS update_time,
           count(*) OVER (PARTITION BY prediction_id, model, label) AS votes,
           first_value(choice) OVER weighted AS known_choice,
           first_value(weight) OVER weighted AS known_weight
    FROM labels_v1.newest n
    WINDOW prediction AS (PARTITION BY prediction_id, model),
           weighted AS (PARTITION BY prediction_id, model
                        ORDER BY label IS NULL, weight IS NULL, label_time DESC, id DESC)
) AS said
WHERE label IS NOT NULL
ORDER BY prediction_id, model, adjudicated DESC, CASE WHEN NOT adjudicated THEN votes END DESC,
         label_time DESC, id DESC;

-- Adds labels; `said` is an array of objects with the columns of the table, and their place. No two
-- of them may be of one annotator of one prediction, or have the same request_id or external_id.
--
-- For each, by its place: why it is refused, as ErrorReason has it without its prefix, or the row,
-- and whether it is new. It is the one of before where the same was said already: with the same
-- request_id or label_time; without a label_time, as the last word under the same external_id, which
-- belongs to its caller, or as the annotator's. 'AGAIN': another call has just taken the request_id.
CREATE OR REPLACE FUNCTION labels_v1.attach(said json) RETURNS TABLE (
    place integer, refusal text, model text, version text, state prediction_state,
    known_labels text[], "row" public.labels, added boolean
)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '1s'
    SET plan_cache_mode = force_custom_plan  -- only with the ids at hand, days are left out
    AS $$
#variable_conflict use_column
DECLARE
    prediction_ids uuid[] := ARRAY(
        SELECT DISTINCT e.prediction_id FROM json_to_recordset(said) AS e (prediction_id uuid));
BEGIN
    IF prediction_ids = '{}' THEN
        RETURN;  -- to look for none opens each day
    END IF;
    -- Those of one prediction that come together go one after the other; the next statement sees
    -- what the ones before have written.
    PERFORM FROM requests r
    WHERE r.id = ANY (prediction_ids) AND r.state NOT IN ('ACCEPTED', 'RUNNING')
    ORDER BY r.id FOR NO KEY UPDATE;

    RETURN QUERY
    WITH entry AS MATERIALIZED (
        SELECT e.*, uuidv7() AS id, clock_timestamp() AS now
        FROM json_to_recordset(said) AS e (
            place integer, prediction_id uuid, label text, source label_source, annotator text,
            adjudicated boolean, label_time timestamptz, external_id text, choice text,
            weight float8, caller text, request_id uuid)
    ), request AS MATERIALIZED (
        SELECT r.id, r.model, r.version, r.state, r.erase_time IS NOT NULL AS erased,
               coalesce(v.labels, m.labels, '{}') AS labels
        FROM requests r
        LEFT JOIN catalog_v1.versions v ON v.model = r.model AND v.version = r.version
        LEFT JOIN models m ON m.id = r.model
        WHERE r.id = ANY (prediction_ids)
    ), asked AS MATERIALIZED (
        SELECT e.*, r.model, r.version, r.state, r.labels, last.label_time AS last_time,
               (SELECT count(*) FROM labels l WHERE l.prediction_id = e.prediction_id) AS size,
               coalesce(by_request.id, repeated.id) AS known_id,
               CASE
                   WHEN by_request.id IS NOT NULL THEN
                       CASE WHEN NOT labels_v1.same(by_request, e.prediction_id, e.label, e.source,
                                                    e.annotator) THEN 'REQUEST_ID_REUSED' END
                   WHEN (by_external.prediction_id, by_external.annotator)
                       <> (e.prediction_id, e.annotator) THEN 'EXTERNAL_ID_REUSED'
                   WHEN r.id IS NULL THEN 'PREDICTION_NOT_FOUND'
                   WHEN r.state IN ('ACCEPTED', 'RUNNING') THEN 'PREDICTION_UNFINISHED'
                   WHEN r.erased THEN 'PREDICTION_ERASED'
                   WHEN e.label <> ALL (r.labels) THEN 'LABEL_NOT_OF_MODEL'
                   WHEN e.label_time > e.now + interval '1 minute' THEN 'OUT_OF_RANGE'
               END AS refusal
        FROM entry e
        LEFT JOIN request r ON r.id = e.prediction_id
        LEFT JOIN labels by_request ON by_request.request_id = e.request_id
        LEFT JOIN LATERAL (
            SELECT l.id, l.prediction_id, l.annotator FROM labels l
            WHERE l.source = e.source AND l.external_id = e.external_id AND l.caller = e.caller
            ORDER BY l.label_time DESC, l.id DESC LIMIT 1
        ) AS by_external ON true
        LEFT JOIN LATERAL (
            SELECT l.id, l.label_time FROM labels l
            WHERE l.prediction_id = e.prediction_id
              AND l.source = e.source AND l.annotator = e.annotator
            ORDER BY l.label_time DESC, l.id DESC LIMIT 1
        ) AS last ON true
        LEFT JOIN LATERAL (
            SELECT l.id FROM labels l
            WHERE l.prediction_id = e.prediction_id
              AND l.source = e.source AND l.annotator = e.annotator
              AND (l.label, l.adjudicated, l.choice, l.weight)
                  IS NOT DISTINCT FROM (e.label, e.adjudicated, e.choice, e.weight)
              AND CASE WHEN e.label_time IS NULL THEN l.id = coalesce(by_external.id, last.id)
                       ELSE l.label_time = e.label_time END
            LIMIT 1
        ) AS repeated ON true
    ), judged AS MATERIALIZED (
        SELECT a.*, CASE WHEN a.refusal IS NULL AND a.known_id IS NULL AND a.size
                    + count(*) FILTER (WHERE a.refusal IS NULL AND a.known_id IS NULL) OVER (
                          PARTITION BY a.prediction_id ORDER BY a.place) > 1000
                    THEN 'TOO_MANY_LABELS' ELSE a.refusal END AS verdict
        FROM asked a
    ), added AS (
        INSERT INTO labels (id, prediction_id, model, label, source, annotator, adjudicated,
                            label_time, external_id, choice, weight, caller, request_id)
        SELECT a.id, a.prediction_id, a.model, a.label, a.source, a.annotator, a.adjudicated,
               -- After what it corrects, though the clock may have been put back.
               coalesce(a.label_time, greatest(a.now, a.last_time + interval '1 microsecond')),
               a.external_id, a.choice, a.weight, a.caller, a.request_id
        FROM judged a WHERE a.verdict IS NULL AND a.known_id IS NULL
        ON CONFLICT DO NOTHING
        RETURNING labels AS "row"
    )
    SELECT a.place,
           coalesce(a.verdict, CASE WHEN known.id IS NULL AND added."row" IS NULL THEN 'AGAIN' END),
           a.model, a.version, a.state, a.labels,
           CASE WHEN known.id IS NULL THEN added."row" ELSE known END,
           (added."row").id IS NOT NULL
    FROM judged a
    LEFT JOIN added ON (added."row").id = a.id
    LEFT JOIN labels known ON known.id = a.known_id AND a.verdict IS NULL;
END $$;

-- Whether a row says this.
CREATE OR REPLACE FUNCTION labels_v1.same(
    one public.labels, prediction_id uuid, label text, source label_source, annotator text
) RETURNS boolean LANGUAGE sql IMMUTABLE
    RETURN (one.prediction_id, one.label, one.source, one.annotator)
           IS NOT DISTINCT FROM (prediction_id, label, source, annotator);

-- Takes a label back, by a further row; its annotator has then said nothing. Answers with that row,
-- and with the one of before if it is withdrawn already. Null: there is no such label.
--
-- Errors: PM008 it has been corrected since.
CREATE OR REPLACE FUNCTION labels_v1.withdraw(label_id uuid, caller text) RETURNS public.labels
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '1s'
    SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_variable
DECLARE
    said labels;
    last labels;
BEGIN
    SELECT * INTO said FROM labels WHERE id = label_id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM FROM requests r WHERE r.id = said.prediction_id FOR NO KEY UPDATE;
    SELECT * INTO last FROM labels_v1.newest n
    WHERE n.prediction_id = said.prediction_id
      AND n.source = said.source AND n.annotator = said.annotator;
    IF last.label IS NULL THEN
        RETURN last;
    ELSIF last.id <> label_id THEN
        RAISE EXCEPTION 'the label % has been corrected', label_id USING ERRCODE = 'PM008';
    END IF;
    INSERT INTO labels (prediction_id, model, source, annotator, label_time, caller)
    VALUES (said.prediction_id, said.model, said.source, said.annotator,
            greatest(clock_timestamp(), last.label_time + interval '1 microsecond'), caller)
    RETURNING * INTO last;
    RETURN last;
END $$;
