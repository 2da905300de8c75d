-- What each group of logins may do: the least that its programs' statements need. A program that
-- reads no texts is given the columns that it reads.

DO $$ BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I'
                   ' TO pmesh_annotation, pmesh_gateway, pmesh_monitoring, pmesh_relay,'
                   ' pmesh_rollout, pmesh_training, pmesh_worker',
                   current_database());
END $$;

-- From nothing, so that this file is all that holds.
REVOKE ALL ON SCHEMA
    public, alerts_v1, annotation_v1, catalog_v1, events_v1, gateway_v1, labels_v1, monitoring_v1,
    relay_v1, releases_v1, rollout_v1, training_v1, worker_v1
    FROM PUBLIC, pmesh_annotation, pmesh_gateway, pmesh_monitoring, pmesh_relay, pmesh_rollout,
         pmesh_training, pmesh_worker;
REVOKE ALL ON ALL TABLES IN SCHEMA public, catalog_v1, labels_v1, releases_v1
    FROM PUBLIC, pmesh_annotation, pmesh_gateway, pmesh_monitoring, pmesh_relay, pmesh_rollout,
         pmesh_training, pmesh_worker;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA
    public, alerts_v1, annotation_v1, events_v1, gateway_v1, labels_v1, monitoring_v1, relay_v1,
    releases_v1, rollout_v1, training_v1, worker_v1
    FROM PUBLIC, pmesh_annotation, pmesh_gateway, pmesh_monitoring, pmesh_relay, pmesh_rollout,
         pmesh_training, pmesh_worker;

-- The gateway records and reads predictions and labels, reads the catalog and the figures, and asks
-- for releases.
GRANT USAGE ON SCHEMA public, catalog_v1, events_v1, gateway_v1, labels_v1, releases_v1
    TO pmesh_gateway;
GRANT SELECT (id, model, version, text, state, create_time, complete_time, expire_time, error,
              tags, erase_time, caller, traceparent),
      INSERT (id, model, version, text, state, create_time, complete_time, expire_time, caller,
              error, tags, traceparent),
      UPDATE (state, complete_time, traceparent)
    ON requests TO pmesh_gateway;
GRANT SELECT, INSERT ON predictions, request_ids TO pmesh_gateway;
GRANT INSERT (id, event, model, version, payload, traceparent, links) ON outbox TO pmesh_gateway;
GRANT SELECT ON models, traffic, catalog_v1.versions, releases, releases_v1.releases
    TO pmesh_gateway;
GRANT SELECT ON labels, labels_v1.newest, labels_v1.decided TO pmesh_gateway;
GRANT SELECT ON quality_metrics TO pmesh_gateway;
GRANT SELECT (model, version, name, rows, create_time) ON monitoring_references TO pmesh_gateway;
GRANT EXECUTE ON FUNCTION labels_v1.attach, labels_v1.withdraw TO pmesh_gateway;
GRANT EXECUTE ON FUNCTION uuid_at, notify_changed, gateway_v1.set_traffic, gateway_v1.erase
    TO pmesh_gateway;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA events_v1 TO pmesh_gateway;
GRANT EXECUTE ON FUNCTION
    releases_v1.shares, releases_v1.traffic_etag, releases_v1.from_percent, releases_v1.set_shares,
    releases_v1.shift, releases_v1.create_release, releases_v1.pause_release,
    releases_v1.resume_release, releases_v1.cancel_release
    TO pmesh_gateway;

-- The relay empties the outbox, finishes requests, and takes away what is kept no longer; it reads
-- no text.
GRANT USAGE ON SCHEMA public, catalog_v1, events_v1, relay_v1 TO pmesh_relay;
GRANT SELECT (id, model, version, state, create_time, expire_time, attempt, publish_time,
              lease_until, claim_token, traceparent),
      UPDATE (state, complete_time, error, publish_time, lease_until, traceparent)
    ON requests TO pmesh_relay;
GRANT SELECT (id), INSERT ON predictions TO pmesh_relay;
GRANT SELECT, INSERT, UPDATE (sealed), DELETE ON outbox TO pmesh_relay;
GRANT SELECT (create_time), DELETE ON request_ids TO pmesh_relay;  -- of relays of before
GRANT SELECT, UPDATE (next_time), DELETE ON erasures TO pmesh_relay;
GRANT SELECT, UPDATE ON publishing TO pmesh_relay;
GRANT SELECT (id, labels) ON models TO pmesh_relay;
GRANT SELECT ON catalog_v1.versions TO pmesh_relay;
GRANT EXECUTE ON FUNCTION
    notify_changed, relay_v1.create_partitions, relay_v1.index_day, relay_v1.settle_days,
    relay_v1.kept_since, relay_v1.forget_request_ids, relay_v1.days_before, relay_v1.clear_day,
    relay_v1.drop_day, relay_v1.oldest_transaction
    TO pmesh_relay;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA events_v1 TO pmesh_relay;

