-- Reading the ledger for people: wallets, statements, the journal, balances of the past.

-- name: find_holder
-- The number of an external id.
select holder_id from bursar.holder_ids where external_id = %(external_id)s;

-- name: find_external_id
-- The external id of a number.
select external_id from bursar.holder_ids where holder_id = %(holder_id)s;

-- name: read_names
-- The external ids of these numbers.
select holder_id, external_id
  from bursar.holder_ids
 where holder_id = any (%(holder_ids)s::bigint[]);

-- name: wallets_of
-- In which assets a holder has a wallet.
select asset_id from bursar.wallets where holder_id = %(holder_id)s;

-- name: last_seq_at
-- The last entry of a wallet recorded by an instant: recorded_at never goes backwards within a
-- wallet, so halving finds it among a million in twenty steps. The limit keeps each step a walk down
-- the index: as a join it may be one over the whole wallet.
with recursive halves (low, high) as (
    select 0::bigint,
           coalesce((select w.seq from bursar.wallets w
                      where w.holder_id = %(holder_id)s and w.asset_id = %(asset_id)s), 0)
     union all
    select case when e.recorded_at <= %(instant)s then m.middle else h.low end,
           case when e.recorded_at <= %(instant)s then h.high else m.middle - 1 end
      from halves h
     cross join lateral (select (h.low + h.high + 1) / 2 as middle) m
     cross join lateral (select x.recorded_at from bursar.entries x
                          where x.holder_id = %(holder_id)s and x.asset_id = %(asset_id)s
                            and x.seq = m.middle
                          limit 1) e
     where h.low < h.high
)
select low from halves where low = high;

-- name: read_statement
-- A page of a wallet's entries, the newest first.
select e.holder_id, e.asset_id, e.seq, e.posting_id, e.kind, e.amount, e.held_change, e.balance,
       e.reference, e.house_account, e.source, e.effective_at, e.recorded_at,
       e.metadata::text, e.detail::text, e.key_id, e.checksum
  from bursar.entries e
 where e.holder_id = %(holder_id)s and e.asset_id = %(asset_id)s
   and e.seq > %(low)s and e.seq <= %(high)s
 order by e.seq desc
 limit %(limit)s;

-- name: read_statement_filtered
-- A page of some kinds or sources, from the first thousand entries of a wallet.
select e.holder_id, e.asset_id, e.seq, e.posting_id, e.kind, e.amount, e.held_change, e.balance,
       e.reference, e.house_account, e.source, e.effective_at, e.recorded_at,
       e.metadata::text, e.detail::text, e.key_id, e.checksum
  from bursar.entries e
 where e.holder_id = %(holder_id)s and e.asset_id = %(asset_id)s
   and e.seq > %(low)s and e.seq <= least(%(high)s, 1000)
   and (e.kind = any (%(kinds)s::text[]) or %(kinds)s::text[] = '{}')
   and (e.source = any (%(sources)s::text[]) or %(sources)s::text[] = '{}')
 order by e.seq desc
 limit %(limit)s;

-- name: read_busy_kinds
-- A page of some kinds, beyond the first thousand entries: one walk down an index for each kind.
select e.*
  from unnest(%(kinds)s::text[]) as k (kind)
 cross join lateral (
       select e.holder_id, e.asset_id, e.seq, e.posting_id, e.kind, e.amount, e.held_change,
              e.balance, e.reference, e.house_account, e.source, e.effective_at, e.recorded_at,
              e.metadata::text, e.detail::text, e.key_id, e.checksum
         from bursar.entries e
        where e.holder_id = %(holder_id)s and e.asset_id = %(asset_id)s and e.kind = k.kind
          and e.seq > 1000 and e.seq > %(low)s and e.seq <= %(high)s
          and (e.source = any (%(sources)s::text[]) or %(sources)s::text[] = '{}')
        order by e.seq desc
        limit %(limit)s) e
 order by e.seq desc
 limit %(limit)s;

