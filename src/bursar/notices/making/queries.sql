-- Making notices: where they can go, and which runs and periods are being told of.

-- name: read_endpoints
-- Where machines listen; who has gone for good is sent nothing more.
select e.endpoint_id, e.kinds
  from bursar.webhook_endpoints e
 where e.removed_at is null and (e.state = 'on' or e.why <> 'gone')
 order by e.endpoint_id;

-- name: any_running
-- Whether credit is being given by a run just now; one whose program is switched off gives none.
select exists (select from bursar.runs r
                 left join bursar.programs p using (program_id)
                where r.state = 'running' and (r.kind = 'revert' or p.switched_off is not true));

-- name: take_untold
-- Runs that have ended and are not told of yet, in the order in which they were made. One that was
-- canceled while somebody works on a chunk of it is left until that is done.
with ended as (
    select u.run_id from bursar.runs u
     where not u.told and u.state not in ('waiting', 'running', 'paused')
     order by u.run_id
     limit 100
       for update skip locked
), at_rest as (
    select c.run_id from bursar.run_chunks c
      join ended e using (run_id)
     where c.done_at is null
       for update of c skip locked
)
update bursar.runs r
   set told = true
 where r.run_id in (select e.run_id from ended e)
   and (select count(*) from at_rest a where a.run_id = r.run_id)
     = (select count(*) from bursar.run_chunks c where c.run_id = r.run_id and c.done_at is null)
returning r.run_id, r.kind, r.dry_run, r.version,
          (select p.name from bursar.programs p where p.program_id = r.program_id);

-- name: begin_run
-- A run is told of; of one that has gone on after it was told of, what came since. One that is
-- not at its end comes to that by itself.
insert into bursar.dispatches (run_id, started_at, phase, state)
values (%(run_id)s, bursar.now(), 'awards', 'running')
    on conflict (run_id) do update set state = 'running', ended_at = null
 where bursar.dispatches.state = 'finished';

-- name: begin_period
-- Everybody is reminded of a period, once.
insert into bursar.dispatches (program_id, period_key, started_at, phase, state)
values (%(program_id)s, %(period_key)s, bursar.now(), 'holders', 'running')
    on conflict (program_id, period_key) do nothing;

-- name: claim
-- A dispatch to do a slice of, held until the transaction ends. Of a run that goes on nothing is
-- told until it has ended again: its chunks are not done in their order.
select d.dispatch_id, d.run_id, d.program_id, d.period_key, d.phase, d.chunk_no, d.holder_id
  from bursar.dispatches d
 where d.state = 'running'
   and not exists (select from bursar.runs r where r.run_id = d.run_id and not r.told)
 order by d.dispatch_id
 limit 1
   for no key update of d skip locked;

-- name: advance
-- So far everything has been looked at.
update bursar.dispatches
   set phase = %(phase)s, chunk_no = %(chunk_no)s, holder_id = %(holder_id)s,
       looked = looked + %(looked)s, made = made + %(made)s
 where dispatch_id = %(dispatch_id)s;

-- name: finish
-- Everything has been looked at. Of a run of which there was nothing to tell, nothing stays.
with nothing as (
    delete from bursar.dispatches
     where dispatch_id = %(dispatch_id)s and run_id is not null and made = 0
    returning dispatch_id)
update bursar.dispatches
   set state = 'finished', ended_at = bursar.now()
 where dispatch_id = %(dispatch_id)s and not exists (select from nothing);

-- name: next_chunk
-- The chunk of a run to be told of next, with the transaction that gave it.
select c.chunk_no, c.epoch, c.xid::text
  from bursar.run_chunks c
 where c.run_id = %(run_id)s and c.chunk_no >= %(from)s
   and c.done_at is not null and c.xid is not null
   and exists (select from bursar.runs r where r.run_id = c.run_id and r.told)
 order by c.chunk_no
 limit 1;

-- name: read_left_out
-- Whom one chunk of a run has left out for a reason that the program keeps, after one of them. Who
-- has been left out of the same period before has been told of it, or is told by that run: those
-- who are looked at every hour have so many rows that only the newest are gone through.
select x.holder_id, p.name, r.version, coalesce(nullif(x.period_key, ''), r.period_key), r.asset,
       x.reason, r.started_at
  from bursar.run_chunks c
  join bursar.run_exclusions x
    on x.run_id = c.run_id and x.chunk_no = c.chunk_no
   and x.holder_id between greatest(c.first_holder, %(after)s + 1) and c.last_holder
  join bursar.runs r on r.run_id = c.run_id
  join bursar.programs p using (program_id)
 where c.run_id = %(run_id)s and c.chunk_no = %(chunk_no)s
   and not exists (
       select from (select z.run_id, z.chunk_no, z.period_key
                      from bursar.run_exclusions z
                     where z.holder_id = x.holder_id
                     order by z.run_id desc
                     limit 100) y
         join bursar.runs e on e.run_id = y.run_id
         join bursar.run_chunks f on f.run_id = y.run_id and f.chunk_no = y.chunk_no
        where y.run_id <> x.run_id
          and e.program_id = r.program_id and e.version = r.version and not e.dry_run
          and coalesce(nullif(y.period_key, ''), e.period_key)
            = coalesce(nullif(x.period_key, ''), r.period_key)
          and (f.done_at, f.run_id) < (c.done_at, c.run_id))
 order by x.holder_id
 limit %(limit)s;

