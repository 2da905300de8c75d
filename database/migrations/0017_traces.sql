-- The trace that a request belongs to goes on with what is made of it later, and an event of several
-- requests has links to the traces of all of them. Columns that may be null rewrite no table.

ALTER TABLE requests ADD COLUMN traceparent text;  -- W3C, of what accepted it; null: no trace

ALTER TABLE outbox ADD COLUMN links text[];        -- traceparents, beside the event's own
