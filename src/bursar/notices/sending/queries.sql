-- The queue of deliveries. Due times and leases are the world's time.

-- name: add_deliveries
-- Rows as they are given; what is there already stays as it is. In the order given, which is the
-- order in which what is due at once is sent.
with given as (
    select g.*, clock_timestamp() as now
      from unnest(%(notice_ids)s::text[], %(channels)s::text[], %(kinds)s::text[],
                  %(happened)s::timestamptz[], %(due)s::timestamptz[], %(holder_ids)s::bigint[],
                  %(endpoint_ids)s::integer[], %(addresses)s::text[], %(dispatch_ids)s::bigint[],
                  %(notes)s::text[], %(data)s::text[])
           with ordinality
           as g (notice_id, channel, kind, happened_at, due_at, holder_id, endpoint_id, address,
                 dispatch_id, note, data, place)
), added as (
    insert into bursar.deliveries
           (notice_id, holder_id, dispatch_id, endpoint_id, happened_at, made_at, due_at, ended_at,
            channel, kind, state, address, note, data)
    select g.notice_id::uuid, nullif(g.holder_id, 0), nullif(g.dispatch_id, 0), g.endpoint_id,
           g.happened_at, g.now, coalesce(g.due_at, g.now),
           case when g.note is not null then g.now end, g.channel, g.kind,
           case when g.note is null then 'waiting' else 'parked' end, g.address,
           coalesce(g.note, ''), g.data::json
      from given g
     order by g.place
        on conflict (notice_id, channel, endpoint_id, address) do nothing
    returning 1
)
select count(*) from added;

-- name: lock_pace
-- When the next e-mail may go, over all processes, and the world's time; held until the
-- transaction ends, so that two who claim do not take the same instants. One that is far ahead was
-- given away before the clock was put back: it is not waited for.
select case when s.mail_next_at > n.now + interval '1 minute' then n.now
            else greatest(s.mail_next_at, n.now) end, n.now
  from bursar.notice_state s
 cross join (select clock_timestamp() as now) n
   for update of s;

-- name: keep_pace
-- So many instants have been given away.
update bursar.notice_state set mail_next_at = %(next_at)s;

