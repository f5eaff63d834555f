-- Runs and their chunks, failures and exclusions.

-- name: add_run
-- A run, unless the same period has one or the reference is taken.
insert into bursar.runs (program_id, version, kind, state, asset, period, period_key, generation,
                         as_of, reference, amount, target_run, policy, dry_run, holders, estimate,
                         ceiling, day_ceiling, started_at, started_by, reason, note)
values (%(program_id)s, %(version)s, %(kind)s, %(state)s, %(asset)s, %(period)s::text::json,
        %(period_key)s, %(generation)s, %(as_of)s, %(reference)s, %(amount)s, %(target_run)s,
        %(policy)s, %(dry_run)s, %(holders)s, %(estimate)s::text::json, %(ceiling)s,
        %(day_ceiling)s, bursar.now(), %(started_by)s, %(reason)s, %(note)s)
    on conflict do nothing
returning run_id;

-- name: add_range_chunks
-- A range of holders, cut into neighbours.
insert into bursar.run_chunks (run_id, chunk_no, first_holder, last_holder)
select %(run_id)s, row_number() over (order by first), first,
       least(first + %(size)s - 1, %(last)s)
  from generate_series(%(first)s::bigint, %(last)s::bigint, %(size)s::bigint) as first;

-- name: add_listed_chunks
-- Holders by name, cut into parts; they follow the chunks that there are.
insert into bursar.run_chunks (run_id, chunk_no, first_holder, last_holder, holder_ids)
select %(run_id)s, %(after)s + 1 + h.part, min(h.holder_id), max(h.holder_id),
       array_agg(h.holder_id order by h.holder_id)
  from (select u.holder_id, (row_number() over (order by u.holder_id) - 1) / %(size)s as part
          from unnest(%(holder_ids)s::bigint[]) as u (holder_id)) as h
 group by h.part;

-- name: add_due_chunks
-- The holders of a rolling program who are due, cut into neighbours.
with due as (
    select c.holder_id, (row_number() over (order by c.holder_id) - 1) / %(size)s as part
      from bursar.program_cycles c
     where c.program_id = %(program_id)s and c.look_at <= %(as_of)s
), added as (
    insert into bursar.run_chunks (run_id, chunk_no, first_holder, last_holder)
    select %(run_id)s, 1 + d.part, min(d.holder_id), max(d.holder_id)
      from due d
     group by d.part
    returning 1
)
select count(*) from due;

-- name: add_copied_chunks
-- What another run has given, to be gone through again.
insert into bursar.run_chunks (run_id, chunk_no, first_holder, last_holder, source_chunk)
select %(run_id)s, row_number() over (order by c.chunk_no), c.first_holder, c.last_holder,
       c.chunk_no
  from bursar.run_chunks c
 where c.run_id = %(source)s and c.done_at is not null and c.awarded > 0;

-- name: read_sources
-- The transactions in which a run gave what a chunk takes back: one chunk's, or of all that may
-- have held these holders.
select c.epoch, c.xid::text
  from bursar.run_chunks c
 where c.run_id = %(source)s and c.done_at is not null and c.awarded > 0
   and case when %(source_chunk)s::integer is null
            then c.first_holder <= %(last)s and c.last_holder >= %(first)s
            else c.chunk_no = %(source_chunk)s end
 order by c.chunk_no;

-- name: set_estimate
-- What a run would come to.
update bursar.runs set estimate = %(estimate)s::text::json where run_id = %(run_id)s;

-- name: set_holders
-- How many holders a run has before it.
update bursar.runs set holders = %(holders)s where run_id = %(run_id)s;

