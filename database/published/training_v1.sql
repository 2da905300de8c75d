-- What training sees of the record: predictions that somebody has labelled, and their texts.
CREATE SCHEMA IF NOT EXISTS training_v1;

-- The labels that count, of a model's predictions that were asked for since a time (null: ever),
-- with all who labelled them. What its person had erased has no text, and is left to its ids.
CREATE OR REPLACE FUNCTION training_v1.labelled(for_model text, since timestamptz) RETURNS TABLE (
    prediction_id uuid, label text, source text, annotators text[], choice text, weight float8,
    label_time timestamptz
)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT d.prediction_id, d.label, d.source::text,
           ARRAY(SELECT DISTINCT n.annotator FROM labels_v1.newest n
                 WHERE n.prediction_id = d.prediction_id AND n.model = d.model
                   AND n.label IS NOT NULL
                 ORDER BY n.annotator),
           d.choice, d.weight, d.update_time
    FROM labels_v1.decided d
    WHERE d.model = for_model AND (since IS NULL OR d.prediction_id >= uuid_at(since))
    ORDER BY d.prediction_id
$$;

-- The texts of predictions that have been labelled; not of those that are gone or were erased.
CREATE OR REPLACE FUNCTION training_v1.texts(ids uuid[]) RETURNS TABLE (id uuid, text text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- only with the ids at hand, days are left out
    AS $$
    SELECT r.id, r.text
    FROM requests r
    WHERE r.id = ANY (ids) AND r.erase_time IS NULL AND r.text <> ''
      AND EXISTS (SELECT FROM labels l WHERE l.prediction_id = r.id)
$$;

-- Takes the oldest training that was asked for, of a model or ('') of any, and that nobody is at: it
-- is its holder's while that connection lives, and then is taken again. No row: there is none.
CREATE OR REPLACE FUNCTION training_v1.take(for_model text, new_holder public.backend)
    RETURNS SETOF public.retrainings
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE retrainings
    SET state = 'RUNNING', holder = new_holder, start_time = coalesce(start_time, now())
    WHERE id = (
        SELECT id FROM retrainings
        WHERE complete_time IS NULL AND for_model IN ('', model)
          AND (holder IS NULL OR NOT rollout_v1.lives(holder))
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING *
$$;

-- Ends a training that this session has taken: with the version that it registered, or with why
-- there is none.
CREATE OR REPLACE FUNCTION training_v1.finish(retraining uuid, made text, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE retrainings
    SET state = CASE WHEN made <> '' THEN 'SUCCEEDED' ELSE 'FAILED' END,
        version = made, error = why, complete_time = clock_timestamp(), holder = NULL
    WHERE id = retraining AND state = 'RUNNING';
END $$;

-- Asks for a training of a model, or answers with the one that is asked for already. Null: there is
-- no such model.
CREATE OR REPLACE FUNCTION training_v1.request(for_model text, actor text)
    RETURNS public.retrainings
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    found retrainings;
BEGIN
    LOOP
        INSERT INTO retrainings (model, actor)
        SELECT m.id, actor FROM models m WHERE m.id = for_model
        ON CONFLICT (model) WHERE complete_time IS NULL DO NOTHING
        RETURNING * INTO found;
        EXIT WHEN found.id IS NOT NULL;
        SELECT * INTO found FROM retrainings r
        WHERE r.model = for_model AND r.complete_time IS NULL;
        EXIT WHEN found.id IS NOT NULL OR NOT EXISTS (SELECT FROM models WHERE id = for_model);
    END LOOP;
    RETURN CASE WHEN found.id IS NOT NULL THEN found END;
END $$;
