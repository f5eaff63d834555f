-- Notices: what is in force, what holders wish.

-- name: put_settings
-- The settings of an economy file; facts count from the first that was applied.
update bursar.notice_state
   set settings = %(settings)s::json, started_at = coalesce(started_at, bursar.now());

-- name: read_state
-- What is in force; what happened before epoch_since may have been sent before a restore.
select s.settings::text, s.started_at, s.epoch_since, s.epoch, e.epoch, bursar.now(),
       clock_timestamp(), s.warned_until
  from bursar.notice_state s
 cross join bursar.economy e;

-- name: note_epoch
-- The epoch after a restore is noted once.
update bursar.notice_state s
   set epoch = e.epoch, epoch_since = bursar.now()
  from bursar.economy e
 where e.epoch <> s.epoch
returning s.epoch;

-- name: read_preferences
-- What these holders wish, those who have said something.
select p.holder_id, p.choices::text, p.quiet_from, p.quiet_until, p.revision
  from bursar.notice_preferences p
 where p.holder_id = any (%(holder_ids)s::bigint[]);

-- name: lock_preferences
-- One holder's wishes, of which no two are changed at once.
select p.holder_id, p.choices::text, p.quiet_from, p.quiet_until, p.revision
  from bursar.notice_preferences p
 where p.holder_id = %(holder_id)s
   for no key update;

-- name: add_preferences
-- A row for a holder who has said nothing yet.
insert into bursar.notice_preferences (holder_id, revision, changed_at, choices)
values (%(holder_id)s, 0, bursar.now(), '{}')
    on conflict (holder_id) do nothing;

-- name: set_preferences
-- What a holder wishes from now on.
update bursar.notice_preferences
   set choices = %(choices)s::jsonb, quiet_from = %(quiet_from)s, quiet_until = %(quiet_until)s,
       revision = revision + 1, changed_at = bursar.now()
 where holder_id = %(holder_id)s
returning revision;