-- name: claim_chunk
-- The next chunk that nobody works on, held until the transaction ends. Of a program that is switched
-- off nothing is given; its periods are given in their order, for a streak or a cap looks back.
select c.run_id, c.chunk_no, c.first_holder, c.last_holder, c.holder_ids, c.source_chunk
  from bursar.run_chunks c
  join bursar.runs r using (run_id)
  left join bursar.programs p using (program_id)
 where c.done_at is null
   and r.state = 'running'
   and (r.run_id = %(run_id)s or %(run_id)s::bigint is null)
   and (r.kind = 'revert' or p.switched_off is not true)
   and (r.kind <> 'scheduled' or not exists (
           select from bursar.runs e
             join bursar.run_chunks f using (run_id)
            where e.program_id = r.program_id and e.run_id < r.run_id
              and e.kind = 'scheduled' and e.state = 'running' and f.done_at is null))
 order by c.run_id, c.chunk_no
 limit 1
   for update of c skip locked;

-- name: is_running
-- Whether a run is still to be worked on, seen anew once its chunk is held.
select r.state = 'running' and (r.kind = 'revert' or p.switched_off is not true)
  from bursar.runs r
  left join bursar.programs p using (program_id)
 where r.run_id = %(run_id)s;

-- name: hold_chunks
-- Wait for whoever works on a run, and let nobody begin.
select 1 from bursar.run_chunks c where c.run_id = %(run_id)s for update;

-- name: finish_chunk
-- What a chunk has come to, and the transaction that gave it.
update bursar.run_chunks
   set awarded = %(awarded)s, failed = %(failed)s, amount = %(amount)s,
       excluded = %(excluded)s::text::json, done_at = bursar.now(), xid = pg_current_xact_id(),
       epoch = (select e.epoch from bursar.economy e)
 where run_id = %(run_id)s and chunk_no = %(chunk_no)s;

-- name: reserve
-- What a chunk gives counts toward the run's ceiling; nothing comes back if it does not fit.
update bursar.runs
   set given = given + %(amount)s
 where run_id = %(run_id)s and (ceiling is null or given + %(amount)s <= ceiling)
returning given;

-- name: reserve_day
-- The same for the program's UTC day.
insert into bursar.program_days as d (program_id, day, given)
select %(program_id)s, (bursar.now() at time zone 'UTC')::date, %(amount)s
 where %(amount)s <= %(ceiling)s
    on conflict (program_id, day) do update
   set given = d.given + excluded.given
 where d.given + excluded.given <= %(ceiling)s
returning given;

-- name: hold_done_runs
-- Runs whose last chunk is done, held until the transaction ends: whoever has just added a chunk
-- to one has been waited for.
select r.run_id
  from bursar.runs r
 where r.state = 'running'
   and not exists (select from bursar.run_chunks c
                    where c.run_id = r.run_id and c.done_at is null)
 order by r.run_id
   for update of r;

-- name: finish_runs
-- Of the runs held, those whose last chunk is done are finished; a reversal also ends the run that
-- it reverts.
with ended as (
    update bursar.runs r
       set state = 'finished', finished_at = bursar.now()
     where r.run_id = any (%(run_ids)s::bigint[])
       and r.state = 'running'
       and not exists (select from bursar.run_chunks c
                        where c.run_id = r.run_id and c.done_at is null)
    returning r.run_id, r.kind, r.target_run
), reverted as (
    update bursar.runs r
       set state = 'reverted'
      from ended e
     where e.kind = 'revert' and r.run_id = e.target_run and r.state = 'reverting'
)
select e.run_id from ended e;

-- name: read_runs
-- Runs, the newest first, each with what its chunks have come to.
select r.run_id, r.program_id, p.name, r.version, r.kind, r.state, r.asset, r.period::text,
       r.generation, r.as_of, r.reference, r.amount, r.target_run, r.policy, r.dry_run, r.holders,
       r.estimate::text, r.ceiling, r.day_ceiling, r.started_at, r.started_by, r.reason,
       r.approved_by, r.finished_at, r.note
  from bursar.runs r
  left join bursar.programs p using (program_id)
 where (r.run_id = any (%(run_ids)s::bigint[]) or %(run_ids)s::bigint[] is null)
   and (p.name = %(program)s or %(program)s::text is null)
   and r.run_id < %(before)s
   and (r.state in ('waiting', 'running', 'paused') or not %(open)s)
 order by r.run_id desc
 limit %(limit)s;

