-- What may become of an alert. Each change is noted in its history, on the bus and for the webhook
-- in the transaction that makes it.
CREATE SCHEMA IF NOT EXISTS alerts_v1;

-- Notes a change, and tells of it. actor: who made it.
CREATE OR REPLACE FUNCTION alerts_v1.note(
    of_alert uuid, new_change text, by_actor text, said text
) RETURNS void
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    WITH noted AS (
        INSERT INTO alert_events (id, alert, change, actor, detail)
        VALUES (uuidv7(), of_alert, new_change, by_actor, said)
        RETURNING *
    ), told AS MATERIALIZED (
        SELECT n.id, a.model, a.version, n.change, n.event_time,
               events_v1.alert_changed(a, n.change, n.actor, n.event_time) AS payload
        FROM noted n JOIN alerts a ON a.id = n.alert
        WHERE n.change <> 'RETRAINING_REQUESTED'  -- that is told by what comes of it
    ), sent AS (
        INSERT INTO outbox (id, event, model, version, payload)
        SELECT id, 'alert_changed', model, version, payload FROM told
    )
    INSERT INTO webhook_deliveries (id, body)
    SELECT id, jsonb_build_object(
        'type', 'alert.' || lower(change), 'timestamp', event_time,
        'data', payload || jsonb_build_object('eventId', id))
    FROM told;
END $$;

-- Fires an alert, unless one is open; null if one is. of_rule: as contract/alert_rules.py says it. One
-- that is to retrain its model asks for that, unless a training was asked for already.
CREATE OR REPLACE FUNCTION alerts_v1.fire(
    for_model text, for_version text, of_rule jsonb, in_hour timestamptz,
    of_value float8, of_low float8, of_high float8, of_rows bigint, of_reference text
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    fired uuid;
    training uuid;
BEGIN
    INSERT INTO alerts (id, model, version, rule, terms, hour, value, low, high, rows, reference)
    VALUES (uuidv7(), for_model, for_version, of_rule ->> 'name', of_rule, in_hour,
            of_value, of_low, of_high, of_rows, of_reference)
    ON CONFLICT (model, rule, version) WHERE state <> 'RESOLVED' DO NOTHING
    RETURNING id INTO fired;
    IF fired IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM alerts_v1.note(fired, 'FIRED', 'monitoring', '');
    IF (of_rule -> 'retrain')::boolean THEN
        INSERT INTO retrainings (model, alert, actor) VALUES (for_model, fired, 'alert')
        ON CONFLICT (model) WHERE complete_time IS NULL DO NOTHING RETURNING id INTO training;
        PERFORM alerts_v1.note(
            fired, 'RETRAINING_REQUESTED', 'monitoring',
            coalesce('training ' || training, 'one was asked for already'));
    END IF;
    RETURN fired;
END $$;

-- Says that somebody has seen an alert; the state that it then has, null if there is none.
CREATE OR REPLACE FUNCTION alerts_v1.acknowledge(of_alert uuid, actor text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE alerts
    SET state = 'ACKNOWLEDGED', acknowledge_time = clock_timestamp(), acknowledged_by = actor
    WHERE id = of_alert AND state = 'FIRING';
    IF FOUND THEN
        PERFORM alerts_v1.note(of_alert, 'ACKNOWLEDGED', actor, '');
    END IF;
    RETURN (SELECT state FROM alerts WHERE id = of_alert);
END $$;

-- Says that an alert is over; the state that it then has, null if there is none. up_to: hours up to
-- this one fire no other; null: all may.
CREATE OR REPLACE FUNCTION alerts_v1.resolve(
    of_alert uuid, actor text, said text, up_to timestamptz
) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE alerts
    SET state = 'RESOLVED', resolve_time = clock_timestamp(), resolved_by = actor, through = up_to
    WHERE id = of_alert AND state <> 'RESOLVED';
    IF FOUND THEN
        PERFORM alerts_v1.note(of_alert, 'RESOLVED', actor, said);
    END IF;
    RETURN (SELECT state FROM alerts WHERE id = of_alert);
END $$;
