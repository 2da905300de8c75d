-- Who asked, and the trace that it belongs to. A default that is a constant rewrites no table.
-- In request_ids, a request_id of a caller with a name is from now on a key made of both, which
-- gateway/request_keys.py makes.

ALTER TABLE requests ADD COLUMN caller text NOT NULL DEFAULT '';  -- '': callers are not told apart

ALTER TABLE outbox ADD COLUMN traceparent text;                   -- W3C; null: no trace, or several
