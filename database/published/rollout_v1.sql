-- What releases may do that takes more than their own rights, and how they know each other.
CREATE SCHEMA IF NOT EXISTS rollout_v1;

-- Keeps others from moving the traffic of a model, until the transaction ends; for programs of
-- before.
CREATE OR REPLACE FUNCTION rollout_v1.hold_traffic(for_model text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT FROM models WHERE id = for_model FOR UPDATE
$$;

-- Replaces the split by {version: percent}, on behalf of a release; for programs of before.
CREATE OR REPLACE FUNCTION rollout_v1.move_traffic(for_model text, shares jsonb, by_release uuid)
    RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT releases_v1.move(for_model, releases_v1.from_percent(shares), by_release)
$$;

-- The caller's connection.
CREATE OR REPLACE FUNCTION rollout_v1.this_backend() RETURNS public.backend
    LANGUAGE sql STABLE AS $$
    SELECT (pid, session_user, backend_start)::public.backend
    FROM pg_stat_activity WHERE pid = pg_backend_pid()
$$;

-- Whether a connection is still there. PostgreSQL hides the start of other logins' connections:
-- of those, the process and the login must do. Process 0 stands for the record itself: what is
-- carried out from its row does not end with a connection, and programs of before leave it alone.
CREATE OR REPLACE FUNCTION rollout_v1.lives(one public.backend) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    SELECT one.pid = 0 OR EXISTS (
        SELECT FROM pg_stat_activity
        WHERE pid = one.pid AND usename = one.login
          AND coalesce(backend_start, one.start_time) = one.start_time
    )
$$;
