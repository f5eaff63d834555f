-- What programs read of people; every reading begins at holder_id, or at an index of its own.

-- name: read_people
-- People between two numbers; the facts asked for stand in place of FACTS.
select h.holder_id, h.matters_since, h.subscription_start, h.created_at, FACTS
  from bursar.holders h
 where h.holder_id between %(first)s and %(last)s
   and h.erased_at is null
 order by h.holder_id;

-- name: read_these
-- These people, as above.
select h.holder_id, h.matters_since, h.subscription_start, h.created_at, FACTS
  from bursar.holders h
 where h.holder_id = any (%(holder_ids)s::bigint[])
   and h.erased_at is null
 order by h.holder_id;

-- name: read_past
-- What was in force of these holders, the oldest first.
select p.holder_id, p.number, p.since, p.until, p.status, p.tier, p.verified, p.subscription_start,
       p.billing_anchor, p.recorded_at, p.actor, p.reason
  from bursar.holder_history p
 where p.holder_id = any (%(holder_ids)s::bigint[])
 order by p.holder_id, p.number;

-- name: read_mark
-- Up to where no transaction is still writing.
select (select epoch from bursar.economy), pg_snapshot_xmin(pg_current_snapshot())::text;

-- name: changed_between
-- Whose facts changed between two marks, or whose subscription began between two instants.
select h.holder_id
  from bursar.holders h
 where (h.epoch, h.xid) >= (%(after_epoch)s, %(after_xid)s::xid8)
   and (h.epoch, h.xid) < (%(before_epoch)s, %(before_xid)s::xid8)
   and h.erased_at is null
 union
select h.holder_id
  from bursar.holders h
 where h.subscription_start > %(started_after)s
   and h.subscription_start <= %(started_until)s
   and h.erased_at is null
 order by 1;

-- name: logged_in
-- Who logged in on a day in UTC, of those between two numbers.
select h.holder_id
  from bursar.holders h
 where h.holder_id between %(first)s and %(last)s
   and h.erased_at is null
   and h.login_day >= %(day)s
   and h.login_day - %(day)s <= 62
   and (h.login_map >> (h.login_day - %(day)s)) & 1 = 1;

-- name: highest_holder_id
-- The largest number in the directory.
select coalesce(max(holder_id), 0) from bursar.holders;

-- name: read_mailed
-- In which zone they are, of these people, whom e-mail reaches.
select h.holder_id, h.time_zone
  from bursar.holders h
 where h.holder_id = any (%(holder_ids)s::bigint[])
   and h.email is not null and h.erased_at is null;
