-- name: create_record
-- Makes the table of the files that were applied, for a database that has none.
CREATE TABLE IF NOT EXISTS migrations (
    name text PRIMARY KEY,
    apply_time timestamptz NOT NULL DEFAULT now(),
    sha256 text
)

-- name: has_checksums
-- Reads whether it is that of today, not of a version before.
SELECT FROM pg_attribute WHERE attrelid = 'migrations'::regclass AND attname = 'sha256'

-- name: add_checksums
-- Gives it what it lacks; waits for whoever reads it.
ALTER TABLE migrations ADD COLUMN IF NOT EXISTS sha256 text

-- name: lock_record
-- Keeps other migrations waiting until the transaction ends, and nobody else.
LOCK TABLE migrations IN SHARE ROW EXCLUSIVE MODE

-- name: read_record
-- Reads what was applied, with the checksums; those of old are null.
SELECT name, sha256 FROM migrations

-- name: note
-- Notes that a file was applied, or, of one that was before checksums were kept, which it was.
INSERT INTO migrations (name, sha256) VALUES (%(name)s, %(sha256)s)
ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256,
    apply_time = CASE WHEN migrations.sha256 IS NULL THEN migrations.apply_time ELSE now() END

-- name: forget
-- Makes a file one that was never applied.
DELETE FROM migrations WHERE name = %(name)s

-- name: create_turn
-- Makes the table whose lock is the turn to provision.
CREATE TABLE IF NOT EXISTS provisioning ()

-- name: keep_turn
-- Has the server not end a transaction that only waits for the command to go on.
SET LOCAL idle_in_transaction_session_timeout = 0

-- name: take_turn
-- Waits for whoever has it.
LOCK TABLE provisioning

-- name: list_model
-- Makes the catalog list a model as it now is, and reads what that changed; versions, traffic and
-- history stay.
INSERT INTO models
    (id, description, labels, address, feature_share, retention_days, alert_rules)
VALUES (%(id)s, %(description)s, %(labels)s, %(address)s, %(feature_share)s, %(retention_days)s,
        %(alert_rules)s)
ON CONFLICT (id) DO UPDATE
SET description = excluded.description, labels = excluded.labels, address = excluded.address,
    feature_share = excluded.feature_share, retention_days = excluded.retention_days,
    alert_rules = excluded.alert_rules, listed = true
RETURNING id, CASE WHEN old.listed IS NOT TRUE THEN 'LISTED'
                   WHEN old IS DISTINCT FROM new THEN 'CHANGED'
                   ELSE 'UNCHANGED' END

-- name: hide_others
-- Makes the catalog list no other models, and reads which it listed.
UPDATE models SET listed = false WHERE listed AND id <> ALL (%(ids)s) RETURNING id, 'UNLISTED'

-- name: tell_gateways
-- Tells the gateways to read the catalog again.
SELECT pg_notify('catalog_changed', '')

-- name: assign_worker
-- Says which model the worker behind a login works for; no row if that is another one already.
INSERT INTO worker_logins AS l (login, model) VALUES (%(login)s, %(model)s)
ON CONFLICT (login) DO UPDATE SET model = excluded.model WHERE l.model = excluded.model
RETURNING login

-- name: role
-- Reads whether there is a role of this name, and whether it is a member of a group.
SELECT EXISTS (
    SELECT FROM pg_auth_members m
    WHERE m.member = r.oid AND m.roleid = (SELECT oid FROM pg_roles WHERE rolname = %(group)s)
)
FROM pg_roles r WHERE rolname = %(name)s

-- name: room
-- Reads how many connections the server takes of those who are no superusers.
SELECT current_setting('max_connections')::int
    - current_setting('superuser_reserved_connections')::int
    - current_setting('reserved_connections')::int

-- name: roles
-- Reads the names of all roles of the server.
SELECT rolname FROM pg_roles
