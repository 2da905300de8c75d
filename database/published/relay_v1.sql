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
