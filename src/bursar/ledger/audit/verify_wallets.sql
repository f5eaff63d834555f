-- Checking the books (L10). Each statement is right by itself in one snapshot, whatever is being
-- posted meanwhile. A query of findings answers with the kind of damage, the key of the row, and
-- what the entries say against what is there, only where the two differ.

-- name: check_chains
-- Does every entry of these holders follow from the one before it, and every wallet's row from its
-- last entry? One pass that only counts; what exactly is wrong is for `explain_chains` to say.
-- An entry stands on the one before it, a wallet's row on its last entry: one join for both. If all
-- of them stand and the wallets count as many entries as there are, none is missing or too many.
-- A wallet was tested at its floor where a hold was placed or a debt was made. Parts are what
-- `check_parts` is about: what a detail says, and whatever is not as in a wallet without details.
with one as (
    select e.holder_id, e.asset_id, e.seq, e.seq - 1 as stands_on, e.key_id, e.balance,
           e.balance - e.amount as balance_before, e.recorded_at, e.checksum,
           e.effective_at <= e.recorded_at
           and (e.key_id <> 0 or (e.recorded_at < %(keyed_since)s::timestamptz) is not false)
                                                                   as is_sound,
           e.detail is not null or e.held_change <> 0              as has_parts,
           e.held_change > 0 or e.amount < 0 and e.balance < 0     as is_floor_test,
           record_send(row(e.key_id, e.seq, e.posting_id, e.amount, e.held_change, e.balance,
                           e.effective_at, e.recorded_at, e.kind, e.reference, e.house_account,
                           e.source, e.metadata, e.detail))        as record
      from bursar.entries e
     where e.holder_id > %(after)s
       and e.holder_id <= %(upto)s
     union all
    select w.holder_id, w.asset_id, w.seq, w.seq, null, null,
           w.balance, w.recorded_at, w.head, null,
           w.held <> 0 or w.owed <> 0 or w.credit_limit <> 0 or w.state <> 'active'
           or w.open_lots <> 0 or w.open_holds <> 0,
           null, null
      from bursar.wallets w
     where w.holder_id > %(after)s
       and w.holder_id <= %(upto)s
), link as (
    select o.key_id, o.has_parts, o.is_floor_test, o.record is null as is_wallet,
           case when o.record is null then o.seq end as counted,
           o.balance_before = coalesce(b.balance, 0)
           and case when o.record is null
                    then o.recorded_at = b.recorded_at and o.checksum = b.checksum
                    else o.is_sound
                         and (o.seq = 1 or o.recorded_at >= b.recorded_at)
                         and (o.key_id <> 0
                              or o.checksum = sha256(
                                     coalesce(b.checksum,
                                              record_send(row(o.holder_id, o.asset_id)))
                                     || o.record))
                         and (%(key_id)s = 0 or o.key_id <> 0 or coalesce(b.key_id, 0) = 0)
                end                                                as is_sound
      from one o
      left join (select e.holder_id, e.asset_id, e.seq, e.key_id, e.balance, e.recorded_at,
                        e.checksum
                   from bursar.entries e
                  where e.holder_id > %(after)s
                    and e.holder_id <= %(upto)s) b
             on b.holder_id = o.holder_id and b.asset_id = o.asset_id and b.seq = o.stands_on
)
select count(*) filter (where is_wallet)                            as wallets,
       count(*) filter (where not is_wallet)                        as entries,
       count(*) filter (where key_id not in (0, %(key_id)s))        as unverifiable,
       count(*) filter (where key_id = nullif(%(key_id)s, 0))       as keyed,
       coalesce(bool_or(has_parts), false)
       or exists (select from bursar.lots l
                   where l.holder_id > %(after)s and l.holder_id <= %(upto)s)
       or exists (select from bursar.holds h
                   where h.holder_id > %(after)s and h.holder_id <= %(upto)s)
       or exists (select from bursar.reversals r
                   where r.holder_id > %(after)s and r.holder_id <= %(upto)s)  as has_parts,
       coalesce(bool_or(is_floor_test), false)                      as floor_tested,
       coalesce(bool_and(is_sound is true), true)
       and coalesce(sum(counted), 0) = count(*) filter (where not is_wallet)  as sound
  from link;

