-- What PostgreSQL itself keeps of the record: no text among its statistics, where it would outlive
-- its row.

ALTER TABLE requests
    ALTER COLUMN text SET STATISTICS 0,
    ALTER COLUMN tags SET STATISTICS 0,
    ALTER COLUMN error SET STATISTICS 0;

SELECT pg_clear_attribute_stats(schemaname, tablename, attname, inherited)
FROM pg_stats
WHERE schemaname = 'public' AND attname IN ('text', 'tags', 'error')
  AND (schemaname || '.' || quote_ident(tablename))::regclass IN (
      SELECT relid FROM pg_partition_tree('requests'));

-- As before, but that each partition is told as well: it inherits no such setting.
CREATE OR REPLACE FUNCTION create_partitions(days_ahead integer) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    partition text;
    day timestamptz;
BEGIN
    FOR i IN 0..days_ahead LOOP
        day := date_trunc('day', now(), 'UTC') + i * interval '1 day';
        FOREACH parent IN ARRAY ARRAY['requests', 'predictions'] LOOP
            partition := parent || to_char(day AT TIME ZONE 'UTC', '_YYYYMMDD');
            CONTINUE WHEN to_regclass(partition) IS NOT NULL;
            BEGIN
                EXECUTE format(
                    'CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                    partition, parent, uuid_at(day), uuid_at(day + interval '1 day'));
                IF parent = 'requests' THEN
                    EXECUTE format(
                        'ALTER TABLE %I ALTER COLUMN text SET STATISTICS 0,'
                        ' ALTER COLUMN tags SET STATISTICS 0, ALTER COLUMN error SET STATISTICS 0',
                        partition);
                END IF;
            EXCEPTION WHEN check_violation THEN
                NULL;  -- rows of this day lie in the default partition already, and stay there
            END;
        END LOOP;
    END LOOP;
END $$;
