-- name: lock
-- Only one process releases or tidies up a model at a time; the lock ends with its connection.
SELECT pg_try_advisory_lock(hashtextextended('release ' || %(model)s, 0))

-- name: unlock
-- Gives the lock back.
SELECT pg_advisory_unlock(hashtextextended('release ' || %(model)s, 0))

-- name: labels
-- Reads the labels of a model, in the order that its clients know.
SELECT labels FROM models WHERE id = %(model)s AND listed

-- name: models
-- Reads the ids of all models.
SELECT id FROM models WHERE listed ORDER BY id

-- name: hold_traffic
-- Keeps others from moving the traffic of a model, until the transaction ends.
SELECT FROM models WHERE id = %(model)s FOR UPDATE

-- name: traffic
-- Reads the present split.
SELECT coalesce(jsonb_object_agg(version, percent), '{}') FROM traffic WHERE model = %(model)s

-- name: begin
-- Notes that something is asked of a model's traffic.
INSERT INTO releases (model, version, action, actor, reason, state)
VALUES (%(model)s, %(version)s, %(action)s, %(actor)s, %(reason)s, 'RUNNING')
RETURNING id

-- name: hold
-- Shows that the release is not abandoned, until `let_go` or the end of the connection.
SELECT pg_advisory_lock(hashtextextended('run ' || %(release)s, 0))

-- name: let_go
-- Its process is done with the release.
SELECT pg_advisory_unlock(hashtextextended('run ' || %(release)s, 0))

-- name: end
-- Notes what became of it.
UPDATE releases
SET state = %(state)s, refusal = %(refusal)s, detail = %(detail)s, complete_time = now()
WHERE id = %(release)s AND state = 'RUNNING'

-- name: is_running
-- Reads whether a release still goes on: another one may have taken over.
SELECT state = 'RUNNING' FROM releases WHERE id = %(release)s

-- name: interrupt
-- Ends what a process that died has left running.
UPDATE releases
SET state = 'INTERRUPTED', detail = 'its process ended', complete_time = now()
WHERE model = %(model)s AND state = 'RUNNING'
  AND pg_try_advisory_xact_lock(hashtextextended('run ' || id, 0))
RETURNING version

-- name: set_version
-- Puts a version into a state.
INSERT INTO versions (model, version, state, sha256)
VALUES (%(model)s, %(version)s, %(state)s, coalesce(%(sha256)s, ''))
ON CONFLICT (model, version) DO UPDATE
SET state = excluded.state, sha256 = coalesce(%(sha256)s, versions.sha256), update_time = now()

-- name: version_state
-- Reads the state of a version.
SELECT state::text FROM versions WHERE model = %(model)s AND version = %(version)s

-- name: versions_in
-- Reads the versions of a model that are in one of some states.
SELECT version FROM versions
WHERE model = %(model)s AND state::text = ANY (%(states)s) ORDER BY version::bigint

-- name: move_traffic
-- Replaces the split; the function belongs to the schema.
SELECT move_traffic(%(model)s, %(shares)s, %(release)s)

-- name: notify
-- Tells the gateways to read the catalog again.
SELECT pg_notify('catalog_changed', '')

-- name: history
-- Reads the splits that a model had, the newest first.
SELECT traffic FROM releases
WHERE model = %(model)s AND traffic IS NOT NULL ORDER BY id DESC LIMIT 1000

-- name: drain_unused
-- Takes new work from the versions that serve and are not to be kept.
UPDATE versions SET state = 'DRAINING', update_time = now()
WHERE model = %(model)s AND state = 'SERVING' AND version <> ALL (%(kept)s)
RETURNING version

-- name: drained
-- Reads the versions that have rested long enough, and have no work left.
SELECT version FROM versions v
WHERE model = %(model)s AND state = 'DRAINING'
  AND update_time < now() - %(drain_s)s * interval '1 s'
  AND NOT EXISTS (SELECT FROM requests r
                  WHERE r.model = v.model AND r.version = v.version
                    AND r.state IN ('ACCEPTED', 'RUNNING'))

-- name: alias
-- Reads where an alias pointed at the last look, and where it was being moved.
SELECT version, pending FROM aliases WHERE model = %(model)s AND alias = %(alias)s

-- name: set_alias
-- Notes where an alias points, if it is known, and where it is being moved.
INSERT INTO aliases (model, alias, version, pending)
VALUES (%(model)s, %(alias)s, coalesce(%(version)s, ''), %(pending)s)
ON CONFLICT (model, alias) DO UPDATE
SET version = coalesce(%(version)s, aliases.version), pending = excluded.pending