-- name: read_progress
-- What the chunks of a run have come to.
select count(*), count(c.done_at), coalesce(sum(c.awarded), 0)::bigint,
       coalesce(sum(c.amount), 0)::text,
       (select count(*) from bursar.run_failures f
         where f.run_id = %(run_id)s and f.resolved_at is null)
  from bursar.run_chunks c
 where c.run_id = %(run_id)s;

-- name: read_excluded
-- How many holders a run has left out, by reason.
select x.reason, sum(x.n::bigint)::bigint
  from bursar.run_chunks c
 cross join lateral json_each_text(c.excluded) as x (reason, n)
 where c.run_id = %(run_id)s
 group by x.reason
 order by x.reason;

-- name: find_run
-- The run of this reference.
select r.run_id from bursar.runs r where r.reference = %(reference)s;

-- name: newest_of_period
-- The newest run that stands for a period.
select r.run_id, r.generation, r.state
  from bursar.runs r
 where r.program_id = %(program_id)s and r.period_key = %(period_key)s and r.kind = 'scheduled'
   and r.state not in ('canceled', 'skipped') and not r.dry_run
 order by r.generation desc, r.state in ('reverting', 'reverted'), r.run_id desc
 limit 1;

-- name: read_period
-- The period of a key that a run has taken up.
select r.period::text
  from bursar.runs r
 where r.program_id = %(program_id)s and r.period_key = %(period_key)s and r.kind = 'scheduled'
 order by r.run_id desc
 limit 1;

-- name: read_period_at
-- The period, taken up by a run, in which an instant lies.
select r.period::text
  from bursar.runs r
 where r.program_id = %(program_id)s and r.kind = 'scheduled'
   and (r.period ->> 'start')::timestamptz <= %(at)s
   and (r.period ->> 'end')::timestamptz > %(at)s
 order by r.run_id desc
 limit 1;

-- name: read_open_periods
-- The periods that runs of a program are still under way for.
select r.period::text
  from bursar.runs r
 where r.program_id = %(program_id)s and r.kind = 'scheduled' and r.state = 'running'
   and not r.dry_run;

-- name: has_open_run
-- Is there a run of this program still under way?
select exists (select from bursar.runs r
                where r.program_id = %(program_id)s and r.kind = 'scheduled'
                  and r.state in ('waiting', 'running', 'paused'));

-- name: move_run
-- A run goes from one state to another, if it is still in one of the first; of one that goes on
-- there will be more to tell.
update bursar.runs
   set state = %(state)s, told = told and %(state)s <> 'running',
       note = coalesce(%(note)s, note),
       approved_by = coalesce(%(approved_by)s, approved_by),
       ceiling = coalesce(%(ceiling)s, ceiling),
       finished_at = case when %(state)s in ('canceled', 'finished') then bursar.now()
                          else finished_at end
 where run_id = %(run_id)s and state = any (%(from_states)s::text[])
returning run_id;

-- name: hold_state
-- How a run stands, held so until the transaction ends; who works on its chunks need not wait.
select r.state from bursar.runs r where r.run_id = %(run_id)s for no key update;

-- name: hold_run
-- A run, held until the transaction ends.
select 1 from bursar.runs r where r.run_id = %(run_id)s for update;

-- name: last_chunk
-- The highest number among a run's chunks.
select coalesce(max(c.chunk_no), 0) from bursar.run_chunks c where c.run_id = %(run_id)s;

-- name: add_failures
-- Holders set aside, with the reason and the next try: after 1, 4, 16 … minutes, at most a day
-- apart, eight times in all.
insert into bursar.run_failures as f (run_id, holder_id, attempts, failed_at, retry_at, code,
                                      message)
select %(run_id)s, u.holder_id, 1, bursar.now(), bursar.now() + interval '1 minute', u.code,
       u.message
  from unnest(%(holder_ids)s::bigint[], %(codes)s::text[], %(messages)s::text[])
       as u (holder_id, code, message)
    on conflict (holder_id, run_id) do update
   set attempts = f.attempts + 1, failed_at = excluded.failed_at, code = excluded.code,
       message = excluded.message, resolved_at = null,
       retry_at = case when f.attempts >= 7 then null
                       else bursar.now() + least(interval '1 minute' * 4 ^ f.attempts,
                                                 interval '1 day') end
