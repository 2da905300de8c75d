-- Shares with two decimals, and releases that are carried out from their rows. Programs of before
-- go on: what they read and write stays, and means to them what it meant.

ALTER TABLE traffic
    DROP CONSTRAINT traffic_percent_check,
    ADD CONSTRAINT traffic_percent_check CHECK (percent BETWEEN 0 AND 100),  -- rounded: 0.1 % is 0
    ADD COLUMN basis_points integer  -- hundredths of a percent; null: as percent says
        CHECK (basis_points BETWEEN 1 AND 10000);

-- A release is its row: RUNNING, to programs of before, from its acceptance to its end.
ALTER TABLE releases
    ADD COLUMN shares jsonb,         -- version -> basis points: `traffic` as it is
    ADD COLUMN steps integer[] NOT NULL DEFAULT '{}'  -- basis points that the version gets in turn
        CHECK (0 < ALL (steps) AND 10000 >= ALL (steps)),
    ADD COLUMN steps_done integer NOT NULL DEFAULT 0
        CHECK (steps_done BETWEEN 0 AND cardinality(steps)),
    ADD COLUMN pause interval NOT NULL DEFAULT '0',  -- after each step but the last
    ADD COLUMN quality_margin double precision,      -- null: that of whoever carries it out
    ADD COLUMN next_step_time timestamptz,           -- null: none is due, it is paused or has ended
    ADD COLUMN waiting text          -- null: it is being carried out, or has ended
        CHECK (waiting IN ('ACCEPTED', 'PAUSED')),
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,  -- how often its version was begun to come in
    ADD COLUMN passes boolean NOT NULL DEFAULT false,  -- it ended for a reason that passes
    ADD COLUMN request_id uuid UNIQUE;               -- of the client's choice (AIP-155)

CREATE INDEX releases_due ON releases (next_step_time) WHERE state = 'RUNNING';
CREATE INDEX releases_under_way ON releases (model) WHERE state = 'RUNNING';

-- What the last move of the registry's alias has asked for.
ALTER TABLE aliases ADD COLUMN release uuid;
