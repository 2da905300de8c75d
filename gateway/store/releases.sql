-- name: hold_traffic
-- Keeps others from moving the traffic of a model: the history has the order of the moves.
SELECT FROM models WHERE id = %(model)s FOR UPDATE

-- name: insert_set_traffic
-- Notes that somebody sets a split by hand.
INSERT INTO releases (model, action, actor, reason, state, complete_time)
VALUES (%(model)s, 'SET_TRAFFIC', %(actor)s, %(reason)s, 'DONE', now())
RETURNING id

-- name: move_traffic
-- Replaces the split; the function belongs to the schema.
SELECT move_traffic(%(model)s, %(shares)s, %(release)s)

-- name: list_releases
-- Reads the history of a model, the newest first.
SELECT id::text, model, version, action::text, actor, reason, state::text, refusal, detail,
       traffic, create_time, complete_time
FROM releases
WHERE model = %(model)s AND (%(before_id)s::uuid IS NULL OR id < %(before_id)s::uuid)
ORDER BY id DESC LIMIT %(limit)s
