-- The directory's own reading and writing (H1, H2, H4). What programs read is in people.sql.

-- name: begin_change
-- Whoever changes holders shares this lock, whoever changes what must be unique has it alone; the
-- settings are read by a statement of its own, after the lock.
select pg_advisory_xact_lock_shared(hashtextextended('bursar.directory', 0));

-- name: lock_directory
-- Alone with the directory until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('bursar.directory', 0));

-- name: read_directory
-- The instant, and which names only one holder may have.
select bursar.now(), unique_username, unique_email from bursar.directory;

-- name: set_directory
-- Which names only one holder may have.
update bursar.directory
   set unique_username = %(unique_username)s, unique_email = %(unique_email)s;

-- name: resolve
-- The numbers of these external ids, and whether they are in the directory.
select i.external_id, i.holder_id, h.holder_id is not null
  from unnest(%(external_ids)s::text[]) as x (external_id)
  join bursar.holder_ids i using (external_id)
  left join bursar.holders h using (holder_id);

-- name: lock_holders
-- These holders as they stand, locked in the order of their numbers, as everybody does.
select h.holder_id, i.external_id, h.username, h.email, h.locale, h.time_zone, h.created_at,
       h.status, h.tier, h.verified, h.subscription_start, h.billing_anchor, h.last_login_at,
       h.attributes::text, h.matters_since, h.changes, h.erased_at
  from unnest(%(holder_ids)s::bigint[]) as x (holder_id)
  join bursar.holders h using (holder_id)
  join bursar.holder_ids i using (holder_id)
 order by h.holder_id
   for no key update of h;

-- name: lock_id
-- One holder's number and id by either, locked: an erasure changes the id.
select i.holder_id, i.external_id
  from bursar.holder_ids i
 where i.external_id = %(external_id)s::text or i.holder_id = %(holder_id)s::bigint
   for update;

-- name: read_holder
-- One holder by the app's own id, or by number.
select h.holder_id, i.external_id, h.username, h.email, h.locale, h.time_zone, h.created_at,
       h.status, h.tier, h.verified, h.subscription_start, h.billing_anchor, h.last_login_at,
       h.attributes::text, h.matters_since, h.changes, h.erased_at
  from bursar.holder_ids i
  join bursar.holders h using (holder_id)
 where i.external_id = %(external_id)s::text or i.holder_id = %(holder_id)s::bigint;

-- name: list_holders
-- Holders after a number, in order.
select h.holder_id, i.external_id, h.username, h.email, h.locale, h.time_zone, h.created_at,
       h.status, h.tier, h.verified, h.subscription_start, h.billing_anchor, h.last_login_at,
       h.attributes::text, h.matters_since, h.changes, h.erased_at
  from bursar.holders h
  join bursar.holder_ids i using (holder_id)
 where h.holder_id > %(after)s
   and (%(status)s::text is null or h.status = %(status)s)
   and (%(tier)s::text is null or h.tier = %(tier)s)
   and (%(verified)s::boolean is null or h.verified = %(verified)s)
   and (%(erased)s::boolean or h.erased_at is null)
 order by h.holder_id
 limit %(limit)s;

-- name: read_owners
-- Who has these names; nobody can take one of them away meanwhile.
select n.kind, n.name, i.external_id
  from unnest(%(kinds)s::text[], %(names)s::text[]) as x (kind, name)
  join bursar.holder_names n using (kind, name)
  join bursar.holder_ids i using (holder_id)
 order by n.kind, n.name
   for no key update of n;

-- name: free_names
-- Names that their holders give up.
delete from bursar.holder_names n
 using unnest(%(kinds)s::text[], %(names)s::text[], %(holder_ids)s::bigint[])
       as x (kind, name, holder_id)
 where n.kind = x.kind and n.name = x.name and n.holder_id = x.holder_id;

-- name: give_names
-- Names for their only owners, in order; who takes one that is taken breaks the key.
insert into bursar.holder_names (kind, name, holder_id)
select x.kind, x.name, x.holder_id
  from unnest(%(kinds)s::text[], %(names)s::text[], %(holder_ids)s::bigint[])
       as x (kind, name, holder_id)
 order by x.kind, x.name;

