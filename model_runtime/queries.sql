-- name: model
-- Reads which model this login is for.
SELECT worker_v1.model()

-- name: claim
-- Claims requests of the model that this login is for.
SELECT id::text, outcome, version, token::text, text, labels, coalesce(address, ''), attempt
FROM worker_v1.claim(%(ids)s::uuid[], make_interval(secs => %(lease_s)s), %(max_attempts)s)

-- name: extend
-- Renews claims, or gives them back; answers with the ids that are still ours.
SELECT id::text
FROM worker_v1.extend(%(ids)s::uuid[], %(tokens)s::uuid[], make_interval(secs => %(lease_s)s),
                      untried => %(untried)s) AS e (id)
