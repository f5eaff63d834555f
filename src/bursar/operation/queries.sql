-- Checks of the books, signs of life, and what is forgotten.

-- name: lock_checks
-- One process at a time decides whether a check is due; held until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('bursar.verifications', 0));

-- name: take_up_check
-- A check of all the books that was broken off, and that is not too old to be gone on with.
update bursar.verifications
   set seen_at = clock_timestamp()
 where verification_id = (
       select v.verification_id
         from bursar.verifications v
        where v.ended_at is null and not v.part and v.checkpoint is not null
          and v.seen_at < clock_timestamp() - make_interval(secs => %(silent_s)s)
          and v.began_at > clock_timestamp() - make_interval(hours => %(hours)s)
        order by v.verification_id desc
        limit 1)
returning verification_id, checkpoint::text;

-- name: begin_check
-- A check begins, whoever else is at one.
insert into bursar.verifications (began_at, seen_at, part, actor, reason)
select n.now, n.now, %(part)s, %(actor)s, %(reason)s
  from (select clock_timestamp() as now) as n
returning verification_id;

-- name: begin_due_check
-- A check of all the books begins, unless one is under way or was made not long ago.
insert into bursar.verifications (began_at, seen_at, part, actor, reason)
select n.now, n.now, false, %(actor)s, %(reason)s
  from (select clock_timestamp() as now) as n
 where not exists (
       select from bursar.verifications v
        where not v.part
          and case when v.ended_at is null
                   then v.seen_at >= n.now - make_interval(secs => %(silent_s)s)
                   else v.began_at > n.now - make_interval(hours => %(hours)s) end)
returning verification_id;

-- name: keep_check
-- How far a check has come, and that somebody is at it.
update bursar.verifications
   set seen_at = clock_timestamp(), checkpoint = %(checkpoint)s::text::json
 where verification_id = %(verification_id)s and ended_at is null;

-- name: end_check
-- What a check has come to.
update bursar.verifications
   set seen_at = n.now, ended_at = n.now, checkpoint = null, wallets = %(wallets)s,
       entries = %(entries)s, unverifiable = %(unverifiable)s, found = %(found)s
  from (select clock_timestamp() as now) as n
 where verification_id = %(verification_id)s;

-- name: read_checks
-- Checks, the newest first.
select v.verification_id, v.began_at, v.seen_at, v.ended_at, v.wallets, v.entries, v.unverifiable,
       v.found, v.part, v.actor, v.reason
  from bursar.verifications v
 order by v.verification_id desc
 limit %(limit)s;

-- name: note_worker
-- A worker says that it lives; those not heard of for a week are forgotten with it.
with gone as (
    delete from bursar.workers
     where seen_at < clock_timestamp() - interval '7 days' and worker <> %(worker)s
)
insert into bursar.workers (worker, started_at, seen_at)
values (%(worker)s, clock_timestamp(), clock_timestamp())
    on conflict (worker) do update set seen_at = excluded.seen_at;

-- name: forget_worker
-- A worker has ended as it should.
delete from bursar.workers where worker = %(worker)s;

-- name: count_failures
-- Failures that have been resolved and may be forgotten.
select count(*)
  from bursar.run_failures f
 where f.failed_at < bursar.now() - make_interval(days => %(days)s)
   and f.resolved_at < bursar.now() - make_interval(days => %(days)s);

-- name: forget_failures
-- Some of them go.
with old as (
    select f.holder_id, f.run_id
      from bursar.run_failures f
     where f.failed_at < bursar.now() - make_interval(days => %(days)s)
       and f.resolved_at < bursar.now() - make_interval(days => %(days)s)
     order by f.failed_at
     limit %(limit)s
), gone as (
    delete from bursar.run_failures f
     using old o
     where f.holder_id = o.holder_id and f.run_id = o.run_id and f.resolved_at is not null
    returning 1
)
select count(*) from gone;

-- name: count_exclusions
-- Whom runs left out that ended long ago.
select count(*)
  from bursar.run_exclusions x
  join bursar.runs r using (run_id)
 where r.state not in ('waiting', 'running', 'paused', 'reverting')
   and coalesce(r.finished_at, r.started_at)
       < bursar.now() - make_interval(days => %(days)s);

-- name: forget_exclusions
-- Some of those of the oldest such run go.
with old as (
    select r.run_id
      from bursar.runs r
     where r.state not in ('waiting', 'running', 'paused', 'reverting')
       and coalesce(r.finished_at, r.started_at)
           < bursar.now() - make_interval(days => %(days)s)
       and exists (select from bursar.run_exclusions x where x.run_id = r.run_id)
     order by r.run_id
     limit 1
), chosen as (
    select x.run_id, x.holder_id
      from bursar.run_exclusions x
      join old using (run_id)
     order by x.holder_id
     limit %(limit)s
), gone as (
    delete from bursar.run_exclusions x
     using chosen s
     where x.holder_id = s.holder_id and x.run_id = s.run_id
    returning 1
)
select count(*) from gone;

-- name: count_alerts
-- Alerts that were closed long ago.
select count(*)
  from bursar.operator_alerts a
 where a.resolved_at < bursar.now() - make_interval(days => %(days)s);

-- name: forget_alerts
-- Some of them go.
with gone as (
    delete from bursar.operator_alerts
     where alert_id in (
           select a.alert_id
             from bursar.operator_alerts a
            where a.resolved_at < bursar.now() - make_interval(days => %(days)s)
            order by a.alert_id
            limit %(limit)s)
    returning 1
)
select count(*) from gone;

-- name: count_verifications
-- Checks of long ago, but for the last that checked everything.
select count(*)
  from bursar.verifications v
 where v.seen_at < clock_timestamp() - make_interval(days => %(days)s)
   and v.verification_id is distinct from (
       select max(w.verification_id)
         from bursar.verifications w
        where w.ended_at is not null and not w.part);

-- name: forget_verifications
-- Some of them go.
with gone as (
    delete from bursar.verifications
     where verification_id in (
           select v.verification_id
             from bursar.verifications v
            where v.seen_at < clock_timestamp() - make_interval(days => %(days)s)
              and v.verification_id is distinct from (
                  select max(w.verification_id)
                    from bursar.verifications w
                   where w.ended_at is not null and not w.part)
            order by v.verification_id
            limit %(limit)s)
    returning 1
)
select count(*) from gone;
