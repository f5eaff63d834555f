-- The figures for metrics: each statement reads an index's end or a small table.

-- name: read_moment
-- The instant, the day in UTC, the schema, the size of the database.
select n.now, (n.now at time zone 'UTC')::date,
       (select max(m.number) from bursar.migrations m),
       pg_database_size(current_database()),
       (select count(*) from bursar.operator_alerts a where a.resolved_at is null),
       (select count(*) from bursar.workers w
         where w.seen_at > clock_timestamp() - interval '2 minutes')
  from (select bursar.now() as now) as n;

-- name: read_movements
-- House totals of the days from one to another, both included, as the wallets see them.
select a.code, t.account, t.kind, -sum(t.amount)::bigint, sum(t.entries)::bigint
  from bursar.house_totals t
  join bursar.assets a using (asset_id)
 where t.day >= %(first)s and t.day <= %(last)s
 group by 1, 2, 3;

-- name: read_runs
-- Runs begun since an instant, by program, kind and state. That nothing begins after now is known to
-- nobody but the planner, who else takes a third of all runs to be of today.
select coalesce(p.name, ''), r.kind, r.state, count(*)
  from bursar.runs r
  left join bursar.programs p using (program_id)
 where r.started_at >= %(since)s and r.started_at <= %(now)s and not r.dry_run
 group by 1, 2, 3
 order by 1, 2, 3;

-- name: read_awards
-- What runs begun since an instant have given, and whom they set aside at first. Added up run by run,
-- so that the chunks of earlier runs are never read.
select coalesce(p.name, ''), r.asset, sum(d.awarded)::bigint, sum(d.amount)::bigint,
       sum(d.failed)::bigint
  from bursar.runs r
 cross join lateral (
       select sum(c.awarded) as awarded, sum(c.amount) as amount, sum(c.failed) as failed
         from bursar.run_chunks c
        where c.run_id = r.run_id and c.done_at is not null
       having count(*) > 0) as d
  left join bursar.programs p using (program_id)
 where r.started_at >= %(since)s and r.started_at <= %(now)s and not r.dry_run
   and r.kind <> 'revert'
 group by 1, 2
 order by 1, 2;

-- name: read_programs
-- Each program in force: holders paused, counted to a limit, and the latest run that came to its end.
select p.name, not p.switched_off,
       (select count(*) from (
           select from bursar.program_overrides o
            where o.program_id = p.program_id and o.paused limit %(limit)s) as o),
       extract(epoch from l.finished_at - l.started_at)::float8, l.finished_at
  from bursar.programs p
  left join lateral (
       select r.started_at, r.finished_at
         from bursar.runs r
        where r.program_id = p.program_id and r.state = 'finished' and not r.dry_run
          and r.kind = 'scheduled'
        order by r.run_id desc
        limit 1) as l on true
 where p.retired_at is null
 order by p.name;

-- name: read_failures
-- Holders whom runs have set aside and who still wait, by program: so many in all at most, those of
-- the newest runs. Only runs that have some are looked up, for there may be very many others.
select coalesce(p.name, ''), sum(f.failures)::bigint
  from (select w.run_id, count(*) as failures
          from (select o.run_id
                  from bursar.run_failures o
                 where o.resolved_at is null
                 order by o.run_id desc
                 limit %(limit)s) as w
         group by w.run_id) as f
 cross join lateral (
       select r.program_id from bursar.runs r where r.run_id = f.run_id limit 1) as r
  left join bursar.programs p using (program_id)
 group by 1
 order by 1;

-- name: read_queue
-- What is yet to be done: chunks of running runs, runs that wait or are paused; holds that are
-- open, lapses and expiries that are due, each counted to a limit at most.
select (select count(*) from bursar.runs r join bursar.run_chunks c using (run_id)
         where r.state = 'running' and c.done_at is null),
       (select count(*) from bursar.runs r where r.state = 'waiting'),
       (select count(*) from bursar.runs r where r.state = 'paused'),
       (select count(*) from (
           select from bursar.holds h where h.state = 'open' limit %(limit)s) as h),
       (select count(*) from (
           select from bursar.holds h
            where h.state = 'open' and h.deadline <= %(now)s limit %(limit)s) as h),
       (select count(*) from (
           select from bursar.lots l
            where l.open and l.expires_at <= %(now)s limit %(limit)s) as l);

-- name: read_followers
-- How long the oldest posting that a follower has not seen has waited, in seconds, and how many
-- entries so many postings from there on have.
select c.follower, coalesce(greatest(extract(epoch from %(now)s - n.recorded_at), 0), 0)::float8,
       coalesce(m.entries, 0)::bigint
  from bursar.cursors c
  left join lateral (
       select p.recorded_at
         from bursar.postings p
        where (p.epoch, p.xid, p.posting_id) > (c.epoch, c.xid, c.posting_id)
        order by p.epoch, p.xid, p.posting_id
        limit 1) as n on true
 cross join lateral (
       select sum(w.entries) as entries
         from (select p.entries
                 from bursar.postings p
                where (p.epoch, p.xid, p.posting_id) > (c.epoch, c.xid, c.posting_id)
                order by p.epoch, p.xid, p.posting_id
                limit %(limit)s) as w) as m
 order by c.follower;

-- name: read_notices
-- Dispatches that are open, webhooks, addresses that are blocked, these counted to a limit.
select (select count(*) from bursar.dispatches d where d.state = 'running'),
       (select count(*) from bursar.dispatches d where d.state = 'paused'),
       (select count(*) from bursar.webhook_endpoints e
         where e.state = 'on' and e.removed_at is null),
       (select count(*) from bursar.webhook_endpoints e
         where e.state = 'off' and e.removed_at is null),
       (select count(*) from (select from bursar.mail_bounces limit %(limit)s) as b);

-- name: read_check
-- The last whole check that came to its end, and whether one is under way.
select l.ended_at, l.found = 0, l.found, l.entries,
       extract(epoch from l.ended_at - l.began_at)::float8,
       exists (select from bursar.verifications v
                where v.ended_at is null
                  and v.seen_at >= clock_timestamp() - make_interval(secs => %(silent_s)s))
  from (select) as one
  left join lateral (
       select v.ended_at, v.began_at, v.found, v.entries
         from bursar.verifications v
        where v.ended_at is not null and not v.part
        order by v.verification_id desc
        limit 1) as l on true;
