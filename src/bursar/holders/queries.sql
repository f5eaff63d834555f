-- The directory of people. Whoever writes a holder holds the holder's row in bursar.holder_ids
-- first, in the order of the numbers.

-- name: enrol
-- A number for each of these ids that has none yet.
insert into bursar.holder_ids (external_id)
select u.external_id
  from unnest(%(external_ids)s::text[]) as u (external_id)
 order by u.external_id
    on conflict (external_id) do nothing;

-- name: lock_known
-- These holders as they are, held until the transaction ends.
select i.holder_id, i.external_id, h.username, h.email, h.locale, h.time_zone, h.created_at,
       h.status, h.tier, h.verified, h.subscription_start, h.billing_anchor, h.last_login_at,
       h.attributes::text, h.matters_since, h.changes, h.erased_at
  from bursar.holder_ids i
  left join bursar.holders h using (holder_id)
 where i.external_id = any (%(external_ids)s::text[])
 order by i.holder_id
   for update of i;

-- name: add_holders
-- Holders who are new to the directory.
insert into bursar.holders (holder_id, xid, epoch, created_at, matters_since, subscription_start,
                            billing_anchor, last_login_at, login_map, login_day, changes, verified,
                            status, tier, username, email, locale, time_zone, attributes)
select u.holder_id, pg_current_xact_id(), e.epoch, u.created_at, u.matters_since,
       u.subscription_start, u.billing_anchor, u.last_login_at,
       case when u.last_login_at is null then 0 else 1 end,
       (u.last_login_at at time zone 'UTC')::date, u.changes, u.verified <> 0,
       u.status, u.tier, u.username, u.email, u.locale, u.time_zone, u.attributes::jsonb
  from unnest(%(holder_ids)s::bigint[], %(created)s::timestamptz[], %(since)s::timestamptz[],
              %(subscriptions)s::timestamptz[], %(billings)s::timestamptz[],
              %(logins)s::timestamptz[], %(changes)s::integer[], %(verified)s::integer[],
              %(statuses)s::text[], %(tiers)s::text[], %(usernames)s::text[], %(emails)s::text[],
              %(locales)s::text[], %(zones)s::text[], %(attributes)s::text[])
       as u (holder_id, created_at, matters_since, subscription_start, billing_anchor,
             last_login_at, changes, verified, status, tier, username, email, locale, time_zone,
             attributes)
 cross join bursar.economy e;

-- name: change_holders
-- Holders as they are now; those told have something changed that programs may ask.
update bursar.holders h
   set xid = case when u.told <> 0 then pg_current_xact_id() else h.xid end,
       epoch = case when u.told <> 0 then e.epoch else h.epoch end,
       created_at = u.created_at, matters_since = u.matters_since,
       subscription_start = u.subscription_start, billing_anchor = u.billing_anchor,
       last_login_at = u.last_login_at, changes = u.changes, verified = u.verified <> 0,
       status = u.status, tier = u.tier, username = u.username, email = u.email,
       locale = u.locale, time_zone = u.time_zone, attributes = u.attributes::jsonb
  from unnest(%(holder_ids)s::bigint[], %(created)s::timestamptz[], %(since)s::timestamptz[],
              %(subscriptions)s::timestamptz[], %(billings)s::timestamptz[],
              %(logins)s::timestamptz[], %(changes)s::integer[], %(verified)s::integer[],
              %(statuses)s::text[], %(tiers)s::text[], %(usernames)s::text[], %(emails)s::text[],
              %(locales)s::text[], %(zones)s::text[], %(attributes)s::text[], %(told)s::integer[])
       as u (holder_id, created_at, matters_since, subscription_start, billing_anchor,
             last_login_at, changes, verified, status, tier, username, email, locale, time_zone,
             attributes, told)
 cross join bursar.economy e
 where h.holder_id = u.holder_id;

-- name: add_past
-- What was in force, and until when.
insert into bursar.holder_history (holder_id, number, since, until, status, tier, verified,
                                   subscription_start, billing_anchor, recorded_at, actor, reason)
select u.holder_id, u.number, u.since, u.until, u.status, u.tier, u.verified <> 0,
       u.subscription_start, u.billing_anchor, %(now)s, %(actor)s, %(reason)s
  from unnest(%(holder_ids)s::bigint[], %(numbers)s::integer[], %(sinces)s::timestamptz[],
              %(untils)s::timestamptz[], %(statuses)s::text[], %(tiers)s::text[],
              %(verified)s::integer[], %(subscriptions)s::timestamptz[],
              %(billings)s::timestamptz[])
       as u (holder_id, number, since, until, status, tier, verified, subscription_start,
             billing_anchor);

-- name: read_unique
-- Which names only one holder may have; held, so that a switch waits for whoever writes.
select d.unique_username, d.unique_email from bursar.directory d for share;