-- name: explain_chains
-- What is wrong with the chains of these holders, row by row. After a gap nothing can be said about
-- the entry that follows it; after a checksum that was changed alone, the next one still holds.
with link as (
    select e.*,
           lag(e.seq, 1, 0::bigint)                    over chain as previous_seq,
           lag(e.balance, 1, 0::bigint)                over chain as previous_balance,
           lag(e.recorded_at)                          over chain as previous_recorded_at,
           coalesce(lag(e.checksum) over chain, record_send(row(e.holder_id, e.asset_id)))
                                                                  as previous_checksum,
           bool_or(e.key_id <> 0)                      over chain as is_after_key,
           lead(e.seq)                                 over chain is null as is_last,
           record_send(row(e.key_id, e.seq, e.posting_id, e.amount, e.held_change, e.balance,
                           e.effective_at, e.recorded_at, e.kind, e.reference, e.house_account,
                           e.source, e.metadata, e.detail)) as record
      from bursar.entries e
     where e.holder_id > %(after)s
       and e.holder_id <= %(upto)s
    window chain as (partition by e.holder_id, e.asset_id order by e.seq)
), sealed as (
    select l.*, l.seq = l.previous_seq + 1 as follows,
           sha256(l.previous_checksum || l.record) as expected,
           lag(sha256(l.previous_checksum || l.record))
               over (partition by l.holder_id, l.asset_id order by l.seq) as previous_expected
      from link l
), last as (
    select holder_id, asset_id, seq, balance, checksum as head, recorded_at
      from link
     where is_last
), wallet as (
    select w.holder_id, w.asset_id, w.seq, w.balance, w.head, w.recorded_at
      from bursar.wallets w
     where w.holder_id > %(after)s
       and w.holder_id <= %(upto)s
), finding as (
    select 'sequence_gap' as kind, holder_id, asset_id, previous_seq + 1 as seq,
           json_build_object('seq', previous_seq + 1) as expected,
           json_build_object('seq', seq) as found
      from sealed
     where not follows
     union all
    select 'sequence_gap', holder_id, asset_id, f.seq + 1,
           json_build_object('last', w.seq), json_build_object('last', f.seq)
      from last f
      join wallet w using (holder_id, asset_id)
     where w.seq > f.seq
     union all
    select 'balance_after', holder_id, asset_id, seq,
           json_build_object('balance', previous_balance::numeric + amount),
           json_build_object('balance', balance)
      from sealed
     where follows
       and balance <> previous_balance::numeric + amount
     union all
    select 'recorded_order', holder_id, asset_id, seq,
           json_build_object('not before', previous_recorded_at),
           json_build_object('recorded_at', recorded_at)
      from sealed
     where recorded_at < previous_recorded_at
     union all
    select 'effective_late', holder_id, asset_id, seq,
           json_build_object('not after', recorded_at),
           json_build_object('effective_at', effective_at)
      from sealed
     where effective_at > recorded_at
     union all
    select 'checksum', holder_id, asset_id, seq,
           json_build_object('checksum', encode(expected, 'hex')),
           json_build_object('checksum', encode(checksum, 'hex'))
      from sealed
     where key_id = 0
       and follows
       and checksum <> expected
       and checksum is distinct from sha256(previous_expected || record)
     union all
    select 'downgrade', holder_id, asset_id, seq,
           json_build_object('sealed', 'with a key'), json_build_object('sealed', 'without')
      from sealed
     where key_id = 0
       and (%(key_id)s > 0 and is_after_key or recorded_at >= %(keyed_since)s::timestamptz)
     union all
    select 'wallet', holder_id, asset_id, null,
           case when f.seq is not null then
           json_build_object('seq', f.seq, 'balance', f.balance, 'head', encode(f.head, 'hex'),
                             'recorded_at', f.recorded_at) end,
           case when w.seq is not null then
           json_build_object('seq', w.seq, 'balance', w.balance, 'head', encode(w.head, 'hex'),
                             'recorded_at', w.recorded_at) end
      from last f
      full join wallet w using (holder_id, asset_id)
     where f.seq is null
        or w.seq is null
        or w.seq <= f.seq
           and (f.seq, f.balance, f.head, f.recorded_at) <> (w.seq, w.balance, w.head, w.recorded_at)
)
select x.kind, json_build_object('holder', x.holder_id, 'asset', a.code, 'seq', x.seq),
       x.expected, x.found, count(*) over ()
  from finding x
  left join bursar.assets a using (asset_id)
 order by x.holder_id, x.asset_id, x.seq nulls last, x.kind
 limit %(room)s;

