-- What is new in a wallet, for those who tell people of it.

-- name: read_news
-- The entries of a wallet after one of its own, oldest first: those of some kinds, and those that
-- bring the balance under a mark.
select e.holder_id, e.asset_id, e.seq, e.posting_id, e.kind, e.amount, e.held_change, e.balance,
       e.reference, e.house_account, e.source, e.effective_at, e.recorded_at,
       e.metadata::text, e.detail::text, e.key_id, e.checksum
  from bursar.entries e
 where e.holder_id = %(holder_id)s and e.asset_id = %(asset_id)s and e.seq > %(after)s
   and e.seq <= %(last)s
   and (e.kind = any (%(kinds)s::text[])
        or (e.balance < %(below)s and e.balance - e.amount >= %(below)s))
 order by e.seq
 limit %(limit)s;

-- name: read_posted_by
-- What one actor has posted in one transaction, by holder, after one of them; whole holders.
select e.holder_id, e.asset_id, e.seq, e.posting_id, e.kind, e.amount, e.held_change, e.balance,
       e.reference, e.house_account, e.source, e.effective_at, e.recorded_at,
       e.metadata::text, e.detail::text, e.key_id, e.checksum
  from bursar.entries e
 where e.posting_id = any (array(
         select p.posting_id from bursar.postings p
          where p.epoch = %(epoch)s and p.xid = %(xid)s::xid8 and p.actor = %(actor)s))
   and e.holder_id > %(after)s
 order by e.holder_id
 fetch first %(limit)s rows with ties;
