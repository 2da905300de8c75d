-- What a gateway may do that takes more than its own rights.
CREATE SCHEMA IF NOT EXISTS gateway_v1;

-- Takes from a finished prediction what it holds of a person, and asks for the same of the object
-- that has its features. Of its error, the code and the reason stay. Again, or of an unknown or an
-- unfinished one, is nothing, and so is it while others hold the row.
CREATE OR REPLACE FUNCTION gateway_v1.erase(prediction uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_custom_plan  -- others open each day of the record
    AS $$
BEGIN
    UPDATE requests
    SET text = '', tags = NULL, traceparent = NULL, erase_time = now(),
        error = CASE WHEN error IS NOT NULL THEN jsonb_build_object(
            'code', error -> 'code',
            'details', jsonb_path_query_array(error, '$.details[*] ? (exists(@.reason))')
                       #- '{0,metadata}') END
    WHERE id = prediction
      AND id = (SELECT id FROM requests WHERE id = prediction AND erase_time IS NULL
                AND state NOT IN ('ACCEPTED', 'RUNNING') FOR UPDATE SKIP LOCKED);
    IF FOUND THEN
        INSERT INTO erasures (id, features_uri)
        SELECT id, features_uri FROM predictions WHERE id = prediction AND features_uri <> ''
        ON CONFLICT (id) DO NOTHING;
        UPDATE predictions SET features_uri = '' WHERE id = prediction AND features_uri <> '';
    END IF;
END $$;

-- Replaces the split of a model's requests by {version: percent}, for gateways of before.
CREATE OR REPLACE FUNCTION gateway_v1.set_traffic(
    for_model text, shares jsonb, actor text, reason text
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM releases_v1.set_shares(
        for_model, releases_v1.from_percent(shares), actor, reason, '');
END $$;
