-- Requests to publish are found by version: one that does not answer keeps no other of its model
-- waiting.
CREATE INDEX outbox_requests ON outbox (model, version, id) WHERE event = 'inference_request';
