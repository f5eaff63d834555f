-- Programs, their versions, and what holders have of their own in them.

-- name: lock_program
-- A program by its name, held until the transaction ends.
select p.program_id, p.version, p.paid_until, p.retired_at is not null, v.definition::text
  from bursar.programs p
  join bursar.program_versions v using (program_id, version)
 where p.name = %(name)s
   for update of p;

-- name: add_program
-- A new program; another transaction may have been quicker.
insert into bursar.programs (name, version, starts_at, news_epoch, news_xid, news_until)
values (%(name)s, 1, %(starts_at)s, %(news_epoch)s, %(news_xid)s::text::xid8, bursar.now())
    on conflict (name) do nothing
returning program_id;

-- name: move_program
-- A program goes on with another version; one that was retired comes back.
update bursar.programs
   set version = %(version)s, retired_at = null
 where program_id = %(program_id)s;

-- name: add_version
-- The definition of one version, for good.
insert into bursar.program_versions (program_id, version, definition, made_at, actor, reason)
values (%(program_id)s, %(version)s, %(definition)s::text::json, bursar.now(), %(actor)s,
        %(reason)s);

-- name: retire_program
-- A program ends; its history stays.
update bursar.programs set retired_at = bursar.now()
 where name = %(name)s and retired_at is null
returning program_id;

-- name: read_programs
-- Every program that is in force, or the one named, in force or not.
select p.program_id, p.name, p.version, p.starts_at, p.paid_until, p.news_epoch, p.news_xid::text,
       p.news_until, p.switched_off, p.retired_at, v.definition::text, v.actor, p.switched_at,
       p.switched_by, p.switched_why
  from bursar.programs p
  join bursar.program_versions v using (program_id, version)
 where p.name = %(name)s or (%(name)s::text is null and p.retired_at is null)
 order by p.name;

-- name: read_names
-- The name of every program that was ever.
select p.name from bursar.programs p order by p.name;

-- name: read_version
-- One version of a program, whichever is in force.
select p.name, v.definition::text, v.actor
  from bursar.program_versions v
  join bursar.programs p using (program_id)
 where v.program_id = %(program_id)s and v.version = %(version)s;

-- name: read_versions
-- The versions of a program, the newest first.
select v.version, v.definition::text, v.made_at, v.actor, v.reason
  from bursar.program_versions v
  join bursar.programs p using (program_id)
 where p.name = %(name)s
 order by v.version desc;

-- name: lock_standing
-- How far a program has paid, held until the transaction ends, so that only one plans at a time.
select p.version, p.starts_at, p.paid_until, p.news_epoch, p.news_xid::text, p.news_until,
       p.switched_off
  from bursar.programs p
 where p.program_id = %(program_id)s and p.retired_at is null
   for update of p skip locked;

-- name: set_starts_at
-- A program that has paid nothing yet may begin at another time.
update bursar.programs set starts_at = %(starts_at)s where program_id = %(program_id)s;

-- name: set_paid_until
-- A program has taken up its periods to here.
update bursar.programs set paid_until = %(paid_until)s where program_id = %(program_id)s;

-- name: set_news
-- A program has looked at every change of holders up to here.
update bursar.programs
   set news_epoch = %(news_epoch)s, news_xid = %(news_xid)s::xid8, news_until = %(news_until)s
 where program_id = %(program_id)s;

-- name: switch_program
-- The one setting that stops a program, or lets it go on.
update bursar.programs
   set switched_off = %(off)s, switched_at = bursar.now(), switched_by = %(actor)s,
       switched_why = %(reason)s
 where name = %(name)s
returning program_id;

-- name: read_overrides
-- What operators have set for single holders in this range, or for those named.
select o.holder_id, o.amount, o.refresh_day, o.paused
  from bursar.program_overrides o
 where o.program_id = %(program_id)s
   and o.holder_id between %(first)s and %(last)s
   and (%(holder_ids)s::bigint[] is null or o.holder_id = any (%(holder_ids)s::bigint[]));

-- name: lock_override
-- Take turns in what is set for one holder in one program.
select pg_advisory_xact_lock(hashtextextended(%(key)s::text, 0));

-- name: set_override
-- What an operator sets for one holder.
insert into bursar.program_overrides (holder_id, program_id, amount, refresh_day, paused, set_at,
                                      actor, reason)
values (%(holder_id)s, %(program_id)s, %(amount)s, %(refresh_day)s, %(paused)s, bursar.now(),
        %(actor)s, %(reason)s)
    on conflict (holder_id, program_id) do update
   set amount = excluded.amount, refresh_day = excluded.refresh_day, paused = excluded.paused,
       set_at = excluded.set_at, actor = excluded.actor, reason = excluded.reason;

-- name: clear_override
-- The holder is as all others again.
delete from bursar.program_overrides
 where holder_id = %(holder_id)s and program_id = %(program_id)s;

-- name: raise_alert
-- Tell the operators; the same matter again is counted, not repeated.
insert into bursar.operator_alerts (kind, subject, message, raised_at, last_at)
values (%(kind)s, %(subject)s, %(message)s, bursar.now(), bursar.now())
    on conflict (kind, subject) where resolved_at is null do update
   set times = bursar.operator_alerts.times + 1, last_at = excluded.last_at,
       message = excluded.message;

-- name: read_alerts
-- What operators should know, the newest first.
select a.alert_id, a.kind, a.subject, a.message, a.times, a.raised_at, a.last_at, a.resolved_at,
       a.resolved_by
  from bursar.operator_alerts a
 where %(all)s or a.resolved_at is null
 order by a.last_at desc, a.alert_id desc
 limit %(limit)s;

-- name: resolve_alert
-- An operator has seen to it.
update bursar.operator_alerts
   set resolved_at = bursar.now(), resolved_by = %(actor)s
 where alert_id = %(alert_id)s and resolved_at is null
returning kind, subject;

-- name: find_outage
-- The outage of this very window, if it has been declared.
select o.outage_id from bursar.outages o
 where o.starts_at = %(starts_at)s and o.ends_at = %(ends_at)s;

-- name: add_outage
-- A window in which holders could not act, on record (P23).
insert into bursar.outages (starts_at, ends_at, declared_at, actor, reason)
values (%(starts_at)s, %(ends_at)s, bursar.now(), %(actor)s, %(reason)s)
returning outage_id;

-- name: read_outages
-- Every window declared.
select o.outage_id, o.starts_at, o.ends_at, o.declared_at, o.actor, o.reason
  from bursar.outages o
 order by o.starts_at, o.outage_id;

-- name: now
-- The economy's clock.
select bursar.now();
