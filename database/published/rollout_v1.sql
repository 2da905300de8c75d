-- What releases may do that takes more than their own rights, and how they know each other.
CREATE SCHEMA IF NOT EXISTS rollout_v1;

-- Keeps others from moving the traffic of a model, until the transaction ends.
CREATE OR REPLACE FUNCTION rollout_v1.hold_traffic(for_model text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT FROM models WHERE id = for_model FOR UPDATE
$$;

-- Replaces the split, on behalf of a release. Errors: PM001 the shares do not add up to 100,
-- PM002 a version (the detail) is not SERVING.
CREATE OR REPLACE FUNCTION rollout_v1.move_traffic(for_model text, shares jsonb, by_release uuid)
    RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT move_traffic(for_model, shares, by_release)
$$;

-- The caller's connection.
CREATE OR REPLACE FUNCTION rollout_v1.this_backend() RETURNS public.backend
    LANGUAGE sql STABLE AS $$
    SELECT (pid, session_user, backend_start)::public.backend
    FROM pg_stat_activity WHERE pid = pg_backend_pid()
$$;

-- Whether a connection is still there. PostgreSQL hides the start of other logins' connections:
-- of those, the process and the login must do.
CREATE OR REPLACE FUNCTION rollout_v1.lives(one public.backend) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE pid = one.pid AND usename = one.login
          AND coalesce(backend_start, one.start_time) = one.start_time
    )
$$;