-- name: read_due_soon
-- Who is due soon in a rolling program and has not been reminded of it, from an instant on.
select c.holder_id, c.due_at
  from bursar.program_cycles c
  left join bursar.notice_reminders n
         on n.holder_id = c.holder_id and n.program_id = c.program_id
 where c.program_id = %(program_id)s
   and c.look_at >= %(since)s and c.look_at <= %(until)s and c.look_at = c.due_at
   and n.due_at is distinct from c.due_at
 order by c.look_at
 limit %(limit)s;

-- name: next_due_soon
-- When the first is due after an instant, in a rolling program.
select min(c.look_at) from bursar.program_cycles c
 where c.program_id = %(program_id)s and c.look_at > %(after)s;

-- name: next_expiring
-- When the first lot expires after an instant.
select min(l.expires_at) from bursar.lots l
 where l.open and l.expires_at is not null and l.expires_at > %(after)s;

-- name: note_reminded
-- These are reminded now, or need not be; those whom another has noted meanwhile are not returned.
insert into bursar.notice_reminders (holder_id, program_id, due_at)
select u.holder_id, %(program_id)s, u.due_at
  from unnest(%(holder_ids)s::bigint[], %(dues)s::timestamptz[]) as u (holder_id, due_at)
 order by u.holder_id
    on conflict (holder_id, program_id) do update set due_at = excluded.due_at
 where bursar.notice_reminders.due_at <> excluded.due_at
returning holder_id;

-- name: lock_warned
-- Up to which lot holders have been warned, held until the transaction ends; null if never.
select s.warned_until, s.warned_holder from bursar.notice_state s for no key update;

-- name: read_expiring
-- Lots that are about to expire, after one of them: what each holder loses of an asset at once.
select l.expires_at, l.holder_id, l.asset_id, a.code, l.origin, sum(l.remaining)::bigint
  from (select x.expires_at, x.holder_id, x.asset_id, x.origin, x.remaining
          from bursar.lots x
         where x.open and (x.expires_at, x.holder_id) > (%(since)s, %(after)s)
           and x.expires_at <= %(until)s
         order by x.expires_at, x.holder_id
         fetch first %(limit)s rows with ties) l
  join bursar.assets a using (asset_id)
 group by 1, 2, 3, 4, 5
 order by 1, 2, 3;

-- name: set_warned
-- Up to this lot holders have been warned.
update bursar.notice_state set warned_until = %(until)s, warned_holder = %(holder_id)s;

-- name: read_alerts
-- What operators should know and what has come up since.
select a.alert_id, a.kind, a.subject, a.message, a.raised_at
  from bursar.operator_alerts a
 where a.resolved_at is null and a.raised_at >= %(since)s
 order by a.alert_id;

-- name: read_dispatches
-- Dispatches, the newest first, with how many holders each is about.
select d.dispatch_id, d.run_id, p.name, d.period_key, d.state, d.looked, d.made, d.started_at,
       d.ended_at,
       case when d.run_id is null then (select max(h.holder_id) from bursar.holders h)
            else (select sum(c.awarded) from bursar.run_chunks c where c.run_id = d.run_id)
                 + (select count(*) from bursar.run_exclusions x where x.run_id = d.run_id)
            end::bigint,
       (select count(*) from bursar.deliveries v
         where v.dispatch_id = d.dispatch_id and v.state = 'sent'),
       (select count(*) from bursar.deliveries v
         where v.dispatch_id = d.dispatch_id and v.state = 'waiting')
  from bursar.dispatches d
  left join bursar.runs r using (run_id)
  left join bursar.programs p on p.program_id = coalesce(d.program_id, r.program_id)
 where (d.dispatch_id < %(before)s and %(dispatch_id)s::bigint is null)
    or d.dispatch_id = %(dispatch_id)s
 order by d.dispatch_id desc
 limit %(limit)s;

-- name: move
-- A dispatch goes from one state to another, if it is still in one of the first.
update bursar.dispatches
   set state = %(state)s,
       ended_at = case when %(state)s = 'canceled' then bursar.now() end
 where dispatch_id = %(dispatch_id)s and state = any (%(from_states)s::text[])
returning 1;
