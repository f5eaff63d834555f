-- The directory as programs read it: many people, few facts.

-- name: read_past
-- What was in force for these holders, the oldest first.
select p.holder_id, p.number, p.since, p.until, p.status, p.tier, p.verified,
       p.subscription_start, p.billing_anchor, p.recorded_at, p.actor, p.reason
  from bursar.holder_history p
 where p.holder_id = any (%(holder_ids)s::bigint[])
 order by p.holder_id, p.number;

-- name: read_mark
-- Whatever committed before this place can be seen.
select e.epoch, pg_snapshot_xmin(pg_current_snapshot())::text from bursar.economy e;

-- name: changed_between
-- Who changed between two places, or began a subscription between two instants.
select h.holder_id
  from bursar.holders h
 where (h.epoch, h.xid) >= (%(after_epoch)s, %(after_xid)s::text::xid8)
   and (h.epoch, h.xid) < (%(before_epoch)s, %(before_xid)s::text::xid8)
 union
select h.holder_id
  from bursar.holders h
 where h.subscription_start > %(started_after)s
   and h.subscription_start <= %(started_until)s
 order by 1;

-- name: logged_in
-- Who of a range logged in on a day.
select h.holder_id
  from bursar.holders h
 where h.holder_id between %(first)s and %(last)s
   and h.login_day >= %(day)s
   and h.login_day - %(day)s < 63
   and (h.login_map >> (h.login_day - %(day)s)) & 1 = 1
 order by h.holder_id;

-- name: highest_holder_id
-- The number of the newest person.
select coalesce(max(h.holder_id), 0) from bursar.holders h;