returning f.holder_id, f.attempts;

-- name: summarise_failures
-- The failures of each of the last days in one alert, once for each day, whatever became of the
-- alert since; a day after which nobody was at work is made up for.
insert into bursar.operator_alerts (kind, subject, message, raised_at, last_at)
select 'failures_of_the_day', f.day::text,
       format('%%s failed in %%s, %%s still set aside: %%s',
              case f.holders when 1 then '1 holder' else f.holders || ' holders' end,
              case f.runs when 1 then '1 run' else f.runs || ' runs' end, f.waiting, f.codes),
       bursar.now(), bursar.now()
  from (select d.day, count(*) as holders, count(distinct w.run_id) as runs,
               count(*) filter (where w.resolved_at is null) as waiting,
               string_agg(distinct w.code, ', ') as codes
          from generate_series(0, 6) as ago
         cross join lateral (select %(day)s::date - ago as day) as d
          join bursar.run_failures w
            on w.failed_at >= d.day::timestamp at time zone 'UTC'
           and w.failed_at < (d.day + 1)::timestamp at time zone 'UTC'
         where not exists (select from bursar.operator_alerts a
                            where a.kind = 'failures_of_the_day' and a.subject = d.day::text)
         group by d.day) as f
    on conflict do nothing;

-- name: resolve_failures
-- Who was set aside before and has been decided now.
update bursar.run_failures
   set resolved_at = bursar.now(), retry_at = null
 where run_id = %(run_id)s and holder_id = any (%(holder_ids)s::bigint[]) and resolved_at is null;

-- name: take_failures
-- The holders whose next try is due, or those left of one run, the least tried first. Whoever is
-- taken has no next try until a chunk has decided it.
update bursar.run_failures f
   set retry_at = null
 where (f.run_id, f.holder_id) in (
           select w.run_id, w.holder_id
             from bursar.run_failures w
             join bursar.runs r using (run_id)
            where w.resolved_at is null
              and r.state in ('running', 'finished')
              and case when %(run_id)s::bigint is null then w.retry_at <= bursar.now()
                       else w.run_id = %(run_id)s
                            and (w.retry_at is not null or w.attempts >= 8) end
            order by w.attempts, w.run_id, w.holder_id
            limit 10000
              for update of w skip locked)
returning f.run_id, f.holder_id;

-- name: read_failures
-- The holders whom a run has set aside, in order.
select f.holder_id, h.external_id, f.attempts, f.failed_at, f.retry_at, f.resolved_at, f.code,
       f.message
  from bursar.run_failures f
  left join bursar.holder_ids h using (holder_id)
 where f.run_id = %(run_id)s and f.holder_id > %(after)s
   and (%(all)s or f.resolved_at is null)
 order by f.holder_id
 limit %(limit)s;

-- name: add_exclusions
-- Holders left out, of the reasons that the program keeps.
insert into bursar.run_exclusions (run_id, chunk_no, holder_id, reason, period_key)
select %(run_id)s, %(chunk_no)s, u.holder_id, u.reason, u.period_key
  from unnest(%(holder_ids)s::bigint[], %(reasons)s::text[], %(period_keys)s::text[])
       as u (holder_id, reason, period_key)
    on conflict do nothing;

-- name: read_exclusions
-- Whom a run has left out, of the reasons kept.
select x.holder_id, h.external_id, x.reason, x.period_key
  from bursar.run_exclusions x
  left join bursar.holder_ids h using (holder_id)
 where x.run_id = %(run_id)s and x.holder_id > %(after)s
 order by x.holder_id
 limit %(limit)s;

-- name: next_retry
-- When the next holder set aside is to be tried; a run taken back tries nobody.
select min(f.retry_at)
  from bursar.run_failures f
  join bursar.runs r using (run_id)
 where f.resolved_at is null and f.retry_at is not null and r.state in ('running', 'finished');
