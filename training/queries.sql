-- name: labelled
-- The labels that count of a model's predictions, without their texts.
SELECT prediction_id, label, source, annotators, choice, weight, label_time
FROM training_v1.labelled(%(model)s, %(since)s)

-- name: texts
-- The texts of labelled predictions that are still there.
SELECT id, text FROM training_v1.texts(%(ids)s)

-- name: take
-- Takes the oldest training that was asked for, of a model or of any, and that nobody is at.
SELECT id, model FROM training_v1.take(%(model)s, rollout_v1.this_backend())

-- name: finish
-- Ends a training that was taken.
SELECT training_v1.finish(%(id)s, %(version)s, %(error)s)

-- name: request
-- Asks for a training of a model, or finds the one that is asked for already.
SELECT id, model, actor, state, version, error, create_time
FROM training_v1.request(%(model)s, %(actor)s) WHERE id IS NOT NULL

-- name: list
-- The newest trainings that were asked for.
SELECT id, model, actor, state, version, error, create_time
FROM retrainings ORDER BY id DESC LIMIT %(limit)s

-- name: waiting
-- Counts the trainings of each model, or of one, that nobody has begun.
SELECT m.id, count(r.id)
FROM models m LEFT JOIN retrainings r ON r.model = m.id AND r.state = 'REQUESTED'
WHERE %(model)s IN ('', m.id)
GROUP BY m.id