-- name: claim_deliveries
-- What is due is leased to the caller: attempts and tries are counted now, so that an attempt whose
-- process is killed has been one. Waiting rows stand in lines, by endpoint and what they are part of;
-- the lines of an endpoint take turns, and endpoints with less under way come first, so that
-- nobody waits behind a long or a slow line. A lease that has run out was cut off, and is told as
-- such; who has been cut off at the last try is parked. Lines of canceled dispatches and removed
-- endpoints are dropped on the way, at most 1,000 of each. After a restore nothing is claimed until
-- that has been taken note of, and what waits been parked.
with recursive lines as (
    (select d.endpoint_id, d.line
       from bursar.deliveries d
      where d.channel = %(channel)s and d.state = 'waiting'
        and (select e.epoch = s.epoch from bursar.economy e cross join bursar.notice_state s)
      order by d.endpoint_id, d.line
      limit 1)
    union all
    select n.endpoint_id, n.line
      from lines l
     cross join lateral (
           select d.endpoint_id, d.line
             from bursar.deliveries d
            where d.channel = %(channel)s and d.state = 'waiting'
              and (d.endpoint_id, d.line) > (l.endpoint_id, l.line)
            order by d.endpoint_id, d.line
            limit 1) n
), clock as materialized (
    select clock_timestamp() as now,
           clock_timestamp() + make_interval(secs => %(lease_s)s) as until
), judged as materialized (
    select l.endpoint_id, l.line, coalesce(r.room, %(per_endpoint)s) as room,
           case when l.endpoint_id > 0 and (e.endpoint_id is null or e.removed_at is not null)
                then 'endpoint_removed'
                when t.state = 'canceled' then 'canceled'
                when e.state = 'off' or t.state = 'paused' then 'held'
                else 'go' end as verdict
      from lines l
      left join bursar.webhook_endpoints e using (endpoint_id)
      left join bursar.dispatches t on t.dispatch_id = l.line
      left join unnest(%(endpoint_ids)s::integer[], %(rooms)s::integer[])
                as r (endpoint_id, room) on r.endpoint_id = l.endpoint_id
), in_line as (
    select c.*, j.endpoint_id, j.room,
           row_number() over (partition by j.endpoint_id, j.line
                              order by c.due_at, c.delivery_id) as place
      from judged j
     cross join clock n
     cross join lateral (
           select d.delivery_id, d.due_at, d.attempts, d.tries, d.leased_until
             from bursar.deliveries d
            where d.channel = %(channel)s and d.state = 'waiting'
              and d.endpoint_id = j.endpoint_id and d.line = j.line
              and d.due_at <= n.now and (d.leased_until is null or d.leased_until <= n.now)
            order by d.due_at
            limit least(j.room, %(most)s)
              for update skip locked) c
     where j.verdict = 'go' and j.room > 0
), in_turn as (
    select i.*, row_number() over (partition by i.endpoint_id
                                   order by i.place, i.due_at, i.delivery_id) as turn
      from in_line i
), chosen as materialized (
    select i.*, row_number() over (order by %(per_endpoint)s - i.room + i.turn, i.due_at,
                                            i.delivery_id) as number
      from in_turn i
     where i.turn <= i.room
     order by number
     limit %(most)s
), cut_off as (
    insert into bursar.delivery_attempts
           (delivery_id, number, began_at, took_ms, status, outcome, detail)
    select c.delivery_id, c.attempts, c.leased_until - make_interval(secs => %(lease_s)s), 0, null,
           'failed', 'cut off: whoever sent it did not tell what came of it'
      from chosen c
     where c.leased_until is not null and c.attempts > 0
        on conflict (delivery_id, number) do nothing
), taken as (
    update bursar.deliveries d
       set attempts = d.attempts + 1, tries = d.tries + 1, leased_until = n.until,
           due_at = n.until
      from chosen c
     cross join clock n
     where d.delivery_id = c.delivery_id and c.tries < %(most_tries)s
    returning d.*, c.number, c.due_at < n.now - make_interval(secs => %(late_s)s) as late
), given_up as (
    update bursar.deliveries d
       set state = 'parked', note = %(note)s::text, ended_at = n.now, leased_until = null
      from chosen c
     cross join clock n
     where d.delivery_id = c.delivery_id and c.tries >= %(most_tries)s
    returning d.*, c.number, false as late
), dropped as (
    update bursar.deliveries d
       set state = 'dropped', note = g.verdict, ended_at = n.now, leased_until = null
      from (select x.delivery_id, j.verdict
              from judged j
             cross join clock m
             cross join lateral (
                   select w.delivery_id
                     from bursar.deliveries w
                    where w.channel = %(channel)s and w.state = 'waiting'
                      and w.endpoint_id = j.endpoint_id
                      and w.line = j.line
                      and (w.leased_until is null or w.leased_until <= m.now)
                    limit 1000
                      for update skip locked) x
             where j.verdict in ('endpoint_removed', 'canceled')) g
     cross join clock n
     where d.delivery_id = g.delivery_id
    returning 1
)
select g.dropped, e.url, c.late, c.delivery_id, c.notice_id, c.channel, c.kind, c.state, c.attempts,
       c.tries, c.happened_at, c.made_at, c.due_at, c.ended_at, c.holder_id, c.endpoint_id,
       c.dispatch_id, c.address, c.note, c.data::text
  from (select count(*) as dropped from dropped) g
  left join (select * from taken union all select * from given_up) c on true
  left join bursar.webhook_endpoints e on e.endpoint_id = c.endpoint_id
 order by c.number;

