-- name: lock
-- Only one process releases or tidies up a model at a time; the lock ends with its connection.
INSERT INTO release_locks AS l (model, holder) VALUES (%(model)s, rollout_v1.this_backend())
ON CONFLICT (model) DO UPDATE SET holder = excluded.holder
WHERE NOT rollout_v1.lives(l.holder)
RETURNING true

-- name: unlock
-- Gives the lock back, and tells whoever would not wait for it.
WITH given_back AS (
    DELETE FROM release_locks WHERE model = %(model)s AND holder = rollout_v1.this_backend()
    RETURNING model)
SELECT pg_notify('release_due', '') FROM given_back

-- name: labels
-- Reads the labels of a model, in the order that its clients know.
SELECT labels FROM models WHERE id = %(model)s AND listed

-- name: models
-- Reads the ids of all models.
SELECT id FROM models WHERE listed ORDER BY id

-- name: hold_traffic
-- Keeps others from moving the traffic of a model, until the transaction ends.
SELECT releases_v1.hold(%(model)s)

-- name: champion
-- Reads which version has the greatest share.
SELECT releases_v1.champion(%(model)s)

-- name: create_release
-- Asks for a release that takes all the traffic at once.
SELECT releases_v1.create_release(
    %(model)s, %(version)s, '{10000}', '0', NULL, %(actor)s, %(reason)s, '', NULL)

-- name: models_due
-- Reads the models of which a version is to be brought in, and that no process works on.
SELECT DISTINCT model FROM releases r
WHERE state = 'RUNNING' AND next_step_time <= now() AND steps_done = 0
  AND NOT EXISTS (SELECT FROM release_locks l
                  WHERE l.model = r.model AND rollout_v1.lives(l.holder))

-- name: next_order
-- Reads the oldest release of a model whose version is to be brought in.
SELECT id::text, version, quality_margin FROM releases
WHERE model = %(model)s AND state = 'RUNNING' AND next_step_time <= now() AND steps_done = 0
ORDER BY id LIMIT 1

-- name: steps_due
-- Reads the releases whose next step is due, once their version serves.
SELECT id::text, model, version FROM releases
WHERE state = 'RUNNING' AND next_step_time <= now() AND steps_done > 0
ORDER BY id

-- name: next_step_s
-- Reads in how many seconds the next step will be due.
SELECT extract(epoch FROM min(next_step_time) - now())::float FROM releases
WHERE state = 'RUNNING' AND next_step_time > now()

-- name: take_up
-- Notes that a release is being carried out, and answers with how often that was begun; no row if it
-- was paused or has ended.
UPDATE releases SET waiting = NULL, attempts = attempts + 1
WHERE id = %(release)s AND state = 'RUNNING' AND next_step_time IS NOT NULL
RETURNING attempts

-- name: take_step
-- Gives a release's version its next share, if that is due: whether it was.
SELECT releases_v1.take_step(%(release)s)

-- name: note
-- Notes what was found out about a version.
UPDATE releases SET detail = %(detail)s WHERE id = %(release)s

-- name: end
-- Notes what became of it.
UPDATE releases
SET state = %(state)s, refusal = %(refusal)s, detail = %(detail)s, passes = %(passes)s,
    complete_time = now()
WHERE id = %(release)s AND state = 'RUNNING'

-- name: interrupt
-- Ends what a process of before has left running when it died.
UPDATE releases
SET state = 'INTERRUPTED', detail = 'its process ended', complete_time = now()
WHERE model = %(model)s AND state = 'RUNNING'
  AND rollout_v1.lives(holder) IS NOT TRUE
RETURNING version

-- name: set_version
-- Puts a version into a state; with labels, it is a version anew, else what is known of it stays.
INSERT INTO versions (model, version, state, sha256, labels, address)
VALUES (%(model)s, %(version)s, %(state)s, coalesce(%(sha256)s, ''),
        coalesce(%(labels)s::text[], '{}'), %(address)s)
ON CONFLICT (model, version) DO UPDATE
SET state = excluded.state, update_time = now(),
    sha256 = CASE WHEN %(labels)s::text[] IS NULL
                  THEN coalesce(%(sha256)s, versions.sha256) ELSE excluded.sha256 END,
    labels = coalesce(%(labels)s, versions.labels),
    address = CASE WHEN %(labels)s::text[] IS NULL
                   THEN coalesce(%(address)s, versions.address) ELSE excluded.address END

-- name: version_state
-- Reads the state of a version.
SELECT state::text FROM versions WHERE model = %(model)s AND version = %(version)s

-- name: versions_at
-- Reads the versions of a model that one server of others answers for.
SELECT version FROM versions
WHERE model = %(model)s AND address = %(address)s AND state IN ('SERVING', 'DRAINING')
ORDER BY version::bigint

-- name: versions_in
-- Reads the versions of a model that are in one of some states.
SELECT version FROM versions
WHERE model = %(model)s AND state::text = ANY (%(states)s) ORDER BY version::bigint

-- name: notify
-- Tells the gateways to read the catalog again.
SELECT pg_notify('catalog_changed', '')

-- name: drain_unused
-- Takes new work from the versions that serve, have no traffic and are no way back.
UPDATE versions SET state = 'DRAINING', update_time = now()
WHERE model = %(model)s AND state = 'SERVING'
  AND version <> ALL ((SELECT releases_v1.kept(%(model)s))::text[])
RETURNING version

-- name: drained
-- Reads the versions that have rested long enough, and have no work left.
SELECT version FROM versions v
WHERE model = %(model)s AND state = 'DRAINING'
  AND update_time < now() - %(drain_s)s * interval '1 s'
  AND NOT EXISTS (SELECT FROM requests r
                  WHERE r.id >= %(since)s::uuid AND r.model = v.model AND r.version = v.version
                    AND r.state IN ('ACCEPTED', 'RUNNING'))

-- name: alias
-- Reads where an alias pointed at the last look, where it was being moved, and what became of the
-- release that its last move has asked for.
SELECT a.version, a.pending, coalesce(r.state::text, '') AS state,
       coalesce(r.passes, false) AS passes,
       coalesce(extract(epoch FROM now() - r.complete_time)::float, 0) AS ended_s
FROM aliases a LEFT JOIN releases r ON r.id = a.release
WHERE a.model = %(model)s AND a.alias = %(alias)s

-- name: set_alias
-- Notes where an alias points, if it is known, where it is being moved, and what that has asked for.
INSERT INTO aliases (model, alias, version, pending, release)
VALUES (%(model)s, %(alias)s, coalesce(%(version)s, ''), %(pending)s, %(release)s)
ON CONFLICT (model, alias) DO UPDATE
SET version = coalesce(%(version)s, aliases.version), pending = excluded.pending,
    release = excluded.release

-- name: texts
-- Finds the texts of labelled predictions that are still there.
SELECT id, text FROM training_v1.texts(%(ids)s)

-- name: releases_by_state
-- Counts the releases of each model by their states, those that none is in as well.
SELECT m.id, s.state::text, count(r.id)
FROM models m
CROSS JOIN unnest(enum_range(NULL::release_state)) AS s (state)
LEFT JOIN releases r ON r.model = m.id AND r.state = s.state
WHERE m.listed
GROUP BY m.id, s.state ORDER BY m.id, s.state

-- name: versions_by_state
-- Counts the versions of each model, likewise.
SELECT m.id, s.state::text, count(v.version)
FROM models m
CROSS JOIN unnest(enum_range(NULL::version_state)) AS s (state)
LEFT JOIN versions v ON v.model = m.id AND v.state = s.state
WHERE m.listed
GROUP BY m.id, s.state ORDER BY m.id, s.state
