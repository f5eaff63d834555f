"""Reads the books as they lie in the database, and says what does not add up."""

from typing import Any

import psycopg
from psycopg.rows import TupleRow

_CHAIN = """
    with chained as (
        select e.holder_id, e.asset_id, e.seq, e.checksum,
               coalesce(lag(e.checksum) over w,
                        record_send(row(e.holder_id, e.asset_id))) as previous,
               lag(e.seq, 1, 0::bigint) over w as seq_before,
               lag(e.balance, 1, 0::bigint) over w as balance_before,
               e.amount, e.balance,
               record_send(row(e.key_id, e.seq, e.posting_id, e.amount,
                               e.held_change, e.balance, e.effective_at, e.recorded_at,
                               e.kind collate "default", e.reference collate "default",
                               e.house_account collate "default", e.source collate "default",
                               e.metadata, e.detail)) as record
          from bursar.entries e
        window w as (partition by e.holder_id, e.asset_id order by e.seq)
    )
    select 'chain', holder_id, asset_id, seq from chained
     where checksum <> sha256(previous || record)
     union all
    select 'gap', holder_id, asset_id, seq from chained where seq <> seq_before + 1
     union all
    select 'balance', holder_id, asset_id, seq from chained where balance <> balance_before + amount
"""

_WALLETS = """
    with folded as (
        select holder_id, asset_id, count(*) as seq, sum(amount) as balance,
               sum(held_change) as held, sum(coalesce((detail ->> 'owed')::bigint, 0)) as owed,
               max(recorded_at) as recorded_at
          from bursar.entries group by 1, 2
    )
    select 'wallet', holder_id, asset_id, w.seq
      from bursar.wallets w full join folded f using (holder_id, asset_id)
     where (w.seq, w.balance, w.held, w.owed, w.recorded_at)
           is distinct from (f.seq, f.balance, f.held, f.owed, f.recorded_at)
     union all
    select 'head', w.holder_id, w.asset_id, w.seq
      from bursar.wallets w
      left join bursar.entries e using (holder_id, asset_id, seq)
     where w.head is distinct from e.checksum
     union all
    select 'lots', w.holder_id, w.asset_id, w.seq
      from bursar.wallets w
      left join lateral (
           select coalesce(sum(remaining), 0) as remaining, count(*) filter (where open) as open
             from bursar.lots l where (l.holder_id, l.asset_id) = (w.holder_id, w.asset_id)) l
        on true
     where l.remaining > greatest(0, w.balance - w.held) or l.open <> w.open_lots
     union all
    select 'holds', w.holder_id, w.asset_id, w.seq
      from bursar.wallets w
      left join lateral (
           select coalesce(sum(remaining), 0) as held, count(*) as open
             from bursar.holds h
            where (h.holder_id, h.asset_id) = (w.holder_id, w.asset_id) and state = 'open') h
        on true
     where h.held <> w.held or h.open <> w.open_holds
     union all
    select 'draws', holder_id, asset_id, coalesce(l.seq, d.seq)
      from (select holder_id, asset_id, seq, held from bursar.lots where held > 0) l
      full join (
           select h.holder_id, h.asset_id, h.draws[i] as seq, sum(h.draws[i + 1]) as held
             from bursar.holds h, generate_series(1, cardinality(h.draws), 2) i
            where h.state = 'open' group by 1, 2, 3) d
     using (holder_id, asset_id, seq)
     where l.held is distinct from d.held
"""

_HOUSE = """
    select 'house', 0, asset_id, 0
      from (select asset_id, house_account as account, kind,
                   (recorded_at at time zone 'UTC')::date as day, -sum(amount) as amount,
                   count(*) as entries
              from bursar.entries where house_account is not null group by 1, 2, 3, 4) e
      full join (
            select asset_id, account, kind, day, sum(amount) as amount, sum(entries) as entries
              from bursar.house_totals group by 1, 2, 3, 4) t
     using (asset_id, account, kind, day)
     where (e.amount, e.entries) is distinct from (t.amount, t.entries)
     union all
    select 'postings', 0, 0, coalesce(p.posting_id, e.posting_id)
      from bursar.postings p
      full join (select posting_id, count(*) as entries from bursar.entries group by 1) e
     using (posting_id)
     where p.entries is distinct from e.entries
"""

Connection = psycopg.Connection[TupleRow]


def damage(owner_url: str) -> list[tuple[Any, ...]]:
    """List what does not add up: ``(what, holder_id, asset_id, seq)``."""
    with psycopg.connect(owner_url) as owner:
        return [row for query in (_CHAIN, _WALLETS, _HOUSE) for row in owner.execute(query)]


def table(owner_url: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Ask the database something."""
    with psycopg.connect(owner_url) as owner:
        return owner.execute(query, values).fetchall()


def everything(owner_url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Read all that the ledger's tables say, to compare before and after."""
    names = ("wallets", "entries", "postings", "lots", "holds", "reversals", "house_totals")
    with psycopg.connect(owner_url) as owner:
        return {
            name: owner.execute(f"select t::text from bursar.{name} t order by 1").fetchall()
            for name in names
        }
