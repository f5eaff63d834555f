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