-- name: finish_delivery
-- What came of an attempt. It is written down whatever became of the delivery meanwhile, and in
-- place of what stands there if it was taken for cut off. The delivery moves only if the lease is
-- still this attempt's; but what was sent was sent, whoever has it now, unless it has been
-- replayed since.
with told as (
    insert into bursar.delivery_attempts
           (delivery_id, number, began_at, took_ms, status, outcome, detail)
    select d.delivery_id, %(number)s,
           clock_timestamp() - make_interval(secs => %(ago_ms)s::bigint / 1000.0), %(took_ms)s,
           %(status)s::integer, %(outcome)s, %(detail)s
      from bursar.deliveries d
     where d.delivery_id = %(delivery_id)s
        on conflict (delivery_id, number) do update
       set began_at = excluded.began_at, took_ms = excluded.took_ms, status = excluded.status,
           outcome = excluded.outcome, detail = excluded.detail
), moved as (
    update bursar.deliveries d
       set state = %(state)s, note = %(note)s, leased_until = null,
           ended_at = case when %(state)s <> 'waiting' then n.now end,
           due_at = case when %(state)s = 'waiting'
                         then n.now + make_interval(secs => %(pause_ms)s::bigint / 1000.0)
                         else d.due_at end
      from (select clock_timestamp() as now) n
     where d.delivery_id = %(delivery_id)s
       and (   d.state = 'waiting' and d.attempts = %(number)s and d.leased_until is not null
            or %(state)s = 'sent' and d.state <> 'sent' and %(number)s > d.attempts - d.tries)
    returning d.delivery_id, d.endpoint_id, d.kind
)
select m.kind, e.url
  from moved m
  left join bursar.webhook_endpoints e using (endpoint_id);

-- name: give_back
-- A lease that nothing was begun with: as if it had not been taken, but due after a wait.
update bursar.deliveries d
   set attempts = d.attempts - 1, tries = d.tries - 1, leased_until = null,
       due_at = clock_timestamp() + make_interval(secs => %(wait_s)s)
 where d.delivery_id = %(delivery_id)s and d.attempts = %(number)s
   and d.state = 'waiting' and d.leased_until is not null;

-- name: park_waiting
-- Everything that waits is parked, whoever has it.
with gone as (
    update bursar.deliveries
       set state = 'parked', note = %(note)s, ended_at = clock_timestamp(), leased_until = null
     where state = 'waiting'
    returning 1
)
select count(*) from gone;

-- name: read_deliveries
-- Deliveries, the newest first.
select d.delivery_id, d.notice_id, d.channel, d.kind, d.state, d.attempts, d.tries, d.happened_at,
       d.made_at, d.due_at, d.ended_at, d.holder_id, d.endpoint_id, d.dispatch_id, d.address,
       d.note, d.data::text
  from bursar.deliveries d
 where d.delivery_id < %(below)s
   and (%(channel)s::text is null or d.channel = %(channel)s)
   and (%(state)s::text is null or d.state = %(state)s)
   and (%(kind)s::text is null or d.kind = %(kind)s)
 order by d.delivery_id desc
 limit %(limit)s;

-- name: read_deliveries_of_holder
-- The same of one holder. Spelled as a range so that no other index has this order.
select d.delivery_id, d.notice_id, d.channel, d.kind, d.state, d.attempts, d.tries, d.happened_at,
       d.made_at, d.due_at, d.ended_at, d.holder_id, d.endpoint_id, d.dispatch_id, d.address,
       d.note, d.data::text
  from bursar.deliveries d
 where d.holder_id >= %(holder_id)s
   and (d.holder_id, d.delivery_id) < (%(holder_id)s, %(below)s)
   and (%(channel)s::text is null or d.channel = %(channel)s)
   and (%(state)s::text is null or d.state = %(state)s)
   and (%(kind)s::text is null or d.kind = %(kind)s)
   and (%(endpoint_id)s::integer is null or d.endpoint_id = %(endpoint_id)s)
 order by d.holder_id desc, d.delivery_id desc
 limit %(limit)s;

-- name: read_deliveries_of_endpoint
-- The same of one endpoint, spelled as a range like that of a holder.
select d.delivery_id, d.notice_id, d.channel, d.kind, d.state, d.attempts, d.tries, d.happened_at,
       d.made_at, d.due_at, d.ended_at, d.holder_id, d.endpoint_id, d.dispatch_id, d.address,
       d.note, d.data::text
  from bursar.deliveries d
 where d.endpoint_id >= %(endpoint_id)s and d.endpoint_id > 0
   and (d.endpoint_id, d.delivery_id) < (%(endpoint_id)s, %(below)s)
   and (%(channel)s::text is null or d.channel = %(channel)s)
   and (%(state)s::text is null or d.state = %(state)s)
   and (%(kind)s::text is null or d.kind = %(kind)s)
 order by d.endpoint_id desc, d.delivery_id desc
 limit %(limit)s;

