-- The inbox: how far it has been made, what is in it, what has been read of it.

-- name: find_behind
-- The wallets of a holder that have moved since the inbox was made, with the place where to go on;
-- null where the inbox has never looked at the wallet.
select w.asset_id, a.code, w.seq, c.seq
  from bursar.wallets w
  join bursar.assets a using (asset_id)
  left join bursar.inbox_cursors c on c.holder_id = w.holder_id and c.asset_id = w.asset_id
 where w.holder_id = %(holder_id)s and c.seq is distinct from w.seq;

-- name: mark_exclusions
-- A fingerprint of a holder's exclusions, and that of those the inbox has looked at. A count would
-- stay the same where an old one is forgotten for each that comes.
select (select coalesce(bit_xor(hashint8extended(x.run_id, 0)), 0)
          from bursar.run_exclusions x where x.holder_id = %(holder_id)s),
       coalesce((select i.exclusions from bursar.inboxes i where i.holder_id = %(holder_id)s), 0);

-- name: lock_inboxes
-- One writer to an inbox at a time, in the order of the holders.
insert into bursar.inboxes (holder_id)
select u.holder_id from unnest(%(holder_ids)s::bigint[]) as u (holder_id) order by u.holder_id
    on conflict (holder_id) do update set exclusions = bursar.inboxes.exclusions;

-- name: move_cursors
-- The inbox has been made up to these entries.
insert into bursar.inbox_cursors (holder_id, asset_id, seq)
select %(holder_id)s, u.asset_id, u.seq
  from unnest(%(asset_ids)s::int[], %(seqs)s::bigint[]) as u (asset_id, seq)
    on conflict (holder_id, asset_id) do update set seq = excluded.seq;

-- name: read_exclusions
-- Whom programs have left out for a reason that they keep, since an instant: whose period it was.
select x.run_id, p.name, r.version, coalesce(nullif(x.period_key, ''), r.period_key), r.asset,
       x.reason, r.started_at
  from bursar.run_exclusions x
  join bursar.runs r using (run_id)
  join bursar.programs p using (program_id)
 where x.holder_id = %(holder_id)s and not r.dry_run and r.started_at >= %(since)s
 order by x.run_id;

-- name: set_exclusions
-- These of a holder's exclusions have been looked at.
update bursar.inboxes set exclusions = %(mark)s where holder_id = %(holder_id)s;

-- name: add_notices
-- What is new in inboxes, in this order; a fact that is there already stays as it is.
insert into bursar.notices (holder_id, notice_id, kind, happened_at, made_at, data)
select u.holder_id, u.notice_id::uuid, u.kind, u.happened_at, bursar.now(), u.data::json
  from unnest(%(holder_ids)s::bigint[], %(notice_ids)s::text[], %(kinds)s::text[],
              %(happened)s::timestamptz[], %(data)s::text[]) with ordinality
       as u (holder_id, notice_id, kind, happened_at, data, place)
 order by u.place
    on conflict (holder_id, notice_id) do nothing
returning 1;

-- name: read_page
-- A page of an inbox, what happened last first, whenever it came into the inbox.
select n.notice_id, n.holder_id, n.kind, n.happened_at, n.data::text, n.number, n.made_at, n.read_at
  from bursar.notices n
 where n.holder_id = %(holder_id)s and n.dismissed_at is null
   and (n.happened_at, n.number) < (%(happened_before)s, %(before)s)
   and (n.read_at is null or not %(unread)s)
 order by n.happened_at desc, n.number desc
 limit %(limit)s;

-- name: newest
-- The place of what has come into an inbox last; 0 if nothing has.
select coalesce(max(n.number), 0) from bursar.notices n where n.holder_id = %(holder_id)s;

-- name: read_since
-- What has come into an inbox after a place, the oldest first.
select n.notice_id, n.holder_id, n.kind, n.happened_at, n.data::text, n.number, n.made_at, n.read_at
  from bursar.notices n
 where n.holder_id = %(holder_id)s and n.number > %(after)s and n.dismissed_at is null
 order by n.number
 limit %(limit)s;

-- name: read_one
-- One notice of an inbox.
select n.notice_id, n.holder_id, n.kind, n.happened_at, n.data::text, n.number, n.made_at, n.read_at
  from bursar.notices n
 where n.holder_id = %(holder_id)s and n.notice_id = %(notice_id)s and n.dismissed_at is null;

-- name: count_unread
-- How many a holder has not read, up to a number that nobody counts beyond.
select count(*) from (
    select from bursar.notices n
     where n.holder_id = %(holder_id)s and n.read_at is null and n.dismissed_at is null
     limit %(most)s) as u;

-- name: mark_read
-- One notice has been read; the first time counts.
update bursar.notices
   set read_at = coalesce(read_at, bursar.now())
 where holder_id = %(holder_id)s and notice_id = %(notice_id)s and dismissed_at is null
returning 1;

-- name: mark_all_read
-- Everything up to a place has been read.
with read as (
    update bursar.notices
       set read_at = bursar.now()
     where holder_id = %(holder_id)s and number <= %(last)s
       and read_at is null and dismissed_at is null
    returning 1)
select count(*) from read;

-- name: dismiss
-- A notice is put away; whoever puts it away again has nothing to do.
update bursar.notices
   set dismissed_at = coalesce(dismissed_at, bursar.now())
 where holder_id = %(holder_id)s and notice_id = %(notice_id)s
returning 1;

-- name: read_tips
-- What changes whenever there may be news in an inbox: wallets, exclusions, notices, what is unread.
select h.holder_id,
       coalesce((select sum(w.seq) from bursar.wallets w where w.holder_id = h.holder_id), 0)::bigint,
       (select coalesce(bit_xor(hashint8extended(x.run_id, 0)), 0)
          from bursar.run_exclusions x where x.holder_id = h.holder_id),
       coalesce((select max(n.number) from bursar.notices n where n.holder_id = h.holder_id), 0),
       (select count(*) from (
            select from bursar.notices n where n.holder_id = h.holder_id
               and n.read_at is null and n.dismissed_at is null
             limit %(most)s) as u)
  from unnest(%(holder_ids)s::bigint[]) as h (holder_id);

-- name: forget
-- What is older than the economy keeps, some thousand at a time; by their places, for a join would
-- read the whole table each time.
with gone as (
    delete from bursar.notices n
     where n.ctid = any (array(
           select o.ctid from bursar.notices o
            where o.made_at < %(before)s
            limit %(limit)s
              for update skip locked))
    returning 1)
select count(*) from gone;
