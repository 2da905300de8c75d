-- Who asked, and the trace that it belongs to. A default that is a constant rewrites no table.

ALTER TABLE requests ADD COLUMN caller text NOT NULL DEFAULT '';  -- '': callers are not told apart

ALTER TABLE outbox ADD COLUMN traceparent text;                   -- W3C; null: no trace, or several
