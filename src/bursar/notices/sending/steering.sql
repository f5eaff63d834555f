-- What an operator has done again: single deliveries, those of a span, those of a restore.

-- name: lock_delivery
-- One delivery, held, and whether somebody has it under way, and whether its endpoint has gone.
select d.state, d.note, d.leased_until is not null and d.leased_until > clock_timestamp(),
       d.endpoint_id > 0 and not exists (
           select from bursar.webhook_endpoints e
            where e.endpoint_id = d.endpoint_id and e.removed_at is null)
  from bursar.deliveries d
 where d.delivery_id = %(delivery_id)s
   for update of d;

-- name: replay_delivery
-- To be sent now, with all its tries. A canceled dispatch no longer holds it.
update bursar.deliveries d
   set state = 'waiting', tries = 0, due_at = clock_timestamp(), leased_until = null,
       ended_at = null, note = '',
       dispatch_id = case when not exists (select from bursar.dispatches t
                                            where t.dispatch_id = d.dispatch_id
                                              and t.state = 'canceled') then d.dispatch_id end
 where d.delivery_id = %(delivery_id)s;

-- name: endpoint_is_there
-- Whether there is an endpoint of that number that has not been removed.
select 1
  from bursar.webhook_endpoints e
 where e.endpoint_id = %(endpoint_id)s and e.removed_at is null;

-- name: replay_range
-- The same for what was put into an endpoint's queue in a span of time, and has ended or failed.
-- What still waits in a canceled dispatch is about to be dropped.
with gone as (
    update bursar.deliveries d
       set state = 'waiting', tries = 0, due_at = clock_timestamp(), leased_until = null,
           ended_at = null, note = '',
           dispatch_id = case when not exists (select from bursar.dispatches t
                                                where t.dispatch_id = d.dispatch_id
                                                  and t.state = 'canceled') then d.dispatch_id end
     where d.endpoint_id = %(endpoint_id)s and d.endpoint_id > 0
       and d.made_at >= %(since)s and d.made_at < %(until)s
       and (d.state <> 'waiting' and d.state = any (%(states)s::text[])
            or d.state = 'waiting' and 'failing' = any (%(states)s::text[]) and d.tries > 0
               and (d.leased_until is null or d.leased_until <= clock_timestamp())
               and not exists (select from bursar.dispatches t
                                where t.dispatch_id = d.dispatch_id and t.state = 'canceled'))
       and (%(kinds)s::text[] is null or d.kind = any (%(kinds)s::text[]))
    returning 1
)
select count(*) from gone;

-- name: replay_mail
-- The same for letters, to whomever they are, but for what a restore has parked: a server may have
-- taken it.
with gone as (
    update bursar.deliveries d
       set state = 'waiting', tries = 0, due_at = clock_timestamp(), leased_until = null,
           ended_at = null, note = '',
           dispatch_id = case when not exists (select from bursar.dispatches t
                                                where t.dispatch_id = d.dispatch_id
                                                  and t.state = 'canceled') then d.dispatch_id end
     where d.channel = 'email' and d.note <> %(restored)s
       and d.made_at >= %(since)s and d.made_at < %(until)s
       and (d.state <> 'waiting' and d.state = any (%(states)s::text[])
            or d.state = 'waiting' and 'failing' = any (%(states)s::text[]) and d.tries > 0
               and (d.leased_until is null or d.leased_until <= clock_timestamp())
               and not exists (select from bursar.dispatches t
                                where t.dispatch_id = d.dispatch_id and t.state = 'canceled'))
       and (%(kinds)s::text[] is null or d.kind = any (%(kinds)s::text[]))
    returning 1
)
select count(*) from gone;

-- name: release_parked
-- What a channel has parked under a note is to be sent after all; what had not been tried keeps
-- the hour for which it waited, for that may be the end of somebody's night.
with gone as (
    update bursar.deliveries d
       set state = 'waiting', tries = 0, ended_at = null, note = '',
           due_at = case when d.tries > 0 then clock_timestamp()
                         else greatest(d.due_at, clock_timestamp()) end
     where d.state = 'parked' and d.channel = %(channel)s and d.note = %(note)s
    returning 1
)
select count(*) from gone;
