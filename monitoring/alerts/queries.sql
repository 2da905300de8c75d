-- name: rules
-- The rules of a model, as its alerts.yaml has them; of all models with null.
SELECT id, alert_rules FROM models
WHERE %(model)s::text IS NULL OR id = %(model)s ORDER BY id

-- name: hold
-- Keeps other jobs from the model until the transaction ends; who waited for one begins anew.
UPDATE monitoring_progress SET through = through WHERE model = %(model)s

-- name: open
-- The alerts of a model that are not over.
SELECT id, rule, version, hour FROM alerts WHERE model = %(model)s AND state <> 'RESOLVED'

-- name: dealt_with
-- Up to which hour a person has said of each rule that it is dealt with.
SELECT rule, version, max(through) FROM alerts
WHERE model = %(model)s AND through IS NOT NULL GROUP BY rule, version

-- name: figures
-- The figures that a rule watches, by version and hour, of hours that are over.
SELECT version, hour, value, low, high, rows, reference FROM quality_metrics
WHERE model = %(model)s AND hour >= %(from)s AND hour < %(now)s
  AND slice = %(slice)s AND metric = %(metric)s
ORDER BY version, hour

-- name: fire
-- Fires an alert, unless one is open.
SELECT alerts_v1.fire(%(model)s, %(version)s, %(rule)s, %(hour)s, %(value)s, %(low)s, %(high)s,
                      %(rows)s::bigint, %(reference)s)

-- name: acknowledge
-- Says that somebody has seen an alert.
SELECT alerts_v1.acknowledge(%(id)s, %(actor)s)

-- name: resolve
-- Says that an alert is over.
SELECT alerts_v1.resolve(%(id)s, %(actor)s, %(detail)s, %(through)s)

-- name: newest_hour
-- The newest hour that is over.
SELECT date_trunc('hour', clock_timestamp(), 'UTC') - interval '1 hour'

-- name: list
-- The alerts, the newest first: of a model or (null) of all; the open ones, or all.
SELECT id::text, model, version, rule, terms, state, hour, value, low, high, rows, reference,
       fire_time, acknowledge_time, acknowledged_by, resolve_time, resolved_by
FROM alerts
WHERE (%(model)s::text IS NULL OR model = %(model)s) AND (%(all)s OR state <> 'RESOLVED')
ORDER BY fire_time DESC, id LIMIT %(limit)s

-- name: history
-- The lives of these alerts, from their beginning.
SELECT alert::text, change, actor, detail, event_time FROM alert_events
WHERE alert = ANY (%(ids)s::uuid[]) ORDER BY id

-- name: claim_delivery
-- Takes what is due to the webhook for so long that an attempt has ended by then, and notes the
-- attempt before it is made: whoever is killed in it has it made again.
WITH due AS MATERIALIZED (
    SELECT id FROM webhook_deliveries
    WHERE state = 'PENDING' AND next_time <= clock_timestamp()
    ORDER BY next_time, id LIMIT 1 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE webhook_deliveries d
    SET attempts = attempts + 1, next_time = clock_timestamp() + %(lease)s
    FROM due WHERE d.id = due.id
    RETURNING d.id, d.body, d.attempts, d.create_time
), noted AS (
    INSERT INTO webhook_attempts (delivery, attempt) SELECT id, attempts FROM claimed
)
SELECT id::text, body, attempts, clock_timestamp() - create_time FROM claimed

-- name: note_attempt
-- Notes what came of an attempt.
UPDATE webhook_attempts SET status = %(status)s, error = %(error)s
WHERE delivery = %(id)s AND attempt = %(attempt)s

-- name: note_delivery
-- Notes what becomes of what the attempt was made for; a later attempt's word counts more.
UPDATE webhook_deliveries
SET state = %(state)s, next_time = coalesce(clock_timestamp() + %(pause)s, next_time)
WHERE id = %(id)s AND attempts = %(attempt)s AND state = 'PENDING'

-- name: open_by_severity
-- Counts the alerts of each model that are not over, with the severities that none has.
SELECT m.id, s.severity, count(a.id)
FROM models m
CROSS JOIN unnest(%(severities)s::text[]) AS s (severity)
LEFT JOIN alerts a
    ON a.model = m.id AND a.state <> 'RESOLVED' AND a.terms ->> 'severity' = s.severity
GROUP BY m.id, s.severity ORDER BY m.id, s.severity

-- name: deliveries_waiting
-- Counts what the webhook is to be told.
SELECT count(*) FROM webhook_deliveries WHERE state = 'PENDING'
