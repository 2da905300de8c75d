-- name: models
-- Reads the models that are listed.
SELECT id FROM models WHERE listed ORDER BY id

-- name: unconsidered
-- Reads the times between which a model may have answers that were not considered yet and that no
-- other will come between, and the newest that was considered.
SELECT greatest(now() - m.retention_days * interval '1 day', uuid_extract_timestamp(a.considered)),
       annotation_v1.settled_until(m.id, %(since)s, %(settling)s), a.considered::text
FROM models m JOIN annotation_projects a ON a.model = m.id
WHERE m.id = %(model)s

-- name: labels
-- Reads what a model can be answered with: its labels, and those of the versions that serve.
SELECT m.labels || coalesce((
    SELECT array_agg(DISTINCT label)
    FROM catalog_v1.versions v CROSS JOIN LATERAL unnest(v.labels) AS label
    WHERE v.model = m.id AND v.state IN ('SERVING', 'DRAINING') AND label <> ALL (m.labels)
), '{}') FROM models m WHERE m.id = %(model)s

-- name: project
-- Reads a model's project, and whether it is time to look at all of its tasks.
SELECT project, labels, through,
       coalesce(full_look_time <= now() - interval '1 hour', true)
FROM annotation_projects WHERE model = %(model)s

-- name: hold_project
-- Has others who look at it wait until the transaction ends.
SELECT FROM annotation_projects WHERE model = %(model)s FOR UPDATE

-- name: set_project
-- Notes a model's project, and the labels of its interface.
UPDATE annotation_projects SET project = %(project)s, labels = %(labels)s WHERE model = %(model)s

-- name: forget_project
-- Notes that a model's project is gone, with all tasks that were in it; of another Label Studio, with
-- new data, the next one and its tasks may have the same ids.
WITH gone AS (
    UPDATE annotation_projects SET project = NULL, labels = '{}', through = NULL,
        full_look_time = NULL
    WHERE model = %(model)s RETURNING OLD.project
), unsent AS (
    DELETE FROM annotation_tasks t USING gone
    WHERE t.project = gone.project AND t.state = 'SENDING'
)
UPDATE annotation_tasks t
SET task = NULL, state = CASE t.state WHEN 'SENT' THEN 'REMOVED' ELSE t.state END
FROM gone WHERE t.project = gone.project AND t.state <> 'SENDING'

-- name: set_through
-- Notes that all changes up to one were taken.
UPDATE annotation_projects SET through = greatest(through, %(through)s) WHERE model = %(model)s

-- name: note_full_look
-- Notes that all tasks were looked at, and so all changes up to one were taken.
UPDATE annotation_projects
SET full_look_time = now(), through = greatest(through, %(through)s) WHERE model = %(model)s

-- name: candidates
-- Reads what may be sent of a window, the newest first.
SELECT * FROM annotation_v1.candidates(%(model)s, %(start)s, %(end)s, %(most)s)

-- name: choose
-- Notes what was chosen, and among which.
SELECT annotation_v1.choose(%(model)s, %(project)s, %(chosen)s, %(considered)s)

-- name: begin_sending
-- Takes some of what is to be sent.
SELECT * FROM annotation_v1.begin_sending(%(project)s, %(age)s, %(most)s)

-- name: yield_task
-- Notes that a task's id is another prediction's now: Label Studio has new data, or older ones.
UPDATE annotation_tasks
SET task = NULL, state = CASE state WHEN 'SENT' THEN 'REMOVED' ELSE state END
WHERE project = %(project)s AND task = %(task)s AND prediction_id <> %(prediction_id)s

-- name: confirm
-- Notes which task a prediction has. One that is to be removed stays so.
UPDATE annotation_tasks
SET task = %(task)s, state = CASE state WHEN 'SENDING' THEN 'SENT' ELSE state END
WHERE prediction_id = %(prediction_id)s AND project = %(project)s AND task IS NULL

-- name: remove_old
-- Marks the tasks of predictions that are as old as predictions get.
SELECT annotation_v1.remove_old()

-- name: removing
-- Reads what is to be deleted; what may still be on its way there, not yet.
SELECT prediction_id::text, project FROM annotation_tasks
WHERE state = 'REMOVING'
  AND (task IS NOT NULL OR coalesce(send_time < now() - %(age)s::interval, true))
ORDER BY prediction_id LIMIT %(most)s

-- name: forgotten
-- Reads which predictions of these are not known any more.
SELECT id::text FROM annotation_v1.forgotten(%(ids)s) AS id

-- name: forget_removed
-- Forgets a task that is deleted.
DELETE FROM annotation_tasks WHERE prediction_id = %(prediction_id)s

-- name: note_missing
-- Marks the tasks within a range of ids that are none of these; with no last one, it has no end.
UPDATE annotation_tasks SET state = 'REMOVED'
WHERE project = %(project)s AND state = 'SENT' AND task > %(after)s
  AND (%(last)s::bigint IS NULL OR task <= %(last)s) AND task <> ALL (%(tasks)s::bigint[])

-- name: take
-- Makes labels of what is said in a task; no row if it is none of ours.
SELECT * FROM annotation_v1.take(%(project)s, %(task)s, %(prediction_id)s, %(said)s)

-- name: said_by_several
-- Reads what people said of predictions that several of them labelled.
SELECT * FROM annotation_v1.said_by_several(%(model)s)

-- name: counts
-- Reads how many predictions of a model are where.
SELECT state, count(*) FROM annotation_tasks WHERE model = %(model)s GROUP BY state