-- name: read_busy_sources
-- A page of some sources, beyond the first thousand entries.
select e.*
  from unnest(%(sources)s::text[]) as s (source)
 cross join lateral (
       select e.holder_id, e.asset_id, e.seq, e.posting_id, e.kind, e.amount, e.held_change,
              e.balance, e.reference, e.house_account, e.source, e.effective_at, e.recorded_at,
              e.metadata::text, e.detail::text, e.key_id, e.checksum
         from bursar.entries e
        where e.holder_id = %(holder_id)s and e.asset_id = %(asset_id)s and e.source = s.source
          and e.seq > 1000 and e.source is not null and e.seq > %(low)s and e.seq <= %(high)s
        order by e.seq desc
        limit %(limit)s) e
 order by e.seq desc
 limit %(limit)s;

-- name: balance_after
-- The balance after one entry.
select e.balance
  from bursar.entries e
 where e.holder_id = %(holder_id)s and e.asset_id = %(asset_id)s and e.seq = %(seq)s;

-- name: dated_back
-- What was recorded after an entry but took effect by an instant.
select coalesce(sum(e.amount), 0)::text
  from bursar.entries e
 where e.holder_id = %(holder_id)s and e.asset_id = %(asset_id)s
   and e.effective_at < e.recorded_at
   and e.effective_at <= %(instant)s and e.seq > %(seq)s;

-- name: wallet_totals
-- What a wallet gained and lost, by kind and source; reversals count against the kind they undo.
select coalesce(e.detail ->> 'target_kind', e.kind), e.source, sum(e.amount)::text, count(*)
  from bursar.entries e
 where e.holder_id = %(holder_id)s and e.asset_id = %(asset_id)s and e.amount <> 0
 group by 1, 2
 order by 1, 2;

-- name: newest_postings
-- The newest postings, with the number of their entries.
select p.posting_id, p.entries
  from bursar.postings p
 where p.posting_id <= %(posting_id)s
 order by p.posting_id desc
 limit %(limit)s;

-- name: newest_postings_of_kind
-- The newest postings with entries of a kind, and how many those are.
select p.posting_id, p.entries
  from bursar.posting_kinds p
 where p.kind = %(kind)s and p.posting_id <= %(posting_id)s
 order by p.posting_id desc
 limit %(limit)s;

-- name: read_journal
-- A page of the entries of some postings, the newest first.
select e.holder_id, e.asset_id, e.seq, e.posting_id, e.kind, e.amount, e.held_change, e.balance,
       e.reference, e.house_account, e.source, e.effective_at, e.recorded_at,
       e.metadata::text, e.detail::text, e.key_id, e.checksum
  from bursar.entries e
 where e.posting_id = any (%(posting_ids)s::bigint[])
   and (e.kind = %(kind)s or %(kind)s::text is null)
   and (e.posting_id, e.holder_id, e.asset_id, e.seq)
       < (%(posting_id)s, %(holder_id)s, %(asset_id)s, %(seq)s)
 order by e.posting_id desc, e.holder_id desc, e.asset_id desc, e.seq desc
 limit %(limit)s;

-- name: read_postings
-- Who posted these, and why.
select p.posting_id, p.recorded_at, p.entries, p.actor, p.reason
  from bursar.postings p
 where p.posting_id = any (%(posting_ids)s::bigint[]);

-- name: read_new_postings
-- The postings after a cursor in an order that no commit can disturb: of this epoch only those
-- older than the oldest transaction that is still writing.
select p.epoch, p.xid::text, p.posting_id, p.recorded_at, p.entries, p.actor, p.reason
  from bursar.postings p
 where (p.epoch, p.xid, p.posting_id) > (%(epoch)s, %(xid)s::xid8, %(posting_id)s)
   and (p.epoch < (select epoch from bursar.economy)
        or p.xid < pg_snapshot_xmin(pg_current_snapshot()))
 order by p.epoch, p.xid, p.posting_id
 limit %(limit)s;

-- name: read_posted_entries
-- The entries of some postings, each wallet's in the order of its seq.
select e.holder_id, e.asset_id, e.seq, e.posting_id, e.kind, e.amount, e.held_change, e.balance,
       e.reference, e.house_account, e.source, e.effective_at, e.recorded_at,
       e.metadata::text, e.detail::text, e.key_id, e.checksum
  from bursar.entries e
 where e.posting_id = any (%(posting_ids)s::bigint[])
 order by e.posting_id, e.holder_id, e.asset_id, e.seq;

-- name: take_turn
-- Is it this follower's turn, until the transaction ends, or is another of its name at work? A lock
-- on the cursor's row would cost a transaction number, and so hold up followers of other names.
select pg_try_advisory_xact_lock(hashtextextended('bursar.follower:' || %(follower)s::text, 0));

