-- The economy file's versions, and the test clock.

-- name: lock_economy
-- Whoever changes the economy or its clock takes turns here; the row is always there.
select sandbox, clock_offset <> '0' from bursar.economy for no key update;

-- name: read_clock
-- The economy's clock, how far it was moved, and whether it may be.
select bursar.now(), clock_offset, sandbox from bursar.economy;

-- name: move_clock
-- Put the clock ahead to an instant, in seconds so that no calendar plays in; it never goes back.
update bursar.economy
   set clock_offset = greatest(
           clock_offset,
           make_interval(secs => extract(epoch from %(target)s::timestamptz - clock_timestamp())))
 where sandbox
returning clock_timestamp() + clock_offset;

-- name: next_due_in_books
-- When the next lot expires or the next hold lapses, past or to come.
select least(
    (select min(expires_at) from bursar.lots where open and expires_at is not null),
    (select min(deadline) from bursar.holds where state = 'open' and deadline is not null));

-- name: set_sandbox
-- Say whether the clock may be moved.
update bursar.economy set sandbox = %(sandbox)s where sandbox <> %(sandbox)s;

-- name: has_entries
-- Whether credit has moved in this economy.
select exists (select from bursar.postings);

-- name: read_in_force
-- The version whose text is in force.
select version, name, text, sha256, state, made_at, actor, reason, applied_at, decided_by,
       decided_at
  from bursar.economy_versions
 where state = 'applied'
 order by version desc
 limit 1;

-- name: read_waiting
-- The version that waits for a second person, if there is one.
select version, name, text, sha256, state, made_at, actor, reason, applied_at, decided_by,
       decided_at
  from bursar.economy_versions
 where state = 'waiting';

-- name: read_version
-- One version, however it stands.
select version, name, text, sha256, state, made_at, actor, reason, applied_at, decided_by,
       decided_at
  from bursar.economy_versions
 where version = %(version)s;

-- name: read_history
-- Versions, the newest first, below a number.
select version, name, text, sha256, state, made_at, actor, reason, applied_at, decided_by,
       decided_at
  from bursar.economy_versions
 where version < %(below)s
 order by version desc
 limit %(limit)s;

-- name: read_applied_texts
-- The texts that once were in force and speak of a word, the newest first.
select text
  from bursar.economy_versions
 where state = 'applied' and strpos(text, %(word)s) > 0
 order by version desc;

-- name: add_version
-- Write a version under the next number; the economy is locked.
insert into bursar.economy_versions
       (version, name, text, sha256, state, made_at, actor, reason, applied_at)
select coalesce(max(version), 0) + 1, %(name)s, %(text)s, %(sha256)s, %(state)s, bursar.now(),
       %(actor)s, %(reason)s, case when %(state)s = 'applied' then bursar.now() end
  from bursar.economy_versions
returning version, name, text, sha256, state, made_at, actor, reason, applied_at, decided_by,
          decided_at;

-- name: decide_waiting
-- Put the version that waits in force, or refuse it.
update bursar.economy_versions
   set state = %(state)s,
       applied_at = case when %(state)s = 'applied' then bursar.now() end,
       decided_by = %(actor)s,
       decided_at = bursar.now()
 where state = 'waiting'
returning version, name, text, sha256, state, made_at, actor, reason, applied_at, decided_by,
          decided_at;
