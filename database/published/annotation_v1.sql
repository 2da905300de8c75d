-- What the annotation program sees of predictions, and the one way by which what was said of them
-- in Label Studio becomes labels.
CREATE SCHEMA IF NOT EXISTS annotation_v1;

-- The time before which no answer of a model is to come any more that was no candidate yet: that of
-- its oldest unfinished request, or so long ago, as a request is recorded later than its id is made.
-- since: the id from which on all unfinished ones are.
CREATE OR REPLACE FUNCTION annotation_v1.settled_until(
    for_model text, since uuid, settling interval
) RETURNS timestamptz
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- only with the id at hand, days are left out
    AS $$
DECLARE
    after_id uuid := greatest(since, (
        SELECT a.considered FROM annotation_projects a WHERE a.model = for_model));
    oldest timestamptz;
BEGIN
    WITH unfinished AS MATERIALIZED (  -- by their own index
        SELECT r.id FROM requests r
        WHERE r.model = for_model AND r.state IN ('ACCEPTED', 'RUNNING') AND r.id > after_id
    )
    SELECT min(uuid_extract_timestamp(u.id)) INTO oldest FROM unfinished u;
    RETURN least(now() - settling, oldest);
END $$;

-- Answers of a model in a window that nobody has labelled and that were not candidates before, the
-- newest first. drifted: whether the hour of its version has drifted, as a whole or in a slice
-- that it is in; the thresholds are those of monitoring/drift.py.
CREATE OR REPLACE FUNCTION annotation_v1.candidates(
    for_model text, from_time timestamptz, to_time timestamptz, most integer
) RETURNS TABLE (prediction_id uuid, version text, text text, scores jsonb, drifted boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- only with the times at hand, days are left out
    AS $$
#variable_conflict use_column
DECLARE
    after_id uuid := coalesce(
        (SELECT a.considered FROM annotation_projects a WHERE a.model = for_model), uuid_at('epoch'));
BEGIN
    RETURN QUERY
    WITH drift AS MATERIALIZED (
        SELECT DISTINCT q.version, q.hour, q.slice
        FROM quality_metrics q
        WHERE q.model = for_model
          AND q.hour >= date_trunc('hour', from_time, 'UTC') AND q.hour < to_time
          AND q.low > CASE WHEN q.metric IN ('label_drift', 'confidence_drift', 'length_drift',
                                             'features_drift') THEN 0.1
                           WHEN q.metric = 'vocabulary_drift' THEN 0.02 END
    ), answer AS (
        SELECT r.id, r.version, r.text, r.tags, p.scores
        FROM requests r
        JOIN predictions p
            ON p.id = r.id AND p.id >= uuid_at(from_time) AND p.id < uuid_at(to_time)
        WHERE r.model = for_model AND r.state = 'SUCCEEDED' AND r.erase_time IS NULL
          AND r.id >= uuid_at(from_time) AND r.id < uuid_at(to_time)
          AND r.id > after_id AND p.id > after_id
          AND NOT EXISTS (SELECT FROM labels l WHERE l.prediction_id = r.id)
        ORDER BY r.id DESC LIMIT most
    )
    SELECT a.id, a.version, a.text, a.scores, EXISTS (
        SELECT FROM drift d
        WHERE d.version = a.version
          AND d.hour = date_trunc('hour', uuid_extract_timestamp(a.id), 'UTC')
          AND CASE WHEN d.slice = '' THEN true
                   WHEN d.slice LIKE 'tag:%' THEN EXISTS (
                       SELECT FROM jsonb_each_text(a.tags) AS tag
                       WHERE d.slice = 'tag:' || tag.key || '=' || tag.value)
                   WHEN d.slice LIKE 'length:%'
                   THEN d.slice = monitoring_v1.length_slice(length(a.text))
                   WHEN d.slice LIKE 'script:%'
                   THEN d.slice = 'script:' || monitoring_v1.script(a.text)
              END)
    FROM answer a ORDER BY a.id DESC;
END $$;

-- Notes which predictions were chosen to be sent: `chosen` is an array of objects with
-- prediction_id, choice and weight. What was erased or labelled meanwhile is left out. `considered`
-- is the newest of those among which they were chosen. Answers with how many are noted.
CREATE OR REPLACE FUNCTION annotation_v1.choose(
    for_model text, to_project bigint, chosen json, considered uuid
) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- only with the ids at hand, days are left out
    AS $$
#variable_conflict use_variable
DECLARE
    ids uuid[] := ARRAY(
        SELECT c.prediction_id FROM json_to_recordset(chosen) AS c (prediction_id uuid));
    noted bigint;
BEGIN
    -- An erasure that comes now waits, and then finds the rows.
    PERFORM FROM requests r WHERE r.id = ANY (ids) ORDER BY r.id FOR NO KEY UPDATE;
    INSERT INTO annotation_tasks (prediction_id, model, project, choice, weight, state)
    SELECT r.id, r.model, to_project, c.choice, c.weight, 'SENDING'
    FROM json_to_recordset(chosen) AS c (prediction_id uuid, choice text, weight float8)
    JOIN requests r ON r.id = c.prediction_id
    WHERE r.id = ANY (ids) AND r.model = for_model AND r.state = 'SUCCEEDED'
      AND r.erase_time IS NULL
      AND NOT EXISTS (SELECT FROM labels l WHERE l.prediction_id = r.id)
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS noted = ROW_COUNT;
    UPDATE annotation_projects a SET considered = greatest(a.considered, choose.considered)
    WHERE a.model = for_model;
    RETURN noted;
END $$;

-- Takes some of those that are to be sent to a project, each one's last try having begun so long
-- ago, and notes that they are tried now. Where there was one, they may be there already.
CREATE OR REPLACE FUNCTION annotation_v1.begin_sending(
    to_project bigint, last_try interval, most integer
) RETURNS TABLE (
    prediction_id uuid, version text, text text, label text, confidence float8, was_tried boolean
)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- only with the ids at hand, days are left out
    AS $$
#variable_conflict use_column
DECLARE
    taken uuid[];
    tried uuid[];
BEGIN
    WITH due AS (
        SELECT t.prediction_id, t.send_time FROM annotation_tasks t
        WHERE t.project = to_project AND t.state = 'SENDING'
          AND (t.send_time IS NULL OR t.send_time < now() - last_try)
        ORDER BY t.prediction_id LIMIT most FOR UPDATE SKIP LOCKED
    ), begun AS (
        UPDATE annotation_tasks t SET send_time = now() FROM due
        WHERE t.prediction_id = due.prediction_id
        RETURNING t.prediction_id, due.send_time
    )
    SELECT coalesce(array_agg(b.prediction_id), '{}'),
           coalesce(array_agg(b.prediction_id) FILTER (WHERE b.send_time IS NOT NULL), '{}')
    INTO taken, tried FROM begun b;
    IF taken = '{}' THEN
        RETURN;  -- to look for none opens each day
    END IF;
    RETURN QUERY
    SELECT r.id, r.version, r.text, p.label, p.confidence, r.id = ANY (tried)
    FROM requests r JOIN predictions p ON p.id = r.id
    WHERE r.id = ANY (taken) AND p.id = ANY (taken) AND r.erase_time IS NULL
    ORDER BY r.id;
END $$;

-- Makes labels of what is said in a task now: `said` is an array of objects with label, annotator,
-- adjudicated, label_time and external_id, one for each annotator. Who has said something else
-- before is corrected, and who says nothing any more is withdrawn, so that to do it again changes
-- nothing. Answers with how many labels were added and withdrawn, and why some were refused, as
-- ErrorReason has it without its prefix; with no row, if the task is none of ours, or has another
-- prediction. A task that was thought to be gone, and is there, is one of ours again.
CREATE OR REPLACE FUNCTION annotation_v1.take(
    in_project bigint, of_task bigint, prediction text, said json
) RETURNS TABLE (added integer, withdrawn integer, refusals text[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s'
    SET plan_cache_mode = force_custom_plan  -- only with the id at hand, days are left out
    AS $$
#variable_conflict use_variable
DECLARE
    sent annotation_tasks;
    entries json;
BEGIN
    SELECT * INTO sent FROM annotation_tasks t
    WHERE t.project = in_project AND t.prediction_id::text = prediction
      AND t.state IN ('SENT', 'REMOVED')
      AND (t.task = of_task OR t.task IS NULL);  -- null: its project was gone
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF sent.state = 'REMOVED' THEN
        -- Whose task had this id is gone: Label Studio has older data again.
        UPDATE annotation_tasks t
        SET task = NULL, state = CASE t.state WHEN 'SENT' THEN 'REMOVED' ELSE t.state END
        WHERE t.project = in_project AND t.task = of_task
          AND t.prediction_id <> sent.prediction_id;
        UPDATE annotation_tasks t SET state = 'SENT', task = of_task
        WHERE t.prediction_id = sent.prediction_id AND t.state = 'REMOVED';
    END IF;
    PERFORM FROM requests r WHERE r.id = sent.prediction_id FOR NO KEY UPDATE;

    SELECT coalesce(json_agg(json_build_object(
        'place', e.place, 'prediction_id', sent.prediction_id, 'label', e.label,
        'source', 'LABEL_STUDIO', 'annotator', e.annotator, 'adjudicated', e.adjudicated,
        -- Label Studio's clock is another one: what is seen later was said later, and not ahead.
        'label_time', greatest(least(e.label_time, clock_timestamp()),
                               last.label_time + interval '1 microsecond'),
        -- One that comes back after it was gone, unchanged, is a row of its own.
        'external_id', CASE WHEN NOT EXISTS (
            SELECT FROM labels l
            WHERE l.source = 'LABEL_STUDIO' AND l.external_id = e.external_id
        ) THEN e.external_id END,
        'choice', sent.choice, 'weight', sent.weight, 'caller', '')), '[]')
    INTO entries
    FROM (
        SELECT row_number() OVER () AS place, j.*
        FROM json_to_recordset(said) AS j (
            label text, annotator text, adjudicated boolean, label_time timestamptz,
            external_id text)
    ) AS e
    LEFT JOIN labels_v1.newest last
        ON last.prediction_id = sent.prediction_id AND last.source = 'LABEL_STUDIO'
           AND last.annotator = e.annotator
    WHERE (last.label, last.adjudicated) IS DISTINCT FROM (e.label, e.adjudicated);

    SELECT count(*) FILTER (WHERE a.refusal IS NULL)::integer,
           coalesce(array_agg(a.refusal) FILTER (WHERE a.refusal IS NOT NULL), '{}')
    INTO added, refusals
    FROM labels_v1.attach(entries) AS a;

    -- Those who are not among them, and those of whose words the last was refused.
    SELECT count(labels_v1.withdraw(n.id, ''))::integer INTO withdrawn
    FROM labels_v1.newest n
    WHERE n.prediction_id = sent.prediction_id AND n.source = 'LABEL_STUDIO'
      AND n.label IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM json_to_recordset(said) AS j (label text, annotator text)
          WHERE j.annotator = n.annotator AND j.label = n.label);
    RETURN NEXT;
END $$;

-- Those of these ids that no text may be in Label Studio of, and that nothing here would delete there:
-- the prediction is erased or gone, and so is the row of its task.
CREATE OR REPLACE FUNCTION annotation_v1.forgotten(ids uuid[]) RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- only with the ids at hand, days are left out
    AS $$
BEGIN
    RETURN QUERY
    SELECT id FROM unnest(ids) AS id
    EXCEPT SELECT r.id FROM requests r WHERE r.id = ANY (ids) AND r.erase_time IS NULL
    EXCEPT SELECT t.prediction_id FROM annotation_tasks t WHERE t.prediction_id = ANY (ids);
END $$;

-- Marks the tasks of predictions that are as old as predictions get.
CREATE OR REPLACE FUNCTION annotation_v1.remove_old() RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE annotation_tasks t SET state = 'REMOVING'
    FROM models m
    WHERE m.id = t.model AND t.state <> 'REMOVING'
      AND t.prediction_id < uuid_at(now() - m.retention_days * interval '1 day')
$$;

-- What people said in Label Studio of a model's predictions that several of them labelled: labels
-- with how many said each, and how many predictions have just these.
CREATE OR REPLACE FUNCTION annotation_v1.said_by_several(for_model text)
    RETURNS TABLE (said jsonb, predictions bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT one.said, count(*)
    FROM (
        SELECT each.prediction_id, jsonb_object_agg(each.label, each.annotators) AS said
        FROM (
            SELECT n.prediction_id, n.label, count(*) AS annotators
            FROM labels_v1.newest n
            WHERE n.model = for_model AND n.source = 'LABEL_STUDIO' AND n.label IS NOT NULL
            GROUP BY 1, 2
        ) AS each
        GROUP BY 1 HAVING sum(each.annotators) > 1
    ) AS one
    GROUP BY 1;
END $$;
