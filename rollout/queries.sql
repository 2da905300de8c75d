-- name: lock
-- Only one process releases or tidies up a model at a time; the lock ends with its connection.
INSERT INTO release_locks AS l (model, holder) VALUES (%(model)s, rollout_v1.this_backend())
ON CONFLICT (model) DO UPDATE SET holder = excluded.holder
WHERE NOT rollout_v1.lives(l.holder)
RETURNING true

-- name: unlock
-- Gives the lock back.
DELETE FROM release_locks WHERE model = %(model)s AND holder = rollout_v1.this_backend()

-- name: labels
-- Reads the labels of a model, in the order that its clients know.
SELECT labels FROM models WHERE id = %(model)s AND listed

-- name: models
-- Reads the ids of all models.
SELECT id FROM models WHERE listed ORDER BY id

-- name: hold_traffic
-- Keeps others from moving the traffic of a model, until the transaction ends.
SELECT rollout_v1.hold_traffic(%(model)s)

-- name: traffic
-- Reads the present split.
SELECT coalesce(jsonb_object_agg(version, percent), '{}') FROM traffic WHERE model = %(model)s

-- name: begin
-- Notes that something is asked of a model's traffic; abandoned if this connection ends.
INSERT INTO releases (model, version, action, actor, reason, state, holder)
VALUES (%(model)s, %(version)s, %(action)s, %(actor)s, %(reason)s, 'RUNNING',
        rollout_v1.this_backend())
RETURNING id

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

-- name: move_traffic
-- Replaces the split.
SELECT rollout_v1.move_traffic(%(model)s, %(shares)s, %(release)s)

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

-- name: fresh_refusal
-- Reads why a model's last refused release was refused, if that was just now.
SELECT refusal || ': ' || detail FROM releases
WHERE model = %(model)s AND state = 'REFUSED'
  AND create_time > now() - %(within_s)s * interval '1 s'
ORDER BY id DESC LIMIT 1
