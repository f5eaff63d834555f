-- The ledger's writing path. Reading for people is in reading, checking in audit.

-- name: open_batch
-- The instant of a batch, and a number for each of its postings.
select bursar.now(),
       array(select nextval('bursar.posting_ids') from generate_series(1, %(postings)s));

-- name: read_wallets
-- The wallets of one asset among these holders.
select w.holder_id, w.asset_id, w.open_lots, w.open_holds, w.seq, w.balance, w.held,
       w.credit_limit, w.owed, w.recorded_at, w.head, w.state, w.seq
  from bursar.wallets w
 where w.holder_id = any (%(holder_ids)s::bigint[])
   and w.asset_id = %(asset_id)s;

-- name: lock_wallets
-- Whoever lost a race waits here for a turn; all wait in the same order.
select 1
  from unnest(%(holder_ids)s::bigint[], %(asset_ids)s::integer[]) as k (holder_id, asset_id)
  join bursar.wallets w using (holder_id, asset_id)
 order by w.holder_id, w.asset_id
   for no key update of w;

-- name: find_references
-- The entries that these references name.
select e.holder_id, e.asset_id, e.seq, e.posting_id, e.kind, e.amount, e.held_change, e.balance,
       e.reference, e.house_account, e.source, e.effective_at, e.recorded_at,
       e.metadata::text, e.detail::text, e.key_id, e.checksum
  from unnest(%(holder_ids)s::bigint[], %(asset_ids)s::integer[], %(references)s::text[])
       as r (holder_id, asset_id, reference)
  join bursar.entries e using (holder_id, asset_id, reference);

-- name: read_lots
-- The open lots of these wallets, and the lots named, open or not.
select l.holder_id, l.asset_id, l.seq, l.remaining, l.held, l.priority, l.expires_at, l.origin
  from unnest(%(holder_ids)s::bigint[], %(asset_ids)s::integer[]) as k (holder_id, asset_id)
  join bursar.lots l using (holder_id, asset_id)
 where l.open
 union
select l.holder_id, l.asset_id, l.seq, l.remaining, l.held, l.priority, l.expires_at, l.origin
  from unnest(%(lot_holder_ids)s::bigint[], %(lot_asset_ids)s::integer[], %(lot_seqs)s::bigint[])
       as k (holder_id, asset_id, seq)
  join bursar.lots l using (holder_id, asset_id, seq);

-- name: read_holds
-- The open holds of these wallets that are due by an instant (or all), and the holds named.
select h.holder_id, h.asset_id, h.reference, h.seq, h.state, h.remaining, h.placed_at, h.deadline,
       h.draws
  from unnest(%(holder_ids)s::bigint[], %(asset_ids)s::integer[]) as k (holder_id, asset_id)
  join bursar.holds h using (holder_id, asset_id)
 where h.state = 'open'
   and (h.deadline <= %(due_by)s::timestamptz or %(due_by)s::timestamptz is null)
 union
select h.holder_id, h.asset_id, h.reference, h.seq, h.state, h.remaining, h.placed_at, h.deadline,
       h.draws
  from unnest(%(hold_holder_ids)s::bigint[], %(hold_asset_ids)s::integer[], %(references)s::text[])
       as k (holder_id, asset_id, reference)
  join bursar.holds h using (holder_id, asset_id, reference);

-- name: read_reversals
-- How much of these entries has been reversed.
select r.holder_id, r.asset_id, r.seq, r.reversed
  from unnest(%(holder_ids)s::bigint[], %(asset_ids)s::integer[], %(seqs)s::bigint[])
       as k (holder_id, asset_id, seq)
  join bursar.reversals r using (holder_id, asset_id, seq);

