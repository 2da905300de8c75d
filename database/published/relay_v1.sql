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

-- Gives the newest day that lacks it the index of versions; false if there is none. Only a day whose
-- requests are all finished: nobody writes there but who erases, and only that waits meanwhile.
CREATE OR REPLACE FUNCTION relay_v1.index_day() RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    day regclass;
BEGIN
    SELECT c.oid INTO day
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'requests'::regclass
      AND (c.relname < to_char((now() - interval '9 days') AT TIME ZONE 'UTC',
                               '"requests_"YYYYMMDD') COLLATE "C"
           OR c.relname = 'requests_default')
      AND NOT EXISTS (
          SELECT FROM pg_index x JOIN pg_inherits of_all ON of_all.inhrelid = x.indexrelid
          WHERE x.indrelid = c.oid AND of_all.inhparent = 'requests_by_version'::regclass)
    ORDER BY c.relname DESC LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', day);  -- one relay at a time
    PERFORM index_by_version(day);
    RETURN true;
END $$;
