-- The events that SQL writes to the outbox: Protobuf JSON of predict.events.v1, less the event_id,
-- which is that of the row. Each of these is one expression, so that it costs no call.
CREATE SCHEMA IF NOT EXISTS events_v1;

CREATE OR REPLACE FUNCTION events_v1.inference_requested(id uuid, model text, version text)
    RETURNS jsonb LANGUAGE sql STABLE
    RETURN jsonb_build_object('predictionId', id, 'model', model, 'version', version);

-- One of the predictions of a job_completed. state: without the prefix that it has in Protobuf.
CREATE OR REPLACE FUNCTION events_v1.completed_prediction(id uuid, version text, state text)
    RETURNS jsonb LANGUAGE sql STABLE
    RETURN jsonb_build_object(
        'predictionId', id, 'version', version, 'state', 'PREDICTION_STATE_' || state);

-- predictions: an array of completed_prediction.
CREATE OR REPLACE FUNCTION events_v1.job_completed(
    model text, complete_time timestamptz, predictions jsonb
) RETURNS jsonb LANGUAGE sql STABLE
    RETURN jsonb_build_object(
        'model', model, 'completeTime', complete_time, 'predictions', predictions);

-- change: FIRED, ACKNOWLEDGED or RESOLVED.
CREATE OR REPLACE FUNCTION events_v1.alert_changed(
    alert alerts, change text, actor text, event_time timestamptz
) RETURNS jsonb LANGUAGE sql STABLE
    RETURN jsonb_strip_nulls(jsonb_build_object(
        'alertId', (alert).id, 'model', (alert).model, 'version', (alert).version,
        'change', 'ALERT_CHANGE_' || change, 'actor', actor, 'changeTime', event_time,
        'rule', (alert).rule, 'severity', (alert).terms ->> 'severity',
        'message', (alert).terms ->> 'message', 'metric', (alert).terms ->> 'metric',
        'slice', (alert).terms ->> 'slice', 'above', (alert).terms -> 'above',
        'below', (alert).terms -> 'below', 'hour', (alert).hour, 'value', (alert).value,
        'low', (alert).low, 'high', (alert).high, 'rows', (alert).rows::text,
        'reference', (alert).reference));

-- The traces of an event of several requests, by the traceparents of these: those that are recorded,
-- the first one first, and no more than a span and its links may name; or else the first of all.
CREATE OR REPLACE FUNCTION events_v1.traces(traceparents text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    RETURN coalesce(
        (SELECT array_agg(traceparent ORDER BY place)
         FROM (SELECT traceparent, min(place) AS place
               FROM unnest(traceparents) WITH ORDINALITY AS t (traceparent, place)
               WHERE traceparent ~ '[13579bdf]$'  -- the flag that says so
               GROUP BY traceparent ORDER BY min(place) LIMIT 129) AS recorded),
        (array_remove(traceparents, NULL))[1:1]);