-- name: check_floors
-- Did an entry that spends or sets aside leave less than nothing, the credit line of that moment
-- included (L4)? A reversal may, by its policy; a limit may be lowered under a debt.
with tested as (
    select distinct e.holder_id, e.asset_id
      from bursar.entries e
     where e.holder_id > %(after)s
       and e.holder_id <= %(upto)s
       and (e.held_change > 0 or e.amount < 0 and e.balance < 0)
), entry as (
    select e.holder_id, e.asset_id, e.seq, e.kind, e.amount, e.balance,
           sum(e.held_change) over earlier as held,
           max(case when e.kind = 'limit'
                    then array[e.seq, (e.detail ->> 'limit')::bigint] end) over earlier as line
      from tested
      join bursar.entries e using (holder_id, asset_id)
     where e.holder_id > %(after)s
       and e.holder_id <= %(upto)s
    window earlier as (partition by e.holder_id, e.asset_id order by e.seq
                       rows unbounded preceding)
)
select 'floor', json_build_object('holder', x.holder_id, 'asset', a.code, 'seq', x.seq),
       json_build_object('available, at least', -coalesce(x.line[2], 0)),
       json_build_object('available', x.balance - x.held), count(*) over ()
  from entry x
  left join bursar.assets a using (asset_id)
 where x.balance - x.held + coalesce(x.line[2], 0) < 0
   and (x.kind = 'hold'
        or x.kind in ('spend', 'transfer_out', 'expire', 'withhold', 'adjust') and x.amount < 0)
 order by x.holder_id, x.asset_id, x.seq
 limit %(room)s;

-- name: read_seals
-- The chain as it was sealed with a key: the key stays out of the database.
select s.holder_id, s.asset_id, s.seq, s.previous, s.record, s.checksum
  from (select e.holder_id, e.asset_id, e.seq, e.key_id, e.checksum,
               e.seq = lag(e.seq, 1, 0::bigint) over chain + 1 as follows,
               coalesce(lag(e.checksum) over chain, record_send(row(e.holder_id, e.asset_id)))
                   as previous,
               record_send(row(e.key_id, e.seq, e.posting_id, e.amount, e.held_change, e.balance,
                               e.effective_at, e.recorded_at, e.kind, e.reference,
                               e.house_account, e.source, e.metadata, e.detail)) as record
          from bursar.entries e
         where e.holder_id > %(after)s
           and e.holder_id <= %(upto)s
        window chain as (partition by e.holder_id, e.asset_id order by e.seq)) s
 where s.key_id = %(key_id)s
   and s.follows;

