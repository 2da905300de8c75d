-- A caller's own predictions are found without looking at those of the others. Nothing is kept of
-- those whose caller has no name. Days with rows get the index as 0014_growth.sql has it.

CREATE INDEX requests_by_caller ON ONLY requests (caller, id DESC) WHERE caller <> '';

-- Gives a day what an index of all days has, whichever it is.
CREATE FUNCTION give_index(day regclass, index regclass) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    own text := (SELECT d.relname || substr(i.relname, length('requests_'))
                 FROM pg_class d, pg_class i WHERE d.oid = day AND i.oid = index);
BEGIN
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %s %s', own, day,
                   substring(pg_get_indexdef(index) FROM 'USING .*'));
    EXECUTE format('ALTER INDEX %s ATTACH PARTITION %I', index, own);
END $$;

DO $$
DECLARE
    day regclass;
    has_rows boolean;
BEGIN
    FOR day IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'requests'::regclass LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', day) INTO has_rows;
        IF NOT has_rows THEN
            PERFORM give_index(day, 'requests_by_caller');
        END IF;
    END LOOP;
END $$;
