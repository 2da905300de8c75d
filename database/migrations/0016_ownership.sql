-- A caller's own predictions are found without looking at those of the others. Nothing is kept of
-- those whose caller has no name. Days with rows get the index as 0014_growth.sql has it.

CREATE INDEX requests_by_caller ON ONLY requests (caller, id DESC) WHERE caller <> '';

CREATE FUNCTION index_by_caller(day regclass) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    index text := format('%s_by_caller', (SELECT relname FROM pg_class WHERE oid = day));
BEGIN
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %s (caller, id DESC) WHERE caller <> %L',
                   index, day, '');
    EXECUTE format('ALTER INDEX requests_by_caller ATTACH PARTITION %I', index);
END $$;

DO $$
DECLARE
    day regclass;
    has_rows boolean;
BEGIN
    FOR day IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'requests'::regclass LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', day) INTO has_rows;
        IF NOT has_rows THEN
            PERFORM index_by_caller(day);
        END IF;
    END LOOP;
END $$;
