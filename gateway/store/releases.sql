-- name: set_traffic
-- Replaces the split of a model's requests, and notes who did it and why.
SELECT gateway_v1.set_traffic(%(model)s, %(shares)s, %(actor)s, %(reason)s)

-- name: list_releases
-- Reads the history of a model, the newest first.
SELECT id::text, model, version, action::text, actor, reason, state::text, refusal, detail,
       traffic, create_time, complete_time
FROM releases
WHERE model = %(model)s AND (%(before_id)s::uuid IS NULL OR id < %(before_id)s::uuid)
ORDER BY id DESC LIMIT %(limit)s
