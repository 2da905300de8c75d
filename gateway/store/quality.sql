-- name: list_metrics
-- Reads a page of a model's figures, the newest hour first.
SELECT model, version, hour, slice, metric, value, low, high, rows, reference, computed_at
FROM quality_metrics
WHERE model = %(model)s
  AND (%(version)s::text IS NULL OR version = %(version)s)
  AND (%(slice)s::text IS NULL OR slice = %(slice)s)
  AND (%(metric_prefix)s::text IS NULL OR starts_with(metric, %(metric_prefix)s))
  AND (%(start_time)s::timestamptz IS NULL OR hour >= %(start_time)s)
  AND (%(end_time)s::timestamptz IS NULL OR hour < %(end_time)s)
  AND (%(last_hour)s::timestamptz IS NULL
       OR hour <= %(last_hour)s
          AND (hour < %(last_hour)s OR (version, slice, metric)
               > (%(last_version)s::text, %(last_slice)s::text, %(last_metric)s::text)))
ORDER BY hour DESC, version, slice, metric LIMIT %(limit)s

-- name: list_references
-- Reads a page of what the hours of a model are compared with: the chosen one, then by version.
SELECT model, version, name, rows, create_time
FROM monitoring_references
WHERE model = %(model)s
  AND (%(after)s::text IS NULL OR (length(version), version) > (length(%(after)s), %(after)s))
ORDER BY length(version), version LIMIT %(limit)s

-- name: get_reference
-- Reads what the hours of a version are compared with: the chosen one before its default.
SELECT model, version, name, rows, create_time
FROM monitoring_references
WHERE model = %(model)s AND version IN ('', %(version)s)
ORDER BY version LIMIT 1
