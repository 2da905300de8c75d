-- What the worker of a model may do: claim requests that the bus told it of, keep the claims while
-- it works, and nothing else. Its login says which model it is of.
CREATE SCHEMA IF NOT EXISTS worker_v1;

-- The model of the caller's login.
CREATE OR REPLACE FUNCTION worker_v1.model() RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    own text;
BEGIN
    SELECT model INTO own FROM worker_logins WHERE login = session_user;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the login % is of no model', session_user
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN own;
END $$;

-- The same, for calls within the bounds.
CREATE OR REPLACE FUNCTION worker_v1.own_model(ids uuid[], lease interval) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    own text := worker_v1.model();
BEGIN
    IF (cardinality(ids) <= 1000 AND lease BETWEEN interval '0' AND interval '1 hour')
       IS NOT TRUE
    THEN
        RAISE EXCEPTION 'a call takes up to 1000 ids, and a lease of 0 to 1 hour'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN own;
END $$;

-- `outcome` says what to do with the message: 'claimed' (work on it), 'busy' (somebody does; look
-- again later), 'finished' (nothing to do: terminal, expired, unknown, of another model, or tried
-- as often as allowed), 'alone' (claim it by itself: it was tried before, and may be what killed
-- its worker and would take others with it). The token shows later that the claim was handed out.
-- Without labels and address, its version does not serve.
CREATE OR REPLACE FUNCTION worker_v1.claim(ids uuid[], lease interval, max_attempts integer)
    RETURNS TABLE (id uuid, outcome text, version text, token uuid, attempt integer, text text,
                   labels text[], address text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- others open each day of the record
    AS $$
#variable_conflict use_column
DECLARE
    own text := worker_v1.own_model(ids, lease);
    asked uuid[] := ARRAY(SELECT DISTINCT unnest(ids));
BEGIN
    IF (max_attempts BETWEEN 1 AND 1000) IS NOT TRUE THEN
        RAISE EXCEPTION 'a request is tried 1 to 1000 times'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
    WITH wanted AS MATERIALIZED (
        SELECT r.id,
            CASE WHEN r.state NOT IN ('ACCEPTED', 'RUNNING') OR r.expire_time <= now()
                 THEN 'finished'
                 WHEN r.lease_until > now() THEN 'busy'
                 WHEN r.attempt >= max_attempts THEN 'finished'
                 WHEN r.attempt > 0 AND cardinality(asked) > 1 THEN 'alone'
                 ELSE 'claimed' END AS outcome
        FROM unnest(asked) AS i (id)
        JOIN requests r ON r.id = i.id AND r.id = ANY (asked) AND r.model = own
        ORDER BY r.id FOR UPDATE OF r
    ), claimed AS (
        UPDATE requests r
        SET state = 'RUNNING', attempt = r.attempt + 1, lease_until = now() + lease,
            claim_token = gen_random_uuid(),
            publish_time = coalesce(r.publish_time, now())  -- the relay passes over what is locked
        FROM wanted w WHERE w.id = r.id AND r.id = ANY (asked) AND w.outcome = 'claimed'
        RETURNING r.id, r.version, r.claim_token, r.attempt, r.text
    ), told AS MATERIALIZED (
        SELECT notify_changed(array_agg(id)) FROM claimed
    )
    SELECT i.id, coalesce(w.outcome, 'finished'), coalesce(c.version, ''), c.claim_token,
           coalesce(c.attempt, 0), coalesce(c.text, ''), v.labels, v.address
    FROM unnest(asked) AS i (id)
    CROSS JOIN told
    LEFT JOIN wanted w ON w.id = i.id
    LEFT JOIN claimed c ON c.id = i.id
    LEFT JOIN catalog_v1.versions v
        ON v.model = own AND v.version = c.version AND v.state IN ('SERVING', 'DRAINING');
END $$;

-- Keeps claims alive, each shown by its token; answers with the ids that are still the caller's. A
-- lease of zero gives them back. Claims that are untried, since nobody asked the model with them,
-- end and were no attempts; the lease is then how long nobody shall have them.
DROP FUNCTION IF EXISTS worker_v1.extend(uuid[], uuid[], interval);  -- `untried` has a default
CREATE OR REPLACE FUNCTION worker_v1.extend(ids uuid[], tokens uuid[], lease interval,
                                            untried boolean DEFAULT false)
    RETURNS SETOF uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- as in claim
    AS $$
DECLARE
    own text := worker_v1.own_model(ids, lease);
BEGIN
    IF cardinality(ids) IS DISTINCT FROM cardinality(tokens) THEN
        RAISE EXCEPTION 'each id has one token' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
    WITH held AS MATERIALIZED (
        SELECT r.id FROM unnest(ids, tokens) AS c (id, token)
        JOIN requests r ON r.id = c.id AND r.claim_token = c.token
        WHERE r.id = ANY (ids) AND r.model = own AND r.state = 'RUNNING'
          AND (r.expire_time IS NULL OR r.expire_time > now())
        ORDER BY r.id FOR UPDATE OF r
    )
    UPDATE requests r
    SET lease_until = now() + lease,
        publish_time = coalesce(r.publish_time, now()),  -- as in claim
        -- Without its token a claim is taken back once only.
        attempt = CASE WHEN untried THEN greatest(r.attempt - 1, 0) ELSE r.attempt END,
        claim_token = CASE WHEN untried THEN NULL ELSE r.claim_token END
    FROM held WHERE r.id = held.id AND r.id = ANY (ids)
    RETURNING r.id;
END $$;
