-- What a gateway may do that takes more than its own rights.
CREATE SCHEMA IF NOT EXISTS gateway_v1;

-- Replaces the split of a model's requests by {version: percent}, and notes who did it and why.
-- Errors: those of move_traffic.
CREATE OR REPLACE FUNCTION gateway_v1.set_traffic(
    for_model text, shares jsonb, actor text, reason text
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    release uuid;
BEGIN
    PERFORM FROM models WHERE id = for_model FOR UPDATE;  -- the history has the order of the moves
    INSERT INTO releases (model, action, actor, reason, state, complete_time)
    VALUES (for_model, 'SET_TRAFFIC', actor, reason, 'DONE', now())
    RETURNING id INTO release;
    PERFORM move_traffic(for_model, shares, release);
END $$;
