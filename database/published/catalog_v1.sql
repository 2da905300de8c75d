-- What the catalog says of versions: labels and address as they hold for each.
CREATE SCHEMA IF NOT EXISTS catalog_v1;

CREATE OR REPLACE VIEW catalog_v1.versions AS
SELECT v.model, v.version, v.state, v.sha256, v.update_time,
       CASE WHEN v.labels = '{}' THEN m.labels ELSE v.labels END AS labels,
       coalesce(v.address, m.address) AS address,
       m.listed
FROM versions v JOIN models m ON m.id = v.model;