-- name: read_deliveries_parked
-- The same of what is parked, by the index of what is parked.
select d.delivery_id, d.notice_id, d.channel, d.kind, d.state, d.attempts, d.tries, d.happened_at,
       d.made_at, d.due_at, d.ended_at, d.holder_id, d.endpoint_id, d.dispatch_id, d.address,
       d.note, d.data::text
  from bursar.deliveries d
 where d.state = 'parked'
   and d.delivery_id < %(below)s
   and (%(channel)s::text is null or d.channel = %(channel)s)
   and (%(kind)s::text is null or d.kind = %(kind)s)
 order by d.delivery_id desc
 limit %(limit)s;

-- name: read_delivery
-- One delivery.
select d.delivery_id, d.notice_id, d.channel, d.kind, d.state, d.attempts, d.tries, d.happened_at,
       d.made_at, d.due_at, d.ended_at, d.holder_id, d.endpoint_id, d.dispatch_id, d.address,
       d.note, d.data::text
  from bursar.deliveries d
 where d.delivery_id = %(delivery_id)s;

-- name: read_attempts
-- The attempts of one delivery, the first first.
select a.number, a.began_at, a.took_ms, a.outcome, a.status, a.detail
  from bursar.delivery_attempts a
 where a.delivery_id = %(delivery_id)s
 order by a.number;

-- name: read_queues
-- How each channel stands, counted to a limit, and one of what has failed several times. How far it
-- is behind is looked up line by line; what stands in held lines is not behind.
with recursive lines as (
    (select d.channel, d.endpoint_id, d.line
       from bursar.deliveries d
      where d.state = 'waiting'
      order by d.channel, d.endpoint_id, d.line
      limit 1)
    union all
    select n.channel, n.endpoint_id, n.line
      from lines l
     cross join lateral (
           select d.channel, d.endpoint_id, d.line
             from bursar.deliveries d
            where d.state = 'waiting'
              and (d.channel, d.endpoint_id, d.line)
                  > (l.channel, l.endpoint_id, l.line)
            order by d.channel, d.endpoint_id, d.line
            limit 1) n
), behind as (
    select l.channel, min(o.due_at) as since
      from lines l
      left join bursar.webhook_endpoints e using (endpoint_id)
      left join bursar.dispatches t on t.dispatch_id = l.line
     cross join lateral (
           select d.due_at
             from bursar.deliveries d
            where d.state = 'waiting' and d.channel = l.channel
              and d.endpoint_id = l.endpoint_id and d.line = l.line
            order by d.due_at
            limit 1) o
     where (e.state is null or e.state = 'on') and (t.state is null or t.state <> 'paused')
     group by l.channel
)
select c.channel, w.waiting,
       (select count(*) from (select from bursar.deliveries d
         where d.channel = c.channel and d.state = 'parked' limit %(limit)s) as w),
       coalesce(greatest(extract(epoch from clock_timestamp() - b.since)::bigint, 0), 0),
       w.failing, w.example
  from unnest(array['email', 'webhook']) as c (channel)
 cross join lateral (
       select count(*) as waiting, count(*) filter (where d.failed >= %(failures)s) as failing,
              min(d.delivery_id) filter (where d.failed >= %(failures)s) as example
         from (select w.delivery_id, w.tries - (w.leased_until is not null)::integer as failed
                 from bursar.deliveries w
                where w.channel = c.channel and w.state = 'waiting' limit %(limit)s) as d) w
  left join behind b on b.channel = c.channel;

-- name: forget_deliveries
-- Some of what has ended and is old goes, with its attempts.
with old as (
    select d.delivery_id
      from bursar.deliveries d
     where d.made_at < %(before)s and d.state <> 'waiting'
     limit %(limit)s
       for update skip locked
), attempts as (
    delete from bursar.delivery_attempts a using old o where a.delivery_id = o.delivery_id
), gone as (
    delete from bursar.deliveries d using old o where d.delivery_id = o.delivery_id
    returning 1
)
select count(*) from gone;
