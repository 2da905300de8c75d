-- name: attach
-- Adds labels; for each, by its place, why it is refused, or whether it is new and the row as it is.
SELECT place, refusal, model, version, state::text, known_labels, added,
       ("row").id::text, ("row").prediction_id::text, ("row").model, ("row").label,
       ("row").source::text, ("row").annotator, ("row").adjudicated, ("row").label_time,
       ("row").create_time, ("row").external_id, ("row").choice, ("row").weight
FROM labels_v1.attach(%(said)s::json)

-- name: withdraw
-- Takes a label back; no row: there is no such label.
SELECT id::text, prediction_id::text, model, label, source::text, annotator, adjudicated,
       label_time, create_time, external_id, choice, weight
FROM labels_v1.withdraw(%(id)s::uuid, %(caller)s) WHERE id IS NOT NULL

-- name: origin
-- Reads what a label is of, and who gave it.
SELECT model, caller FROM labels WHERE id = %(id)s::uuid

-- name: search_labels
-- Reads a page of labels, the last recorded first.
SELECT l.id::text, l.prediction_id::text, l.model, l.label, l.source::text, l.annotator,
       l.adjudicated, l.label_time, l.create_time, l.external_id, l.choice, l.weight
FROM labels l
WHERE (%(prediction_id)s::uuid IS NULL OR l.prediction_id = %(prediction_id)s)
  AND (%(model)s::text IS NULL OR l.model = %(model)s)
  AND (%(models)s::text[] IS NULL OR l.model = ANY (%(models)s))
  AND (%(source)s::label_source IS NULL OR l.source = %(source)s)
  AND (%(annotator)s::text IS NULL OR l.annotator = %(annotator)s)
  -- An id is made up to a moment before its create_time.
  AND (%(start_time)s::timestamptz IS NULL
       OR l.id >= uuid_at(%(start_time)s - interval '1 s') AND l.create_time >= %(start_time)s)
  AND (%(end_time)s::timestamptz IS NULL
       OR l.id < uuid_at(%(end_time)s + interval '1 s') AND l.create_time < %(end_time)s)
  AND (%(before_id)s::uuid IS NULL OR l.id < %(before_id)s)
  AND (%(with_history)s
       -- Looked up for each: most pages are a small part of the table.
       OR l.label IS NOT NULL AND (
           SELECT later.id FROM labels later
           WHERE later.prediction_id = l.prediction_id
             AND later.source = l.source AND later.annotator = l.annotator
             AND (later.label_time, later.id) > (l.label_time, l.id)
           LIMIT 1) IS NULL)
ORDER BY l.id DESC LIMIT %(limit)s

-- name: decided
-- Reads the labels that count for predictions.
SELECT prediction_id::text, label, source::text, annotators, update_time
FROM labels_v1.decided WHERE prediction_id = ANY (%(ids)s::uuid[])
