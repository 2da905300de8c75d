-- name: set_shares
-- Replaces the split of a model's requests, and notes who did it and why.
SELECT releases_v1.set_shares(%(model)s, %(shares)s, %(actor)s, %(reason)s, %(etag)s)

-- name: create_release
-- Accepts a release of a version; answers with its id.
SELECT releases_v1.create_release(
    %(model)s, %(version)s, %(steps)s, %(pause)s, %(quality_margin)s,
    %(actor)s, %(reason)s, %(etag)s, %(request_id)s)::text

-- name: shift
-- Promotes the newest version or goes back to what was before; answers with the release's id.
SELECT releases_v1.shift(
    %(model)s, %(action)s, %(actor)s, %(reason)s, %(etag)s, %(request_id)s)::text

-- name: pause
-- Keeps a release at its step.
SELECT releases_v1.pause_release(%(release)s, %(etag)s)

-- name: resume
-- Lets a release go on.
SELECT releases_v1.resume_release(%(release)s, %(etag)s)

-- name: cancel
-- Ends a release where it stands.
SELECT releases_v1.cancel_release(%(release)s, %(etag)s)

-- name: get_release
-- Reads one release.
SELECT id::text, model, version, action::text, actor, reason, state, refusal, detail, traffic,
       shares, steps, steps_done, pause, quality_margin, next_step_time, create_time,
       complete_time, etag
FROM releases_v1.releases WHERE id = %(release)s

-- name: list_releases
-- Reads the history of a model, the newest first.
SELECT id::text, model, version, action::text, actor, reason, state, refusal, detail, traffic,
       shares, steps, steps_done, pause, quality_margin, next_step_time, create_time,
       complete_time, etag
FROM releases_v1.releases
WHERE model = %(model)s AND (%(before_id)s::uuid IS NULL OR id < %(before_id)s::uuid)
ORDER BY id DESC LIMIT %(limit)s
