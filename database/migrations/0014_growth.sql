-- The predictions of a version are found without looking at those of the others. Days that are made
-- from now on have the index from the start; those with rows get it by relay_v1.index_day, one at a
-- time, so that nobody waits for all of them here.

CREATE INDEX requests_by_version ON ONLY requests (model, version, id DESC);

CREATE FUNCTION index_by_version(day regclass) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    index text := format('%s_by_version', (SELECT relname FROM pg_class WHERE oid = day));
BEGIN
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %s (model, version, id DESC)', index, day);
    EXECUTE format('ALTER INDEX requests_by_version ATTACH PARTITION %I', index);
END $$;

DO $$
DECLARE
    day regclass;
    has_rows boolean;
BEGIN
    FOR day IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'requests'::regclass LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', day) INTO has_rows;
        IF NOT has_rows THEN
            PERFORM index_by_version(day);
        END IF;
    END LOOP;
END $$;
