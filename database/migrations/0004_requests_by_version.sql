-- Requests to publish are found by version: one that does not answer keeps no other of its model
-- waiting.
DROP INDEX outbox_by_event;
CREATE INDEX outbox_by_event ON outbox (event, model, version, id);
