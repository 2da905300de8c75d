-- What a gateway may do that takes more than its own rights.
CREATE SCHEMA IF NOT EXISTS gateway_v1;

-- Replaces the split of a model's requests by {version: percent}, for gateways of before.
CREATE OR REPLACE FUNCTION gateway_v1.set_traffic(
    for_model text, shares jsonb, actor text, reason text
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM releases_v1.set_shares(
        for_model, releases_v1.from_percent(shares), actor, reason, '');
END $$;
