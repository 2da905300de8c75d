-- Trainings that were asked for: by a person, or by an alert whose rule says so. Each is recorded
-- before it begins, and what it makes is released like any other version.

CREATE TABLE retrainings (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    model text NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    alert uuid,                      -- that asked for it; null: a person did
    actor text NOT NULL DEFAULT '',  -- who asked
    state text NOT NULL DEFAULT 'REQUESTED'
        CHECK (state IN ('REQUESTED', 'RUNNING', 'SUCCEEDED', 'FAILED')),
    holder backend,                  -- whose connection carries it out; it counts while that lives
    version text NOT NULL DEFAULT '',  -- that it registered
    error text NOT NULL DEFAULT '',    -- why it failed
    create_time timestamptz NOT NULL DEFAULT now(),
    start_time timestamptz,
    complete_time timestamptz,
    CHECK ((state IN ('SUCCEEDED', 'FAILED')) = (complete_time IS NOT NULL))
);

-- One at a time of a model: who asks again is told of the one that waits or runs.
CREATE UNIQUE INDEX retrainings_open ON retrainings (model) WHERE complete_time IS NULL;
