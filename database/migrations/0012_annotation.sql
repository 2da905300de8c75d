-- What was sent to Label Studio to be labelled by people, and how far its answers have been taken.

CREATE TABLE annotation_projects (
    model text PRIMARY KEY REFERENCES models (id) ON DELETE CASCADE,
    project bigint,                 -- Label Studio's id of it; null: it is still to be made
    labels text[] NOT NULL DEFAULT '{}',  -- of its labelling interface
    through timestamptz,            -- changes up to this one, by Label Studio's clock, were taken
    full_look_time timestamptz,     -- when all of its tasks were last looked at
    considered uuid                 -- answers up to this one have had their chance to be chosen
);

INSERT INTO annotation_projects (model) SELECT id FROM models;

CREATE FUNCTION add_annotation_project() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO annotation_projects (model) VALUES (NEW.id);
    RETURN NULL;
END $$;

CREATE TRIGGER add_annotation_project AFTER INSERT ON models
    FOR EACH ROW EXECUTE FUNCTION add_annotation_project();

-- A prediction is sent once. Its row is there before its task is, and goes after it: so a text that
-- is in Label Studio is always known here.
CREATE TABLE annotation_tasks (
    prediction_id uuid PRIMARY KEY,
    model text NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    project bigint NOT NULL,
    task bigint,                    -- Label Studio's id of it; null: whether it is there is not known
    choice text NOT NULL,           -- how it was chosen: 'uncertain', 'drifted', 'control'
    weight double precision NOT NULL CHECK (weight >= 1),  -- 1 / the probability of that
    state text NOT NULL CHECK (state IN ('SENDING', 'SENT', 'REMOVING', 'REMOVED')),
    choose_time timestamptz NOT NULL DEFAULT now(),
    send_time timestamptz,          -- when it was last begun to send it; null: never
    CHECK (state <> 'SENT' OR task IS NOT NULL)
);

COMMENT ON COLUMN annotation_tasks.state IS
    'SENDING: it is to be sent, or on its way. SENT: it is in Label Studio. REMOVING: its prediction was erased, or is as'
    ' old as predictions get: it is to be deleted there, and then here. REMOVED: somebody has'
    ' deleted it in Label Studio; what was said of it stays, and it is not sent again.';

CREATE UNIQUE INDEX annotation_tasks_by_task ON annotation_tasks (project, task);
CREATE INDEX annotation_tasks_open ON annotation_tasks (state, project)
    WHERE state IN ('SENDING', 'REMOVING');

CREATE FUNCTION remove_erased_tasks() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE annotation_tasks SET state = 'REMOVING' WHERE prediction_id = NEW.id;
    RETURN NULL;
END $$;

-- Of a column that only an erasure writes: no other statement of the record pays for it.
CREATE TRIGGER remove_erased_tasks AFTER UPDATE OF erase_time ON requests
    FOR EACH ROW WHEN (NEW.erase_time IS NOT NULL) EXECUTE FUNCTION remove_erased_tasks();