-- name: add_names
-- The same while a switch is turned on; those that are taken are left out, the others answered.
insert into bursar.holder_names (kind, name, holder_id)
select x.kind, x.name, x.holder_id
  from unnest(%(kinds)s::text[], %(names)s::text[], %(holder_ids)s::bigint[])
       as x (kind, name, holder_id)
    on conflict (kind, name) do nothing
returning holder_id;

-- name: clear_names
-- No names of a kind.
delete from bursar.holder_names where kind = %(kind)s;

-- name: read_names
-- A stretch of the directory, for the names in it.
select holder_id, username, email
  from bursar.holders
 where holder_id > %(after)s
 order by holder_id
 limit %(limit)s;

-- name: enrol
-- Numbers for external ids that have none, in the order given; if somebody was quicker with one,
-- the key breaks: seldom, and cheaper than being prepared for it.
insert into bursar.holder_ids (external_id)
select x.external_id
  from unnest(%(external_ids)s::text[]) with ordinality as x (external_id, n)
 order by x.n
returning external_id, holder_id;

-- name: insert_holders
-- New rows of the directory; if somebody was quicker, the key breaks. A column that is the same
-- throughout is an empty array and one value; what is null in a column beside one means that one.
insert into bursar.holders (
    holder_id, xid, epoch, username, email, locale, time_zone, created_at, status, tier,
    verified, subscription_start, billing_anchor, last_login_at, login_day, login_map,
    attributes, matters_since, changes)
select n.holder_id, pg_current_xact_id(), (select epoch from bursar.economy),
       coalesce(n.username, %(username)s), coalesce(n.email, %(email)s),
       coalesce(n.locale, %(locale)s), coalesce(n.time_zone, %(time_zone)s),
       coalesce(n.created_at, %(created_at)s), coalesce(n.status, %(status)s),
       coalesce(n.tier, %(tier)s), coalesce(n.verified, %(verified)s) <> 0,
       coalesce(n.subscription_start, %(subscription_start)s),
       coalesce(n.billing_anchor, %(billing_anchor)s),
       coalesce(n.last_login_at, %(last_login_at)s),
       (coalesce(n.last_login_at, %(last_login_at)s) at time zone 'UTC')::date,
       (coalesce(n.last_login_at, %(last_login_at)s) is not null)::integer,
       coalesce(n.attributes, %(attributes)s)::jsonb,
       coalesce(n.matters_since, %(matters_since)s), coalesce(n.changes, %(changes)s)
  from unnest(
       %(holder_ids)s::bigint[], %(usernames)s::text[], %(emails)s::text[],
       %(locales)s::text[], %(time_zones)s::text[], %(created_ats)s::timestamptz[],
       %(statuss)s::text[], %(tiers)s::text[], %(verifieds)s::smallint[],
       %(subscription_starts)s::timestamptz[], %(billing_anchors)s::timestamptz[],
       %(last_login_ats)s::timestamptz[], %(attributess)s::text[],
       %(matters_sinces)s::timestamptz[], %(changess)s::integer[])
       as n (holder_id, username, email, locale, time_zone, created_at, status, tier, verified,
             subscription_start, billing_anchor, last_login_at, attributes, matters_since,
             changes);

-- name: update_holders
-- The rows as they are now; logins are noted by a statement of their own.
update bursar.holders h
   set username = n.username, email = n.email, locale = n.locale, time_zone = n.time_zone,
       created_at = n.created_at, status = n.status, tier = n.tier, verified = n.verified <> 0,
       subscription_start = n.subscription_start, billing_anchor = n.billing_anchor,
       attributes = n.attributes::jsonb, matters_since = n.matters_since, changes = n.changes,
       xid = case when n.told <> 0 then pg_current_xact_id() else h.xid end,
       epoch = case when n.told <> 0 then (select epoch from bursar.economy) else h.epoch end
  from unnest(
       %(holder_ids)s::bigint[], %(usernames)s::text[], %(emails)s::text[], %(locales)s::text[],
       %(time_zones)s::text[], %(created_ats)s::timestamptz[], %(statuss)s::text[],
       %(tiers)s::text[], %(verifieds)s::smallint[], %(subscription_starts)s::timestamptz[],
       %(billing_anchors)s::timestamptz[], %(attributess)s::text[],
       %(matters_sinces)s::timestamptz[], %(changess)s::integer[], %(told)s::smallint[])
       as n (holder_id, username, email, locale, time_zone, created_at, status, tier, verified,
             subscription_start, billing_anchor, attributes, matters_since, changes, told)
 where h.holder_id = n.holder_id;

