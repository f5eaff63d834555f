-- Reading the whole journal out, in one snapshot (L11).

-- name: export_journal
-- Every entry in the order it was recorded, with who posted it and why. PostgreSQL sorts on disk.
select e.recorded_at, e.posting_id, e.holder_id, e.seq, a.code, a.scale, e.kind, e.amount,
       e.held_change, e.balance, e.house_account, e.reference, e.source, e.effective_at,
       e.metadata::text, e.detail::text, e.key_id, e.checksum, p.actor, p.reason
  from bursar.entries e
  join bursar.assets a using (asset_id)
  left join bursar.postings p using (posting_id)
 order by e.recorded_at, e.posting_id, e.holder_id, e.asset_id, e.seq;

-- name: export_assets
-- Every asset.
select a.code, a.scale from bursar.assets a order by a.code;

-- name: export_holders
-- Every holder who has a wallet.
select distinct w.holder_id from bursar.wallets w order by w.holder_id;

-- name: export_house_accounts
-- Every house account that was ever used.
select distinct t.account from bursar.house_totals t order by t.account;

-- name: export_wallet_balances
-- What every wallet stands at.
select w.holder_id, a.code, a.scale, w.balance
  from bursar.wallets w
  join bursar.assets a using (asset_id)
 order by w.holder_id, a.code;

-- name: export_house_balances
-- What every house account stands at.
select t.account, a.code, a.scale, sum(t.amount)
  from bursar.house_totals t
  join bursar.assets a using (asset_id)
 group by t.account, a.code, a.scale
 order by t.account, a.code;