-- Releases keep the versions and the history, and see of requests only whether a version has work.
GRANT USAGE ON SCHEMA public, releases_v1, rollout_v1, training_v1 TO pmesh_rollout;
GRANT SELECT (id, labels, listed) ON models TO pmesh_rollout;
GRANT SELECT (id, model, version, state) ON requests TO pmesh_rollout;
GRANT SELECT ON traffic TO pmesh_rollout;
GRANT SELECT, INSERT, UPDATE (state, sha256, labels, address, update_time)
    ON versions TO pmesh_rollout;
GRANT SELECT, INSERT, UPDATE (state, refusal, detail, complete_time, waiting, attempts, passes)
    ON releases TO pmesh_rollout;
GRANT SELECT, INSERT, UPDATE (version, pending, release) ON aliases TO pmesh_rollout;
GRANT SELECT, INSERT, UPDATE (holder), DELETE ON release_locks TO pmesh_rollout;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA rollout_v1 TO pmesh_rollout;
GRANT EXECUTE ON FUNCTION
    releases_v1.champion, releases_v1.kept, releases_v1.hold,
    releases_v1.create_release, releases_v1.take_step
    TO pmesh_rollout;
GRANT EXECUTE ON FUNCTION training_v1.texts TO pmesh_rollout;  -- held-out ones, to judge by

-- Training reads what people have labelled, and works off what it is asked for.
GRANT USAGE ON SCHEMA public, rollout_v1, training_v1 TO pmesh_training;
GRANT SELECT (id) ON models TO pmesh_training;
GRANT SELECT ON retrainings TO pmesh_training;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA training_v1 TO pmesh_training;
GRANT EXECUTE ON FUNCTION rollout_v1.this_backend TO pmesh_training;

-- A worker claims requests of its model, and keeps the claims.
GRANT USAGE ON SCHEMA worker_v1 TO pmesh_worker;
GRANT EXECUTE ON FUNCTION worker_v1.model, worker_v1.claim, worker_v1.extend TO pmesh_worker;

-- Monitoring counts predictions and labels by functions that give it no text, changes alerts by
-- functions that tell of it, and delivers what the webhook is told.
GRANT USAGE ON SCHEMA public, alerts_v1, monitoring_v1 TO pmesh_monitoring;
GRANT SELECT (id, model, version, state) ON requests TO pmesh_monitoring;
GRANT SELECT (id, retention_days, alert_rules) ON models TO pmesh_monitoring;
GRANT SELECT, INSERT, DELETE ON quality_metrics, monitoring_stale TO pmesh_monitoring;
GRANT SELECT, UPDATE (through) ON monitoring_progress TO pmesh_monitoring;
GRANT SELECT, INSERT, UPDATE (rows, unfinished, computed_at) ON monitoring_hours
    TO pmesh_monitoring;
GRANT SELECT, INSERT, DELETE,
      UPDATE (name, rows, profiles, vocabulary, unknown_words, create_time)
    ON monitoring_references TO pmesh_monitoring;
GRANT SELECT, INSERT ON monitoring_features TO pmesh_monitoring;
GRANT EXECUTE ON FUNCTION uuid_at TO pmesh_monitoring;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA monitoring_v1 TO pmesh_monitoring;
GRANT SELECT ON alerts, alert_events TO pmesh_monitoring;
GRANT EXECUTE ON FUNCTION alerts_v1.fire, alerts_v1.acknowledge, alerts_v1.resolve
    TO pmesh_monitoring;
GRANT SELECT, UPDATE (state, attempts, next_time) ON webhook_deliveries TO pmesh_monitoring;
GRANT SELECT, INSERT, UPDATE (status, error) ON webhook_attempts TO pmesh_monitoring;

-- Annotation sends texts to where people label them, and says what they said of those.
GRANT USAGE ON SCHEMA public, annotation_v1, catalog_v1 TO pmesh_annotation;
GRANT SELECT (id, labels, listed, retention_days) ON models TO pmesh_annotation;
GRANT SELECT ON catalog_v1.versions TO pmesh_annotation;
GRANT SELECT, UPDATE (project, labels, through, full_look_time)
    ON annotation_projects TO pmesh_annotation;
GRANT SELECT, UPDATE (task, state), DELETE ON annotation_tasks TO pmesh_annotation;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA annotation_v1 TO pmesh_annotation;