-- name: write_batch
-- Each wallet moves only if its seq is still the one that was read; what belongs to a wallet that
-- has moved meanwhile is left out and its number told. A wallet that was there brings its newest
-- entry along, whose seq, balance and checksum are the wallet's own; all other entries follow by
-- themselves. Columns that are the same throughout come as one value and an empty array. Totals
-- are given, and counted here only if something was left out; house totals come last, in order.
with mine as not materialized (
    select w.*,
           coalesce(w.asset, %(w_asset_id_all)s)              as asset_id,
           w.seq - coalesce(w.entries, %(w_entries_all)s)     as read_seq
      from unnest(%(w_holder_id)s::bigint[], %(w_asset_id)s::integer[], %(w_entries)s::integer[],
                  %(w_seq)s::bigint[], %(w_balance)s::bigint[], %(w_held)s::bigint[],
                  %(w_credit_limit)s::bigint[], %(w_owed)s::bigint[], %(w_open_lots)s::integer[],
                  %(w_open_holds)s::integer[], %(w_recorded_at)s::timestamptz[],
                  %(w_head)s::bytea[], %(w_state)s::text[], %(w_posting_id)s::bigint[],
                  %(w_amount)s::bigint[], %(w_held_change)s::bigint[],
                  %(w_effective_at)s::timestamptz[], %(w_kind)s::text[], %(w_reference)s::text[],
                  %(w_house_account)s::text[], %(w_source)s::text[], %(w_metadata)s::text[],
                  %(w_detail)s::text[])
           with ordinality
           as w (holder_id, asset, entries, seq, balance, held, credit_limit, owed, open_lots,
                 open_holds, recorded_at, head, state, posting_id, amount, held_change,
                 effective_at, kind, reference, house_account, source, metadata, detail, n)
), moved as (
    update bursar.wallets w
       set seq          = m.seq,
           balance      = m.balance,
           held         = coalesce(m.held, %(w_held_all)s),
           credit_limit = coalesce(m.credit_limit, %(w_credit_limit_all)s),
           owed         = coalesce(m.owed, %(w_owed_all)s),
           open_lots    = coalesce(m.open_lots, %(w_open_lots_all)s),
           open_holds   = coalesce(m.open_holds, %(w_open_holds_all)s),
           recorded_at  = coalesce(m.recorded_at, %(w_recorded_at_all)s),
           head         = m.head,
           state        = coalesce(m.state, %(w_state_all)s)
      from mine m
     where w.holder_id = m.holder_id
       and w.asset_id = m.asset_id
       and w.seq = m.read_seq
    returning m.n, m.holder_id, m.asset, m.seq, m.posting_id, m.amount, m.held_change, m.balance,
              m.effective_at, m.recorded_at, m.head, m.kind, m.reference, m.house_account, m.source,
              m.metadata, m.detail
), opened as (
    insert into bursar.wallets (holder_id, asset_id, open_lots, open_holds, seq, balance, held,
                                credit_limit, owed, recorded_at, head, state)
    select m.holder_id, m.asset_id, coalesce(m.open_lots, %(w_open_lots_all)s),
           coalesce(m.open_holds, %(w_open_holds_all)s), m.seq, m.balance,
           coalesce(m.held, %(w_held_all)s), coalesce(m.credit_limit, %(w_credit_limit_all)s),
           coalesce(m.owed, %(w_owed_all)s), coalesce(m.recorded_at, %(w_recorded_at_all)s),
           m.head, coalesce(m.state, %(w_state_all)s)
      from mine m
     where %(new)s::bigint > 0 and m.read_seq = 0
        on conflict (holder_id, asset_id) do nothing
    returning holder_id, asset_id
), lost as (
    select case when (select count(*) from moved) < %(existing)s::bigint
                then (select array_agg(l.n)
                        from (select n from mine where read_seq > 0
                              except
                              select n from moved) l)
                else '{}' end
        || case when (select count(*) from opened) < %(new)s::bigint
                then (select array_agg(m.n)
                        from mine m
                       where m.read_seq = 0
                         and (m.holder_id, m.asset_id) not in (select o.holder_id, o.asset_id
                                                                 from opened o))
                else '{}' end as numbers
), written as (
    insert into bursar.entries (holder_id, asset_id, key_id, seq, posting_id, amount, held_change,
                                balance, effective_at, recorded_at, checksum, kind, reference,
                                house_account, source, metadata, detail)
    select m.holder_id,
           coalesce(m.asset, %(w_asset_id_all)s),
           %(key_id)s,
           m.seq,
           coalesce(m.posting_id, %(w_posting_id_all)s),
           coalesce(m.amount, %(w_amount_all)s),
           coalesce(m.held_change, %(w_held_change_all)s),
           m.balance,
           coalesce(m.effective_at, %(w_effective_at_all)s),
           coalesce(m.recorded_at, %(w_recorded_at_all)s),
           m.head,
           coalesce(m.kind, %(w_kind_all)s),
           coalesce(m.reference, %(w_reference_all)s),
           coalesce(m.house_account, %(w_house_account_all)s),
           coalesce(m.source, %(w_source_all)s),
           coalesce(m.metadata, %(w_metadata_all)s)::json,
           coalesce(m.detail, %(w_detail_all)s)::json
      from moved m
     union all
    select e.holder_id, e.asset_id, %(key_id)s, e.seq, e.posting_id, e.amount, e.held_change,
           e.balance, e.effective_at, e.recorded_at, e.checksum, e.kind, e.reference,
           e.house_account, e.source, e.metadata::json, e.detail::json
      from unnest(%(e_holder_id)s::bigint[], %(e_asset_id)s::integer[], %(e_wallet)s::bigint[],
                  %(e_seq)s::bigint[], %(e_posting_id)s::bigint[], %(e_amount)s::bigint[],
                  %(e_held_change)s::bigint[], %(e_balance)s::bigint[],
                  %(e_effective_at)s::timestamptz[], %(e_recorded_at)s::timestamptz[],
                  %(e_checksum)s::bytea[], %(e_kind)s::text[], %(e_reference)s::text[],
                  %(e_house_account)s::text[], %(e_source)s::text[], %(e_metadata)s::text[],
                  %(e_detail)s::text[])
           as e (holder_id, asset_id, wallet, seq, posting_id, amount, held_change, balance,
                 effective_at, recorded_at, checksum, kind, reference, house_account, source,
                 metadata, detail)
     where e.wallet <> all ((select numbers from lost)::bigint[])
    returning asset_id, posting_id, kind, house_account, amount, recorded_at
), counted as materialized (
    select t.asset_id, t.posting_id, t.kind, t.house_account, t.day, t.amount::numeric as amount,
           t.entries
      from unnest(%(t_asset_id)s::integer[], %(t_posting_id)s::bigint[], %(t_kind)s::text[],
                  %(t_house_account)s::text[], %(t_day)s::date[], %(t_amount)s::text[],
                  %(t_entries)s::integer[])
           as t (asset_id, posting_id, kind, house_account, day, amount, entries)
     where (select numbers = '{}' from lost)
     union all
    select w.asset_id, w.posting_id, w.kind, w.house_account,
           (w.recorded_at at time zone 'UTC')::date, -sum(w.amount), count(*)::integer
      from written w
     where (select numbers <> '{}' from lost)
     group by 1, 2, 3, 4, 5
), posted as (
    insert into bursar.postings (posting_id, epoch, recorded_at, entries, actor, reason)
    select p.posting_id, (select epoch from bursar.economy), %(now)s, c.entries, p.actor, p.reason
      from unnest(%(p_posting_id)s::bigint[], %(p_actor)s::text[], %(p_reason)s::text[])
           as p (posting_id, actor, reason)
      join (select posting_id, sum(entries) as entries from counted group by 1) c
     using (posting_id)
), kinds as (
    insert into bursar.posting_kinds (kind, posting_id, entries)
    select kind, posting_id, sum(entries) from counted group by 1, 2
), lots as (
    insert into bursar.lots (holder_id, asset_id, seq, remaining, held, priority, open, expires_at,
                             origin)
    select l.holder_id, l.asset_id, l.seq, l.remaining, l.held, l.priority,
           l.remaining + l.held > 0, l.expires_at, l.origin
      from unnest(%(l_holder_id)s::bigint[], %(l_asset_id)s::integer[], %(l_wallet)s::bigint[],
                  %(l_seq)s::bigint[], %(l_remaining)s::bigint[], %(l_held)s::bigint[],
                  %(l_priority)s::smallint[], %(l_expires_at)s::timestamptz[],
                  %(l_origin)s::text[])
           as l (holder_id, asset_id, wallet, seq, remaining, held, priority, expires_at, origin)
     where l.wallet <> all ((select numbers from lost)::bigint[])
        on conflict (holder_id, asset_id, seq) do update
       set remaining = excluded.remaining, held = excluded.held, open = excluded.open,
           expires_at = excluded.expires_at
), holds as (
    insert into bursar.holds (holder_id, asset_id, seq, remaining, placed_at, deadline, reference,
                              state, draws)
    select h.holder_id, h.asset_id, h.seq, h.remaining, h.placed_at, h.deadline, h.reference,
           h.state, h.draws::bigint[]
      from unnest(%(h_holder_id)s::bigint[], %(h_asset_id)s::integer[], %(h_wallet)s::bigint[],
                  %(h_seq)s::bigint[], %(h_remaining)s::bigint[], %(h_placed_at)s::timestamptz[],
                  %(h_deadline)s::timestamptz[], %(h_reference)s::text[], %(h_state)s::text[],
                  %(h_draws)s::text[])
           as h (holder_id, asset_id, wallet, seq, remaining, placed_at, deadline, reference,
                 state, draws)
     where h.wallet <> all ((select numbers from lost)::bigint[])
        on conflict (holder_id, asset_id, reference) do update
       set remaining = excluded.remaining, state = excluded.state, draws = excluded.draws,
           deadline = excluded.deadline
), reversals as (
    insert into bursar.reversals (holder_id, asset_id, seq, reversed)
    select r.holder_id, r.asset_id, r.seq, r.reversed
      from unnest(%(r_holder_id)s::bigint[], %(r_asset_id)s::integer[], %(r_wallet)s::bigint[],
                  %(r_seq)s::bigint[], %(r_reversed)s::bigint[])
           as r (holder_id, asset_id, wallet, seq, reversed)
     where r.wallet <> all ((select numbers from lost)::bigint[])
        on conflict (holder_id, asset_id, seq) do update
       set reversed = excluded.reversed
), totals as (
    insert into bursar.house_totals as t (asset_id, account, kind, day, slot, amount, entries)
    select asset_id, house_account, kind, day, pg_backend_pid() %% 64, sum(amount), sum(entries)
      from counted
     where house_account is not null
     group by 1, 2, 3, 4
     order by 1, 2, 3, 4
        on conflict (asset_id, account, kind, day, slot) do update
       set amount = t.amount + excluded.amount, entries = t.entries + excluded.entries
)
select lost.numbers from lost;