-- name: check_parts
-- Are the lots, holds, reversed amounts, limits, states and counts of these holders what the
-- details of their entries add up to (L5–L8)? `position.fold`, said in sets.
with note as materialized (
    select e.holder_id, e.asset_id, e.seq, e.kind, e.reference, e.amount, e.held_change,
           e.recorded_at, coalesce(e.detail::jsonb, '{}') as detail
      from bursar.entries e
     where e.holder_id > %(after)s
       and e.holder_id <= %(upto)s
       and (e.detail is not null or e.held_change <> 0)
), ended as (
    select holder_id, asset_id, detail ->> 'hold' as reference, sum(held_change) as change,
           (array_agg(kind order by seq desc))[1] as kind
      from note
     where detail ? 'hold'
     group by 1, 2, 3
), hold as (
    select n.holder_id, n.asset_id, n.reference, n.seq,
           n.held_change + coalesce(x.change, 0) as remaining,
           n.recorded_at as placed_at, (n.detail ->> 'deadline')::timestamptz as deadline,
           case when n.held_change + coalesce(x.change, 0) <> 0 then 'open'
                when x.kind = 'capture' then 'captured'
                when x.kind = 'release' then 'released'
                when x.kind = 'lapse' then 'lapsed' end as state,
           n.detail -> 'lots' as shares
      from note n
      left join ended x using (holder_id, asset_id, reference)
     where n.kind = 'hold'
), drawn as (
    select n.holder_id, n.asset_id, n.detail ->> 'hold' as reference,
           (s.share ->> 0)::bigint as lot, sum((s.share ->> 1)::bigint) as amount
      from note n, jsonb_array_elements(n.detail -> 'drawn') as s (share)
     group by 1, 2, 3, 4
), draw as (
    select h.holder_id, h.asset_id, h.reference, s.n, (s.share ->> 0)::bigint as lot,
           -(s.share ->> 1)::bigint - coalesce(d.amount, 0) as amount
      from hold h
     cross join jsonb_array_elements(h.shares) with ordinality as s (share, n)
      left join drawn d on d.holder_id = h.holder_id and d.asset_id = h.asset_id
                       and d.reference = h.reference and d.lot = (s.share ->> 0)::bigint
     where h.state = 'open'
), hold_row as (
    select h.holder_id, h.asset_id, h.reference, h.seq, h.remaining, h.placed_at, h.deadline,
           h.state, coalesce(d.draws, '{}') as draws
      from hold h
      left join (select holder_id, asset_id, reference,
                        array_agg(v.value order by d.n, v.place) as draws
                   from draw d
                  cross join lateral (values (d.lot::numeric, 1), (d.amount, 2)) v (value, place)
                  where d.amount > 0
                  group by 1, 2, 3) d using (holder_id, asset_id, reference)
), lot_row as (
    select holder_id, asset_id, lot as seq, coalesce(c.amount, 0) as remaining,
           coalesce(d.amount, 0) as held, coalesce((o.terms ->> 'priority')::integer, 0) as priority,
           coalesce(c.amount, 0) + coalesce(d.amount, 0) > 0 as open,
           (o.terms ->> 'expires_at')::timestamptz as expires_at, o.terms ->> 'origin' as origin,
           o.terms is not null as opened
      from (select holder_id, asset_id, seq as lot, detail -> 'lot' as terms
              from note where detail ? 'lot') o
      full join (select n.holder_id, n.asset_id, (s.share ->> 0)::bigint as lot,
                        sum((s.share ->> 1)::bigint) as amount
                   from note n, jsonb_array_elements(n.detail -> 'lots') as s (share)
                  group by 1, 2, 3) c using (holder_id, asset_id, lot)
      full join (select holder_id, asset_id, lot, sum(amount) as amount
                   from draw group by 1, 2, 3) d using (holder_id, asset_id, lot)
), undone as (
    select holder_id, asset_id, (detail ->> 'reverses')::bigint as seq,
           sum(abs(amount::numeric) + coalesce((detail ->> 'owed')::bigint, 0)) as reversed
      from note
     where detail ? 'reverses'
     group by 1, 2, 3
), wallet_row as (
    select holder_id, asset_id, f.held, f.owed, f.credit_limit, f.state, l.open_lots,
           h.open_holds
      from (select holder_id, asset_id, sum(held_change) as held,
                   sum((detail ->> 'owed')::bigint) as owed,
                   (array_agg((detail ->> 'limit')::bigint order by seq desc)
                        filter (where detail ? 'limit'))[1] as credit_limit,
                   (array_agg(detail ->> 'state' order by seq desc)
                        filter (where detail ? 'state'))[1] as state
              from note group by 1, 2) f
      left join (select holder_id, asset_id, count(*) filter (where open) as open_lots
                   from lot_row group by 1, 2) l using (holder_id, asset_id)
      left join (select holder_id, asset_id, count(*) filter (where state = 'open') as open_holds
                   from hold_row group by 1, 2) h using (holder_id, asset_id)
), wallet as (
    select * from bursar.wallets
     where holder_id > %(after)s and holder_id <= %(upto)s
), lot as (
    select * from bursar.lots
     where holder_id > %(after)s and holder_id <= %(upto)s
), finding as (
    select 'wallet' as kind, holder_id, asset_id, null::bigint as seq, null as reference,
           json_build_object('held', coalesce(f.held, 0), 'owed', coalesce(f.owed, 0),
                             'credit_limit', coalesce(f.credit_limit, 0),
                             'state', coalesce(f.state, 'active'),
                             'open_lots', coalesce(f.open_lots, 0),
                             'open_holds', coalesce(f.open_holds, 0)) as expected,
           json_build_object('held', w.held, 'owed', w.owed, 'credit_limit', w.credit_limit,
                             'state', w.state, 'open_lots', w.open_lots,
                             'open_holds', w.open_holds) as found
      from wallet w
      left join wallet_row f using (holder_id, asset_id)
     where w.held <> coalesce(f.held, 0)
        or w.owed <> coalesce(f.owed, 0)
        or w.credit_limit <> coalesce(f.credit_limit, 0)
        or w.state <> coalesce(f.state, 'active')
        or w.open_lots <> coalesce(f.open_lots, 0)
        or w.open_holds <> coalesce(f.open_holds, 0)
     union all
    select 'lot', holder_id, asset_id, seq, null,
           case when f.opened then
           json_build_object('remaining', f.remaining, 'held', f.held, 'priority', f.priority,
                             'open', f.open, 'expires_at', f.expires_at, 'origin', f.origin) end,
           case when l.remaining is not null then
           json_build_object('remaining', l.remaining, 'held', l.held, 'priority', l.priority,
                             'open', l.open, 'expires_at', l.expires_at, 'origin', l.origin) end
      from lot_row f
      full join lot l using (holder_id, asset_id, seq)
     where f.opened is not true
        or (f.remaining, f.held, f.priority, f.open, f.expires_at, f.origin)
           is distinct from (l.remaining, l.held, l.priority, l.open, l.expires_at, l.origin)
     union all
    select 'lots_exceed', holder_id, asset_id, null, null,
           json_build_object('in lots, at most', greatest(0, w.balance::numeric - w.held)),
           json_build_object('in lots', l.remaining)
      from (select holder_id, asset_id, sum(remaining) as remaining from lot group by 1, 2) l
      join wallet w using (holder_id, asset_id)
     where l.remaining > greatest(0, w.balance::numeric - w.held)
     union all
    select 'hold', holder_id, asset_id, null, reference,
           case when f.seq is not null then
           json_build_object('seq', f.seq, 'remaining', f.remaining, 'placed_at', f.placed_at,
                             'deadline', f.deadline, 'state', f.state, 'draws', f.draws) end,
           case when h.seq is not null then
           json_build_object('seq', h.seq, 'remaining', h.remaining, 'placed_at', h.placed_at,
                             'deadline', h.deadline, 'state', h.state, 'draws', h.draws) end
      from hold_row f
      full join (select h.holder_id, h.asset_id, h.reference, h.seq, h.remaining, h.placed_at,
                        h.deadline, h.state, h.draws
                   from bursar.holds h
                  where h.holder_id > %(after)s
                    and h.holder_id <= %(upto)s) h using (holder_id, asset_id, reference)
     where (f.seq, f.remaining, f.placed_at, f.deadline, f.state, f.draws::bigint[])
           is distinct from (h.seq, h.remaining, h.placed_at, h.deadline, h.state, h.draws)
     union all
    select 'reversal', holder_id, asset_id, seq, null,
           case when u.reversed > 0 then json_build_object('reversed', u.reversed) end,
           case when r.reversed is not null then json_build_object('reversed', r.reversed) end
      from undone u
      full join (select r.holder_id, r.asset_id, r.seq, r.reversed
                   from bursar.reversals r
                  where r.holder_id > %(after)s
                    and r.holder_id <= %(upto)s) r using (holder_id, asset_id, seq)
     where coalesce(u.reversed, 0) <> coalesce(r.reversed, 0)
     union all
    select 'reversal_exceeds', holder_id, asset_id, seq, null,
           json_build_object('reversed, at most', abs(e.amount::numeric)),
           json_build_object('reversed', u.reversed)
      from undone u
      join bursar.entries e using (holder_id, asset_id, seq)
     where e.holder_id > %(after)s
       and e.holder_id <= %(upto)s
       and u.reversed > abs(e.amount::numeric)
)
select x.kind,
       json_build_object('holder', x.holder_id, 'asset', a.code, 'seq', x.seq,
                         'reference', x.reference),
       x.expected, x.found, count(*) over ()
  from finding x
  left join bursar.assets a using (asset_id)
 order by x.holder_id, x.asset_id, x.kind, x.seq, x.reference
 limit %(room)s;