-- name: insert_past
-- What was in force until now.
insert into bursar.holder_history (
       holder_id, number, since, until, status, tier, verified, subscription_start, billing_anchor,
       recorded_at, actor, reason)
select p.holder_id, p.number, p.since, p.until, p.status, p.tier, p.verified <> 0,
       p.subscription_start, p.billing_anchor, p.recorded_at, %(actor)s, %(reason)s
  from unnest(
       %(holder_ids)s::bigint[], %(numbers)s::integer[], %(sinces)s::timestamptz[],
       %(untils)s::timestamptz[], %(statuss)s::text[], %(tiers)s::text[], %(verifieds)s::smallint[],
       %(subscription_starts)s::timestamptz[], %(billing_anchors)s::timestamptz[],
       %(recorded_ats)s::timestamptz[])
       as p (holder_id, number, since, until, status, tier, verified, subscription_start,
             billing_anchor, recorded_at);

-- name: note_logins
-- Logins, by day in UTC: bit i says i days before the last. Rows are locked in order; nothing that
-- programs follow moves.
with seen as (
    select h.holder_id, x.at, (x.at at time zone 'UTC')::date as day
      from unnest(%(holder_ids)s::bigint[], %(ats)s::timestamptz[]) as x (holder_id, at)
      join bursar.holders h using (holder_id)
     where h.erased_at is null
     order by h.holder_id
       for no key update of h
)
update bursar.holders h
   set last_login_at = greatest(h.last_login_at, s.at),
       login_day = greatest(h.login_day, s.day),
       login_map = case
           when h.login_day is null or s.day - h.login_day > 62 then 1
           when s.day >= h.login_day
           then ((h.login_map << (s.day - h.login_day)) & 9223372036854775807) | 1
           when h.login_day - s.day <= 62 then h.login_map | (1::bigint << (h.login_day - s.day))
           else h.login_map end
  from seen s
 where h.holder_id = s.holder_id;

-- name: read_history
-- What was in force before, the newest first.
select number, since, until, status, tier, verified, subscription_start, billing_anchor,
       recorded_at, actor, reason
  from bursar.holder_history
 where holder_id = %(holder_id)s and number < %(before)s
 order by number desc
 limit %(limit)s;

-- name: credit_of
-- What a holder has in all wallets.
select a.code, w.balance, w.held
  from bursar.wallets w
  join bursar.assets a using (asset_id)
 where w.holder_id = %(holder_id)s and (w.balance <> 0 or w.held <> 0)
 order by a.code;

-- name: erase_id
-- The app's own id gives way to a tombstone; should somebody bear that name, to a longer one.
update bursar.holder_ids i
   set external_id = %(tombstone)s::text || case
       when exists (select from bursar.holder_ids o where o.external_id = %(tombstone)s::text)
       then ':' || pg_current_xact_id()::text else '' end
 where i.holder_id = %(holder_id)s
returning i.external_id;

-- name: erase_holder
-- Whatever is personal goes; what programs and books need to know of an account stays.
update bursar.holders
   set username = null, email = null, locale = null, time_zone = null, attributes = '{}',
       last_login_at = null, login_day = null, login_map = 0, status = %(status)s,
       erased_at = %(now)s, matters_since = greatest(matters_since, %(now)s),
       changes = changes + 1, xid = pg_current_xact_id(),
       epoch = (select epoch from bursar.economy)
 where holder_id = %(holder_id)s;
