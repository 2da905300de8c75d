-- What the features of a version are compared with: a partition of their space, and how many of its
-- first answers are in each cell. It holds no row of features.
CREATE TABLE monitoring_features (
    model text NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    version text NOT NULL,
    name text NOT NULL,               -- as it is shown with each figure
    dimension integer NOT NULL,       -- of a row of features
    cuts float8[] NOT NULL,           -- as monitoring/partition.py makes them
    counts bigint[] NOT NULL,         -- rows of each cell, one more than there are cuts
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, version)
);

COMMENT ON TABLE monitoring_features IS
    'What the features of a version are compared with: its first answers, as counts of cells.';