-- name: resolve_holders
-- The numbers of these external ids, those that have one.
select h.external_id, h.holder_id
  from unnest(%(external_ids)s::text[]) as x (external_id)
  join bursar.holder_ids h using (external_id);

-- name: enrol_holders
-- Give numbers to external ids that have none, in order.
insert into bursar.holder_ids (external_id)
select x.external_id
  from unnest(%(external_ids)s::text[]) with ordinality as x (external_id, n)
 order by x.n
    on conflict (external_id) do nothing;

-- name: known_holders
-- Which of these numbers belong to a holder.
select h.holder_id
  from bursar.holder_ids h
 where h.holder_id = any (%(holder_ids)s::bigint[]);

-- name: read_assets
-- Every asset.
select asset_id, code, scale from bursar.assets order by code;

-- name: add_asset
-- A new asset; none if the code is taken.
insert into bursar.assets (code, scale) values (%(code)s, %(scale)s)
    on conflict (code) do nothing
returning asset_id, code, scale;

-- name: due_wallets
-- Wallets with a lot or a hold whose time has passed, the longest overdue first.
select holder_id, asset_id
  from (select holder_id, asset_id, expires_at as due
          from bursar.lots
         where open and remaining > 0 and expires_at <= %(now)s
         union all
        select holder_id, asset_id, deadline
          from bursar.holds
         where state = 'open' and deadline <= %(now)s) d
 group by holder_id, asset_id
 order by min(due)
 limit %(limit)s;

-- name: identify_server
-- Which server this is, and which one the books were on when they were last opened.
select s.system_identifier, e.system_identifier,
       current_setting('server_version_num')::integer / 10000,
       current_setting('server_encoding')
  from pg_control_system() s cross join bursar.economy e;

-- name: mark_epoch
-- After a restore transaction numbers begin anew: a new epoch keeps followers in order.
update bursar.economy
   set epoch = epoch + (system_identifier <> 0)::integer,
       system_identifier = %(system_identifier)s
 where system_identifier <> %(system_identifier)s;
