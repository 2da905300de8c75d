-- What a relay may do that takes more than its own rights.
CREATE SCHEMA IF NOT EXISTS relay_v1;

-- Makes the partitions of today and of the days to come. Each waits until no transaction uses the
-- table, and all others wait behind it: not for long, or lock_not_available.
CREATE OR REPLACE FUNCTION relay_v1.create_partitions(days integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
    IF (days BETWEEN 0 AND 31) IS NOT TRUE THEN
        RAISE EXCEPTION 'partitions are made for 0 to 31 days'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM create_partitions(days);
END $$;

-- Of migration 0014; give_index does what it did.
DROP FUNCTION IF EXISTS index_by_version(regclass);

-- Gives the newest day that lacks one the index of versions, or that of callers; false if there is
-- none. Only a day whose requests are all finished: nobody writes there but who erases, and only that
-- waits meanwhile.
CREATE OR REPLACE FUNCTION relay_v1.index_day() RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    day regclass;
    lacking regclass;
BEGIN
    SELECT c.oid, index INTO day, lacking
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    CROSS JOIN unnest('{requests_by_version, requests_by_caller}'::regclass[]) AS index
    WHERE i.inhparent = 'requests'::regclass
      AND (c.relname < to_char((now() - interval '9 days') AT TIME ZONE 'UTC',
                               '"requests_"YYYYMMDD') COLLATE "C"
           OR c.relname = 'requests_default')
      AND NOT EXISTS (
          SELECT FROM pg_index x JOIN pg_inherits of_all ON of_all.inhrelid = x.indexrelid
          WHERE x.indrelid = c.oid AND of_all.inhparent = index)
    ORDER BY c.relname DESC LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', day);  -- one relay at a time
    PERFORM give_index(day, lacking);
    RETURN true;
END $$;

-- Has the days that are over rid of dead rows within minutes, however few: what was erased is in
-- them until then. While a day is under way, it is left to the general rule, which costs less.
CREATE OR REPLACE FUNCTION relay_v1.settle_days() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    partition regclass;
BEGIN
    FOR partition IN
        SELECT c.oid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'requests'::regclass AND c.reloptions IS NULL
          AND (c.relname = 'requests_default'
               OR c.relname < to_char(now() AT TIME ZONE 'UTC', '"requests_"YYYYMMDD'))
        ORDER BY c.relname LIMIT 100
    LOOP
        EXECUTE format(
            'ALTER TABLE %s SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0,'
            ' toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 0,'
            -- Else few dead rows would be left to the next time, and be due again each minute.
            ' vacuum_index_cleanup = on, toast.vacuum_index_cleanup = on)', partition);
    END LOOP;
END $$;

-- Retention. A model's predictions are kept for its days, and go by whole days (UTC), so that a day
-- that nobody wants any more is dropped and not deleted row by row. All that belongs together is
-- told the same `today`.

-- The first day of which something is kept of a model; of one that is not known, by the default.
CREATE OR REPLACE FUNCTION relay_v1.kept_since(for_model text, today date) RETURNS date
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT least(today, (now() AT TIME ZONE 'UTC')::date)
           - coalesce((SELECT retention_days FROM models WHERE id = for_model), 90)
$$;

-- The first id of a day.
CREATE OR REPLACE FUNCTION relay_v1.first_id(day date) RETURNS uuid
    LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
    RETURN uuid_at(day::timestamp AT TIME ZONE 'UTC');

-- The day of an id.
CREATE OR REPLACE FUNCTION relay_v1.day_of(id uuid) RETURNS date
    LANGUAGE sql IMMUTABLE
    RETURN (to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
            AT TIME ZONE 'UTC')::date;

-- Forgets clients' request_ids that are far older than the day that is promised, and all whose
-- requests may be deleted on this day.
CREATE OR REPLACE FUNCTION relay_v1.forget_request_ids(today date) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM request_ids
    WHERE create_time < now() - interval '7 days' OR id < relay_v1.first_id(
        least(today, (now() AT TIME ZONE 'UTC')::date)
        - (SELECT least(7, min(retention_days)) FROM models))
$$;

-- The days before `today` that the record may have something of, the oldest first: those with a
-- partition, and those of what lies in the default ones.
CREATE OR REPLACE FUNCTION relay_v1.days_before(today date) RETURNS SETOF date
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE astray AS (  -- hops from day to day
        (SELECT relay_v1.day_of(id) AS day FROM requests_default ORDER BY id LIMIT 1)
        UNION ALL
        SELECT (SELECT relay_v1.day_of(id) FROM requests_default
                WHERE id >= relay_v1.first_id(a.day + 1) ORDER BY id LIMIT 1)
        FROM astray a WHERE a.day < today
    )
    SELECT day FROM (
        SELECT to_date(right(c.relname, 8), 'YYYYMMDD')
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent IN ('requests'::regclass, 'predictions'::regclass)
          AND c.relname ~ '_[0-9]{8}$'
        UNION
        SELECT day FROM astray
    ) AS d (day)
    WHERE day < today ORDER BY day
$$;

-- The models that a day has requests of.
CREATE OR REPLACE FUNCTION relay_v1.models_of(day date) RETURNS SETOF text
    LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    since uuid := relay_v1.first_id(day);
    until uuid := relay_v1.first_id(day + 1);
BEGIN
    RETURN QUERY
    WITH RECURSIVE found AS (  -- hops from model to model: a day may have many requests
        (SELECT model FROM requests WHERE id >= since AND id < until ORDER BY model LIMIT 1)
        UNION ALL
        SELECT (SELECT r.model FROM requests r
                WHERE r.id >= since AND r.id < until AND r.model > f.model ORDER BY r.model LIMIT 1)
        FROM found f WHERE f.model IS NOT NULL
    )
    SELECT model FROM found WHERE model IS NOT NULL;
END $$;

-- The partitions of a day: two, but where the default ones have taken its rows before.
CREATE OR REPLACE FUNCTION relay_v1.partitions_of(day date) RETURNS regclass[]
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT array_remove(ARRAY[to_regclass('requests' || to_char(day, '_YYYYMMDD')),
                              to_regclass('predictions' || to_char(day, '_YYYYMMDD'))], NULL)
$$;

-- Whether a day has requests that are kept, or unfinished, or may still get some.
CREATE OR REPLACE FUNCTION relay_v1.is_wanted(day date, today date) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    RETURN day >= least(today, (now() AT TIME ZONE 'UTC')::date) - 1
        OR EXISTS (SELECT FROM relay_v1.models_of(day) AS model
                   WHERE relay_v1.kept_since(model, today) <= day)
        OR EXISTS (SELECT FROM requests
                   WHERE id >= relay_v1.first_id(day) AND id < relay_v1.first_id(day + 1)
                     AND state IN ('ACCEPTED', 'RUNNING'));
END $$;

-- Deletes what a day has of predictions that are kept no longer, up to `most` of them with all that
-- hangs on them; what is unfinished stays. 'MORE': there may be more of them. 'UNWANTED': nothing
-- of the day is kept, and it is to be dropped. Else 'DONE'.
CREATE OR REPLACE FUNCTION relay_v1.clear_day(day date, today date, most integer) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- others open each day of the record
    AS $$
DECLARE
    since uuid := relay_v1.first_id(day);
    until uuid := relay_v1.first_id(day + 1);
    in_it text[] := ARRAY(SELECT relay_v1.models_of(day));
    old uuid[];
BEGIN
    IF (most BETWEEN 1 AND 10000) IS NOT TRUE THEN
        RAISE EXCEPTION '1 to 10000 are deleted at once' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT relay_v1.is_wanted(day, today)
       AND (in_it = '{}' OR cardinality(relay_v1.partitions_of(day)) = 2)  -- not in a default one
    THEN
        old := ARRAY(SELECT id FROM labels
                     WHERE prediction_id >= since AND prediction_id < until LIMIT most);
        DELETE FROM labels WHERE id = ANY (old);
        RETURN CASE WHEN cardinality(old) = most THEN 'MORE'
                    WHEN cardinality(relay_v1.partitions_of(day)) > 0 THEN 'UNWANTED'
                    ELSE 'DONE' END;
    END IF;
    old := ARRAY(
        SELECT id FROM requests
        WHERE id >= since AND id < until AND state NOT IN ('ACCEPTED', 'RUNNING')
          AND model = ANY (ARRAY(SELECT model FROM unnest(in_it) AS model
                                 WHERE relay_v1.kept_since(model, today) > day))
        LIMIT most FOR UPDATE SKIP LOCKED);
    DELETE FROM labels WHERE prediction_id = ANY (old);
    DELETE FROM predictions WHERE id >= since AND id < until AND id = ANY (old);
    DELETE FROM requests WHERE id >= since AND id < until AND id = ANY (old);
    RETURN CASE WHEN cardinality(old) = most THEN 'MORE' ELSE 'DONE' END;
END $$;

-- Drops a day of which nothing is kept. That takes a moment in which nobody uses the record: it is
-- waited for so briefly that those who wait behind do not feel it, or lock_not_available. The first
-- thing is the lock: two relays that read before would each wait for the other.
CREATE OR REPLACE FUNCTION relay_v1.drop_day(day date, today date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    partition regclass;
BEGIN
    LOCK TABLE ONLY requests, ONLY predictions IN ACCESS EXCLUSIVE MODE;
    IF NOT relay_v1.is_wanted(day, today) THEN
        DELETE FROM labels
        WHERE prediction_id >= relay_v1.first_id(day) AND prediction_id < relay_v1.first_id(day + 1);
        FOREACH partition IN ARRAY relay_v1.partitions_of(day) LOOP
            EXECUTE format('DROP TABLE %s', partition);
        END LOOP;
    END IF;
END $$;

-- For how many seconds the oldest transaction of this database has run; null where the owner may not
-- see those of others.
CREATE OR REPLACE FUNCTION relay_v1.oldest_transaction() RETURNS float8
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    RETURN (
        SELECT CASE WHEN pg_has_role('pg_read_all_stats', 'USAGE')
                    THEN coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) END
        FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid());
