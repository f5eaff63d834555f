-- Checking what only some wallets have: lots, holds, reversed amounts, limits, states (L10).

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
), extended as (
    select n.holder_id, n.asset_id, x.lot::bigint as lot, n.detail ->> 'hold' as reference,
           max((n.detail ->> 'until')::timestamptz) as until
      from note n
      left join lateral jsonb_array_elements_text(n.detail -> 'extended') as x (lot) on true
     where n.kind = 'extend'
     group by 1, 2, 3, 4
), ended as (
    select holder_id, asset_id, detail ->> 'hold' as reference, sum(held_change) as change,
           (array_agg(kind order by seq desc))[1] as kind
      from note
     where detail ? 'hold'
     group by 1, 2, 3
), hold as (
    select n.holder_id, n.asset_id, n.reference, n.seq,
           n.held_change + coalesce(x.change, 0) as remaining,
           n.recorded_at as placed_at,
           coalesce(u.until, (n.detail ->> 'deadline')::timestamptz) as deadline,
           case when n.held_change + coalesce(x.change, 0) <> 0 then 'open'
                when x.kind = 'capture' then 'captured'
                when x.kind = 'release' then 'released'
                when x.kind = 'lapse' then 'lapsed' end as state,
           n.detail -> 'lots' as shares
      from note n
      left join ended x using (holder_id, asset_id, reference)
      left join extended u using (holder_id, asset_id, reference)
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
           coalesce(u.until, (o.terms ->> 'expires_at')::timestamptz) as expires_at,
           o.terms ->> 'origin' as origin,
           o.terms is not null as opened
      from (select holder_id, asset_id, seq as lot, detail -> 'lot' as terms
              from note where detail ? 'lot') o
      full join (select n.holder_id, n.asset_id, (s.share ->> 0)::bigint as lot,
                        sum((s.share ->> 1)::bigint) as amount
                   from note n, jsonb_array_elements(n.detail -> 'lots') as s (share)
                  group by 1, 2, 3) c using (holder_id, asset_id, lot)
      full join (select holder_id, asset_id, lot, sum(amount) as amount
                   from draw group by 1, 2, 3) d using (holder_id, asset_id, lot)
      left join extended u using (holder_id, asset_id, lot)
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
