-- Posting a distribution: one kind of entry in many wallets, by column.

-- name: read_plain_wallets
-- Of these holders' wallets those on which nothing but the balance bears: active, without debt to
-- withhold, with no lot or hold whose time has passed, not ahead of the clock, with room for what
-- is to come; and, if it is to come into a lot, not in debt. The counts are probed wallet by wallet,
-- and only where there is something open.
select w.holder_id, w.seq, w.balance, w.head
  from bursar.wallets w
 where w.holder_id = any (%(holder_ids)s::bigint[])
   and w.asset_id = %(asset_id)s
   and w.owed = 0
   and w.state = 'active'
   and w.recorded_at <= %(now)s
   and w.balance <= %(most)s
   and (w.balance >= w.held or not %(in_lots)s)
   and case when w.open_lots = 0 then true
            else (select count(*)
                    from bursar.lots l
                   where l.holder_id = w.holder_id and l.asset_id = w.asset_id
                     and l.open and l.remaining > 0 and l.expires_at <= %(now)s) = 0 end
   and case when w.open_holds = 0 then true
            else (select count(*)
                    from bursar.holds h
                   where h.holder_id = w.holder_id and h.asset_id = w.asset_id
                     and h.state = 'open' and h.deadline <= %(now)s) = 0 end;

-- name: write_grants
-- One entry of one kind for each of these wallets, which moves only if its seq is still the one that
-- was read; 1 opens it. What else a wallet has stays as it is. Amounts, metadata and details that
-- are the same throughout come as one value and an empty array. Answers who was left out.
with mine as not materialized (
    select g.holder_id, g.seq, coalesce(g.amount, %(amount_all)s) as amount, g.head, g.metadata,
           g.detail
      from unnest(%(holder_id)s::bigint[], %(seq)s::bigint[], %(amount)s::bigint[],
                  %(head)s::bytea[], %(metadata)s::text[], %(detail)s::text[])
           as g (holder_id, seq, amount, head, metadata, detail)
), moved as (
    update bursar.wallets w
       set open_lots   = w.open_lots + %(lots)s,
           seq         = m.seq,
           balance     = w.balance + m.amount,
           recorded_at = %(now)s,
           head        = m.head
      from mine m
     where w.holder_id = m.holder_id
       and w.asset_id = %(asset_id)s
       and w.seq = m.seq - 1
    returning m.holder_id, m.seq, m.amount, w.balance, m.head, m.metadata, m.detail
), opened as (
    insert into bursar.wallets (holder_id, asset_id, open_lots, open_holds, seq, balance, held,
                                credit_limit, owed, recorded_at, head, state)
    select m.holder_id, %(asset_id)s, %(lots)s, 0, 1, m.amount, 0, 0, 0, %(now)s, m.head, 'active'
      from mine m
     where %(new)s > 0 and m.seq = 1
        on conflict (holder_id, asset_id) do nothing
    returning holder_id
), lost as materialized (
    select case when (select count(*) from moved) + (select count(*) from opened) < %(count)s
                then array(select m.holder_id from mine m
                           except
                           (select v.holder_id from moved v
                             union all
                            select o.holder_id from opened o))
                else '{}' end as holder_ids
), given as not materialized (
    select v.holder_id, v.seq, v.amount, v.balance, v.head, v.metadata, v.detail
      from moved v
     union all
    select m.holder_id, m.seq, m.amount, m.amount, m.head, m.metadata, m.detail
      from mine m
     where %(new)s > 0 and m.seq = 1
       and m.holder_id <> all ((select holder_ids from lost)::bigint[])
), written as (
    insert into bursar.entries (holder_id, asset_id, key_id, seq, posting_id, amount, held_change,
                                balance, effective_at, recorded_at, checksum, kind, reference,
                                house_account, source, metadata, detail)
    select g.holder_id, %(asset_id)s, %(key_id)s, g.seq, %(posting_id)s, g.amount, 0, g.balance,
           %(effective_at)s, %(now)s, g.head, %(kind)s::text, %(reference)s::text,
           %(house_account)s::text, %(source)s::text,
           coalesce(g.metadata, %(metadata_all)s::text)::json,
           coalesce(g.detail, %(detail_all)s::text)::json
      from given g
), lots as (
    insert into bursar.lots (holder_id, asset_id, seq, remaining, held, priority, open, expires_at,
                             origin)
    select g.holder_id, %(asset_id)s, g.seq, g.amount, 0, %(lot_priority)s, true,
           %(lot_expires_at)s::timestamptz, %(lot_origin)s::text
      from given g
     where %(lots)s > 0
), told as materialized (
    select count(*) as entries, sum(g.amount) as amount from given g having count(*) > 0
), posted as (
    insert into bursar.postings (posting_id, epoch, recorded_at, entries, actor, reason)
    select %(posting_id)s, e.epoch, %(now)s, t.entries, %(actor)s::text, %(reason)s::text
      from told t cross join bursar.economy e
), kinds as (
    insert into bursar.posting_kinds (kind, posting_id, entries)
    select %(kind)s::text, %(posting_id)s, t.entries from told t
), totals as (
    insert into bursar.house_totals as h (asset_id, account, kind, day, slot, amount, entries)
    select %(asset_id)s, %(house_account)s::text, %(kind)s::text,
           (%(now)s at time zone 'UTC')::date, pg_backend_pid() %% 64, -t.amount, t.entries
      from told t
        on conflict (asset_id, account, kind, day, slot) do update
       set amount = h.amount + excluded.amount, entries = h.entries + excluded.entries
)
select lost.holder_ids from lost;

-- name: holders_without_wallet
-- Of these numbers those of holders who have no wallet in an asset.
select h.holder_id
  from bursar.holder_ids h
 where h.holder_id = any (%(holder_ids)s::bigint[])
   and not exists (select from bursar.wallets w
                    where w.holder_id = h.holder_id and w.asset_id = %(asset_id)s);