-- name: read_cursor
-- Where a follower stands.
select c.epoch, c.xid::text, c.posting_id
  from bursar.cursors c
 where c.follower = %(follower)s;

-- name: move_cursor
-- A follower has seen everything up to here.
insert into bursar.cursors (follower, epoch, xid, posting_id, moved_at)
values (%(follower)s, %(epoch)s, %(xid)s::xid8, %(posting_id)s, bursar.now())
    on conflict (follower) do update
   set epoch = excluded.epoch, xid = excluded.xid, posting_id = excluded.posting_id,
       moved_at = excluded.moved_at;

-- name: follower_lag
-- How many entries a follower has yet to see, and since when they wait.
select coalesce(sum(p.entries), 0)::bigint, min(p.recorded_at)
  from bursar.postings p
 where (p.epoch, p.xid, p.posting_id) > (%(epoch)s, %(xid)s::xid8, %(posting_id)s);

-- name: read_entries
-- Some entries of a wallet by their seq.
select e.holder_id, e.asset_id, e.seq, e.posting_id, e.kind, e.amount, e.held_change, e.balance,
       e.reference, e.house_account, e.source, e.effective_at, e.recorded_at,
       e.metadata::text, e.detail::text, e.key_id, e.checksum
  from bursar.entries e
 where e.holder_id = %(holder_id)s and e.asset_id = %(asset_id)s
   and e.seq = any (%(seqs)s::bigint[]);

-- name: read_draws
-- What later entries took from some lots, gave back or gave more time, the newest first.
select s.lot, s.amount, e.seq, e.kind, e.reference, e.recorded_at, s.until
  from bursar.entries e
 cross join lateral (
       select (x.share ->> 0)::bigint, (x.share ->> 1)::bigint, null::timestamptz
         from json_array_elements(e.detail -> 'lots') as x (share)
        union all
       select x.lot::bigint, 0, (e.detail ->> 'until')::timestamptz
         from json_array_elements_text(e.detail -> 'extended') as x (lot)
       ) as s (lot, amount, until)
 where e.holder_id = %(holder_id)s and e.asset_id = %(asset_id)s
   and e.seq > %(first)s
   and e.detail is not null
   and s.lot = any (%(lots)s::bigint[])
   and s.lot <> e.seq
 order by e.seq desc
 limit %(limit)s;

-- name: read_given
-- What one actor has given in one transaction.
select e.holder_id, a.code, e.reference, e.amount
  from bursar.postings p
  join bursar.entries e using (posting_id)
  join bursar.assets a using (asset_id)
 where p.epoch = %(epoch)s and p.xid = %(xid)s::xid8
   and p.actor = %(actor)s and e.kind = 'grant'
 order by e.holder_id, e.seq;

-- name: read_by_references
-- What these holders' entries of these references come to.
select e.holder_id, e.reference, e.amount
  from bursar.entries e
  join bursar.assets a using (asset_id)
 where a.code = %(asset)s
   and e.holder_id = any (%(holder_ids)s::bigint[])
   and e.reference = any (%(references)s::text[]);

-- name: read_ending
-- What ends between two instants: open lots that would expire, open holds that would lapse.
select l.holder_id, a.code, null::text
  from bursar.lots l
  join bursar.assets a using (asset_id)
 where l.open and l.expires_at between %(since)s and %(until)s
 group by l.holder_id, a.code
 union all
select h.holder_id, a.code, h.reference
  from bursar.holds h
  join bursar.assets a using (asset_id)
 where h.state = 'open' and h.deadline between %(since)s and %(until)s
 order by 1, 2, 3;

-- name: read_expired
-- What has expired between two instants, of each lot.
select e.holder_id, a.code, e.seq, -e.amount, l.priority, l.origin
  from bursar.entries e
  join bursar.assets a using (asset_id)
  join bursar.lots l
    on l.holder_id = e.holder_id and l.asset_id = e.asset_id
   and l.seq = (e.detail -> 'lots' -> 0 ->> 0)::bigint
 where e.kind = 'expire' and e.amount < 0 and e.recorded_at >= %(since)s
   and e.effective_at between %(since)s and %(until)s
 order by e.holder_id, a.code, e.seq;
