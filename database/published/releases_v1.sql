-- How traffic moves: the one way for gateways, releases and tidying up. Shares are version -> basis
-- points, hundredths of a percent, and add up to 10000. Each move is one transaction that holds the
-- model, so that moves and the history have one order.
--
-- Errors: PM001 the shares do not add up, PM002 a version (the detail) is not SERVING, PM003 the etag
-- is not the present one, PM004 there is no other version to go to (the message says why), PM005
-- there is no such release, PM006 it has ended (the detail is its state), PM007 too many wait.
CREATE SCHEMA IF NOT EXISTS releases_v1;

-- The present split.
CREATE OR REPLACE FUNCTION releases_v1.shares(for_model text) RETURNS jsonb
    LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_object_agg(version, coalesce(basis_points, 100 * percent)), '{}')
    FROM public.traffic WHERE model = for_model
$$;

-- Changes with each move: the transaction that wrote the split, as the rows themselves know it.
CREATE OR REPLACE FUNCTION releases_v1.traffic_etag(for_model text) RETURNS text
    LANGUAGE sql STABLE AS $$
    SELECT coalesce(max(xmin::text), '0') FROM public.traffic WHERE model = for_model
$$;

-- The shares in whole percent, for programs of before: rounded by the largest remainder.
CREATE OR REPLACE FUNCTION releases_v1.in_percent(shares jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_object_agg(version, points / 100 + (place <= 100 - whole)::integer)
    FROM (SELECT key AS version, value::integer AS points,
                 row_number() OVER (ORDER BY value::integer % 100 DESC, value::integer DESC, key)
                     AS place,
                 sum(value::integer / 100) OVER () AS whole
          FROM jsonb_each_text(shares)) AS s
$$;

-- The way back from it, for what programs of before ask for or have noted.
CREATE OR REPLACE FUNCTION releases_v1.from_percent(traffic jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_object_agg(key, 100 * value::integer)
    FROM jsonb_each_text(traffic) WHERE value::integer > 0
$$;

-- Releases as clients see them.
CREATE OR REPLACE VIEW releases_v1.releases AS
SELECT id, model, version, action, actor, reason,
       CASE WHEN state = 'RUNNING' THEN coalesce(waiting, 'RUNNING') ELSE state::text END AS state,
       refusal, detail, traffic, coalesce(shares, releases_v1.from_percent(traffic)) AS shares,
       steps, steps_done, pause, quality_margin,
       CASE WHEN state = 'RUNNING' THEN next_step_time END AS next_step_time,
       create_time, complete_time, request_id,
       xmin::text AS etag  -- of the transaction that last wrote the row
FROM public.releases;

-- The version with the greatest share, the older one of two; a version may be left out of account.
CREATE OR REPLACE FUNCTION releases_v1.champion(for_model text, but_for text DEFAULT '')
    RETURNS text
    LANGUAGE sql STABLE AS $$
    SELECT version FROM public.traffic WHERE model = for_model AND version <> but_for
    ORDER BY coalesce(basis_points, 100 * percent) DESC, version::bigint LIMIT 1
$$;

-- The splits that a model had, as far as anybody goes back.
CREATE OR REPLACE FUNCTION releases_v1.history(for_model text) RETURNS TABLE (id uuid, shares jsonb)
    LANGUAGE sql STABLE AS $$
    SELECT r.id, r.shares FROM releases_v1.releases r
    WHERE r.model = for_model AND r.traffic IS NOT NULL
    ORDER BY r.id DESC LIMIT 1000
$$;

-- The version of the present split that came into the traffic last.
CREATE OR REPLACE FUNCTION releases_v1.newest(for_model text) RETURNS text
    LANGUAGE sql STABLE AS $$
    SELECT version FROM public.traffic
    WHERE model = for_model
    ORDER BY (SELECT h.id FROM releases_v1.history(for_model) h  -- the last split without it
              WHERE NOT h.shares ? version ORDER BY h.id DESC LIMIT 1) DESC NULLS LAST,
             version::bigint DESC
    LIMIT 1
$$;

-- The last split without the newest version, of versions that still serve; null: there is none.
CREATE OR REPLACE FUNCTION releases_v1.way_back(for_model text) RETURNS jsonb
    LANGUAGE sql STABLE AS $$
    SELECT h.shares FROM releases_v1.history(for_model) h
    WHERE NOT h.shares ? (SELECT releases_v1.newest(for_model))
      AND NOT EXISTS (
          SELECT FROM jsonb_object_keys(h.shares) AS s (version)
          LEFT JOIN public.versions v
              ON v.model = for_model AND v.version = s.version AND v.state = 'SERVING'
          WHERE v.version IS NULL)
    ORDER BY h.id DESC LIMIT 1
$$;

-- The versions that stay loaded: those with traffic, and those that a rollback would go to.
CREATE OR REPLACE FUNCTION releases_v1.kept(for_model text) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT ARRAY(
        SELECT version FROM traffic WHERE model = for_model
        UNION SELECT jsonb_object_keys(releases_v1.way_back(for_model)))
$$;

-- Keeps others from moving the traffic of a model until the transaction ends; an etag must be the
-- present one.
CREATE OR REPLACE FUNCTION releases_v1.hold(for_model text, etag text DEFAULT '') RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM models WHERE id = for_model FOR UPDATE;
    IF etag <> '' AND etag <> releases_v1.traffic_etag(for_model) THEN
        RAISE EXCEPTION 'the traffic of % was moved meanwhile', for_model USING ERRCODE = 'PM003';
    END IF;
END $$;

-- Replaces the split on behalf of a release, and takes what was asked before out of its hands.
CREATE OR REPLACE FUNCTION releases_v1.move(for_model text, new_shares jsonb, by_release uuid)
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    rounded jsonb := releases_v1.in_percent(new_shares);
    missing text;
BEGIN
    PERFORM releases_v1.hold(for_model);
    IF (SELECT sum(value::integer) FROM jsonb_each_text(new_shares)) IS DISTINCT FROM 10000 THEN
        RAISE EXCEPTION 'the shares of % do not add up', for_model USING ERRCODE = 'PM001';
    END IF;
    SELECT key INTO missing FROM jsonb_each_text(new_shares)
    WHERE NOT EXISTS (SELECT FROM versions
                      WHERE model = for_model AND version = key AND state = 'SERVING')
    ORDER BY key LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'version % of % does not serve', missing, for_model
            USING ERRCODE = 'PM002', DETAIL = missing;
    END IF;
    DELETE FROM traffic WHERE model = for_model;
    INSERT INTO traffic (model, version, basis_points, percent)
    SELECT for_model, key, value::integer, (rounded ->> key)::integer
    FROM jsonb_each_text(new_shares);
    UPDATE releases SET shares = new_shares, traffic = rounded WHERE id = by_release;
    UPDATE releases
    SET state = 'INTERRUPTED', complete_time = now(), detail = 'somebody moved the traffic'
    WHERE model = for_model AND state = 'RUNNING' AND id < by_release;
    PERFORM pg_notify('catalog_changed', '');
END $$;

-- Replaces the split by hand.
CREATE OR REPLACE FUNCTION releases_v1.set_shares(
    for_model text, new_shares jsonb, actor text, reason text, etag text
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    release uuid;
BEGIN
    PERFORM releases_v1.hold(for_model, etag);
    INSERT INTO releases (model, action, actor, reason, state, complete_time)
    VALUES (for_model, 'SET_TRAFFIC', actor, reason, 'DONE', now())
    RETURNING id INTO release;
    PERFORM releases_v1.move(for_model, new_shares, release);
END $$;

-- Gives the newest version all the traffic, or goes back to the split before it, whose loser drains:
-- PROMOTE or ROLLBACK. Answers with the release; with that of before, if request_id has one.
CREATE OR REPLACE FUNCTION releases_v1.shift(
    for_model text, for_action release_action, actor text, reason text, etag text, request_id uuid
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    release uuid;
    newest text;
    goal jsonb;
BEGIN
    PERFORM releases_v1.hold(for_model);
    SELECT id INTO release FROM releases r WHERE r.request_id = request_id;
    IF FOUND THEN
        RETURN release;
    END IF;
    PERFORM releases_v1.hold(for_model, etag);
    newest := releases_v1.newest(for_model);
    IF newest IS NULL THEN
        RAISE EXCEPTION 'no version of % is released', for_model USING ERRCODE = 'PM004';
    ELSIF for_action = 'PROMOTE' THEN
        IF releases_v1.champion(for_model, newest) IS NULL THEN
            RAISE EXCEPTION 'the traffic of % is not split', for_model USING ERRCODE = 'PM004';
        END IF;
        goal := jsonb_build_object(newest, 10000);
    ELSE
        goal := releases_v1.way_back(for_model);
        IF goal IS NULL THEN
            RAISE EXCEPTION 'no other version of % is loaded; release an older one', for_model
                USING ERRCODE = 'PM004';
        END IF;
    END IF;
    INSERT INTO releases (model, version, action, actor, reason, state, complete_time, request_id)
    VALUES (for_model, newest, for_action, actor, reason, 'DONE', now(), request_id)
    RETURNING id INTO release;
    PERFORM releases_v1.move(for_model, goal, release);
    IF for_action = 'ROLLBACK' THEN
        UPDATE versions SET state = 'DRAINING', update_time = now()
        WHERE model = for_model AND version = newest;
    END IF;
    RETURN release;
END $$;

-- Accepts a release, which whoever watches carries out. Answers as shift does.
CREATE OR REPLACE FUNCTION releases_v1.create_release(
    for_model text, version text, steps integer[], pause interval, quality_margin double precision,
    actor text, reason text, etag text, request_id uuid
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    release uuid;
BEGIN
    PERFORM releases_v1.hold(for_model);
    SELECT id INTO release FROM releases r WHERE r.request_id = request_id;
    IF FOUND THEN
        RETURN release;
    END IF;
    PERFORM releases_v1.hold(for_model, etag);
    IF (SELECT count(*) FROM releases r WHERE r.model = for_model AND r.state = 'RUNNING') >= 100
    THEN
        RAISE EXCEPTION 'too many releases of % wait', for_model USING ERRCODE = 'PM007';
    END IF;
    INSERT INTO releases (model, version, action, actor, reason, state, holder, waiting, steps,
                          pause, quality_margin, next_step_time, request_id)
    VALUES (for_model, version, 'RELEASE', actor, reason, 'RUNNING', (0, '', 'epoch'), 'ACCEPTED',
            steps, pause, quality_margin, now(), request_id)
    RETURNING id INTO release;
    PERFORM pg_notify('release_due', '');
    RETURN release;
END $$;

-- Takes the due step of a release: its version gets its share, the champion keeps the rest, and that
-- is noted, so that no step is done twice or left out. False: none is due, since it was paused, has
-- ended, or another process has taken the step.
CREATE OR REPLACE FUNCTION releases_v1.take_step(release uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r releases;
    champion text;
    points integer;
BEGIN
    PERFORM releases_v1.hold(model) FROM releases WHERE id = release;
    SELECT * INTO r FROM releases
    WHERE id = release AND state = 'RUNNING' AND next_step_time <= clock_timestamp();
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    champion := releases_v1.champion(r.model, r.version);
    points := CASE WHEN champion IS NULL THEN 10000 ELSE r.steps[r.steps_done + 1] END;
    PERFORM releases_v1.move(
        r.model,
        CASE WHEN points = 10000 THEN jsonb_build_object(r.version, points)
             ELSE jsonb_build_object(r.version, points, champion, 10000 - points) END,
        r.id);
    IF r.steps_done + 1 < cardinality(r.steps) THEN
        UPDATE releases
        SET steps_done = steps_done + 1, waiting = NULL, next_step_time = now() + r.pause
        WHERE id = r.id;
    ELSE
        UPDATE releases
        SET steps_done = steps_done + 1, waiting = NULL, next_step_time = NULL,
            state = 'DONE', complete_time = now()
        WHERE id = r.id;
    END IF;
    RETURN true;
END $$;

-- Holds a release that goes on; an etag must be its present one.
CREATE OR REPLACE FUNCTION releases_v1.hold_release(release uuid, etag text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found_state release_state;
    found_etag text;
BEGIN
    PERFORM releases_v1.hold(model) FROM releases WHERE id = release;
    SELECT state, xmin::text INTO found_state, found_etag
    FROM releases WHERE id = release FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no release %', release USING ERRCODE = 'PM005';
    ELSIF etag <> '' AND etag <> found_etag THEN
        RAISE EXCEPTION 'the release % has changed meanwhile', release USING ERRCODE = 'PM003';
    ELSIF found_state <> 'RUNNING' THEN
        RAISE EXCEPTION 'the release % has ended', release
            USING ERRCODE = 'PM006', DETAIL = found_state;
    END IF;
END $$;

-- Keeps a release at the step that it has reached.
CREATE OR REPLACE FUNCTION releases_v1.pause_release(release uuid, etag text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM releases_v1.hold_release(release, etag);
    UPDATE releases SET waiting = 'PAUSED', next_step_time = NULL
    WHERE id = release AND next_step_time IS NOT NULL;
END $$;

-- Lets it go on: its next step is due.
CREATE OR REPLACE FUNCTION releases_v1.resume_release(release uuid, etag text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM releases_v1.hold_release(release, etag);
    UPDATE releases
    SET waiting = CASE WHEN steps_done = 0 THEN 'ACCEPTED' END, next_step_time = now(), attempts = 0
    WHERE id = release AND waiting = 'PAUSED';
    PERFORM pg_notify('release_due', '');
END $$;

-- Ends it where it stands; the traffic stays as it is.
CREATE OR REPLACE FUNCTION releases_v1.cancel_release(release uuid, etag text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM releases_v1.hold_release(release, etag);
    UPDATE releases
    SET state = 'INTERRUPTED', complete_time = now(), detail = 'it was cancelled'
    WHERE id = release;
END $$;