-- name: read_owners
-- Who has these names.
select n.kind, n.name, i.external_id
  from unnest(%(kinds)s::text[], %(names)s::text[]) as u (kind, name)
  join bursar.holder_names n using (kind, name)
  join bursar.holder_ids i using (holder_id);

-- name: free_names
-- Names that nobody has any more.
delete from bursar.holder_names n
 using unnest(%(kinds)s::text[], %(names)s::text[]) as u (kind, name)
 where n.kind = u.kind and n.name = u.name;

-- name: give_names
-- Names and whose they are; one that somebody has just taken stops the transaction.
insert into bursar.holder_names (kind, name, holder_id)
select u.kind, u.name, u.holder_id
  from unnest(%(kinds)s::text[], %(names)s::text[], %(holder_ids)s::bigint[])
       as u (kind, name, holder_id);

-- name: read_holder
-- A holder by the app's own id.
select i.holder_id, i.external_id, h.username, h.email, h.locale, h.time_zone, h.created_at,
       h.status, h.tier, h.verified, h.subscription_start, h.billing_anchor, h.last_login_at,
       h.attributes::text, h.matters_since, h.changes, h.erased_at
  from bursar.holder_ids i
  join bursar.holders h using (holder_id)
 where i.external_id = %(external_id)s;

-- name: read_holders
-- Holders in the order of their numbers.
select i.holder_id, i.external_id, h.username, h.email, h.locale, h.time_zone, h.created_at,
       h.status, h.tier, h.verified, h.subscription_start, h.billing_anchor, h.last_login_at,
       h.attributes::text, h.matters_since, h.changes, h.erased_at
  from bursar.holders h
  join bursar.holder_ids i using (holder_id)
 where h.holder_id > %(after)s
   and (h.status = %(status)s or %(status)s::text is null)
   and (h.tier = %(tier)s or %(tier)s::text is null)
   and (h.verified = %(verified)s or %(verified)s::boolean is null)
   and (h.erased_at is null or %(erased)s)
 order by h.holder_id
 limit %(limit)s;

-- name: find_numbers
-- The numbers of people in the directory.
select i.external_id, i.holder_id
  from bursar.holder_ids i
  join bursar.holders h using (holder_id)
 where i.external_id = any (%(external_ids)s::text[]) and h.erased_at is null;

-- name: note_logins
-- Logins move a holder's map of days: bit i is the day i days before login_day.
update bursar.holders h
   set last_login_at = greatest(h.last_login_at, u.at),
       login_day = greatest(h.login_day, u.day),
       login_map = case
           when h.login_day is null then 1
           when u.day > h.login_day + 62 then 1
           when u.day > h.login_day
                then ((h.login_map << (u.day - h.login_day)) & 9223372036854775807) | 1
           when u.day < h.login_day - 62 then h.login_map
           else h.login_map | (1::bigint << (h.login_day - u.day)) end
  from (select n.holder_id, n.at, (n.at at time zone %(zone)s)::date as day
          from unnest(%(holder_ids)s::bigint[], %(instants)s::timestamptz[])
               as n (holder_id, at)) as u
 where h.holder_id = u.holder_id and h.erased_at is null;

-- name: erase
-- Nothing personal is left of a holder in the directory (H4).
update bursar.holders
   set username = null, email = null, locale = null, time_zone = null, attributes = '{}',
       last_login_at = null, login_map = 0, login_day = null, status = %(status)s,
       matters_since = %(now)s, changes = changes + 1, erased_at = %(now)s,
       xid = pg_current_xact_id(), epoch = (select e.epoch from bursar.economy e)
 where holder_id = %(holder_id)s;

-- name: rename
-- The app's own id gives way to a tombstone, and may be enrolled anew.
update bursar.holder_ids set external_id = %(tombstone)s where holder_id = %(holder_id)s;

-- name: drop_names
-- An erased holder's names are free.
delete from bursar.holder_names where holder_id = %(holder_id)s;

-- name: lock_directory
-- The switches, held by whoever changes them.
select d.unique_username, d.unique_email from bursar.directory d for update;

-- name: set_unique
-- Which names only one holder may have.
update bursar.directory set unique_username = %(username)s, unique_email = %(email)s;

-- name: clear_names
-- The names of a kind are nobody's matter any more.
delete from bursar.holder_names where kind = %(kind)s;

-- name: read_all_names
-- Every name of a kind, to be folded and taken.
select h.holder_id, i.external_id, case when %(kind)s = 'email' then h.email else h.username end
  from bursar.holders h
  join bursar.holder_ids i using (holder_id)
 where h.erased_at is null
   and case when %(kind)s = 'email' then h.email else h.username end is not null
 order by h.holder_id;

-- name: now
-- The economy's clock.
select bursar.now();
