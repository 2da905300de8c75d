-- name: hold_snapshot
-- Has the statements that follow see the same catalog.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ

-- name: models
-- Reads the models and how their traffic is split. Labels are those of the version that has most of
-- it; before the first release, those that it must have.
SELECT m.id, m.description, coalesce(champion.labels, m.labels) AS labels, m.address,
       m.feature_share, releases_v1.shares(m.id) AS traffic,
       coalesce(jsonb_object_agg(t.version, t.percent) FILTER (WHERE t.model IS NOT NULL), '{}')
           AS percent,
       releases_v1.traffic_etag(m.id) AS etag
FROM models m LEFT JOIN traffic t ON t.model = m.id
LEFT JOIN LATERAL (
    SELECT v.labels
    FROM traffic s JOIN catalog_v1.versions v ON v.model = s.model AND v.version = s.version
    WHERE s.model = m.id
    ORDER BY coalesce(s.basis_points, 100 * s.percent) DESC, s.version::bigint LIMIT 1
) champion ON true
WHERE m.listed
GROUP BY m.id, champion.labels ORDER BY m.id

-- name: versions
-- Reads their versions, the newest first.
SELECT model, version, state::text, sha256, update_time, labels, address
FROM catalog_v1.versions
WHERE listed
ORDER BY model, version::bigint DESC
