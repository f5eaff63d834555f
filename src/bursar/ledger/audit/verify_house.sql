-- Checking the house and the postings against the entries, and how a check finds its way (L10).
-- Queries of findings answer as those of verify_wallets.sql do.

-- name: begin_check
-- One snapshot for a slice, plans made for its bounds; the slices themselves run side by side. Only
-- hash joins: what the details hold cannot be estimated, and all that is joined is joined by keys.
select set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('work_mem', '64MB', true),
       set_config('max_parallel_workers_per_gather', '0', true),
       set_config('enable_nestloop', 'off', true),
       set_config('enable_mergejoin', 'off', true),
       set_config('jit', 'off', true);

-- name: read_pages
-- The entries of a slice may lie anywhere: visit each page once, not once for each of its entries.
select set_config('enable_indexscan', 'off', true);

-- name: next_holder
-- The holder in whose entries a slice of so many entries ends.
select e.holder_id
  from bursar.entries e
 where e.holder_id > %(after)s
   and e.holder_id <= %(last)s
 order by e.holder_id, e.asset_id, e.seq
offset %(size)s
 limit 1;

-- name: plan_days
-- How many entries each day's house totals stand for.
select t.day, sum(t.entries)::bigint from bursar.house_totals t group by t.day order by t.day;

-- name: check_house_totals
-- Are the totals of these days the negative of what their entries add up to (L1)? Both sides are
-- read in one snapshot, so that no cut through running postings is needed.
select 'house_total',
       json_build_object('asset', a.code, 'account', account, 'kind', kind, 'day', day),
       case when e.entries is not null then
       json_build_object('amount', e.amount, 'entries', e.entries) end,
       case when t.entries is not null then
       json_build_object('amount', t.amount, 'entries', t.entries) end,
       count(*) over ()
  from (select e.asset_id, e.account, e.kind, (e.midnight at time zone 'UTC')::date as day,
               e.amount, e.entries
          from (select e.asset_id, e.house_account as account, e.kind,
                       case when %(end)s::date - %(first)s::date = 1
                            then %(first)s::date::timestamp at time zone 'UTC'
                            else date_bin('1 day', e.recorded_at, '2000-01-01 00:00Z')
                       end as midnight,
                       -sum(e.amount) as amount, count(*) as entries
                  from bursar.entries e
                 where e.recorded_at
                       >= coalesce(%(first)s::date::timestamp at time zone 'UTC', '-infinity')
                   and e.recorded_at
                       < coalesce(%(end)s::date::timestamp at time zone 'UTC', 'infinity')
                   and e.house_account is not null
                 group by 1, 2, 3, 4) e) e
  full join (select t.asset_id, t.account, t.kind, t.day, sum(t.amount) as amount,
                    sum(t.entries) as entries
               from bursar.house_totals t
              where t.day >= coalesce(%(first)s::date, '-infinity')
                and t.day < coalesce(%(end)s::date, 'infinity')
              group by 1, 2, 3, 4) t using (asset_id, account, kind, day)
  left join bursar.assets a using (asset_id)
 where e.amount is distinct from t.amount
    or e.entries is distinct from t.entries
 order by day, a.code, account, kind
 limit %(room)s;

-- name: next_posting
-- The posting with which a slice of so many entries ends.
select s.posting_id
  from (select p.posting_id, sum(p.entries) over (order by p.posting_id) as entries
          from bursar.postings p
         where p.posting_id > %(after)s) s
 where s.entries >= %(size)s
 order by s.posting_id
 limit 1;

-- name: check_postings
-- Does each posting count its entries rightly, in all and by kind, and has every entry its posting?
with entry as (
    select e.posting_id, e.kind, count(*) as entries
      from bursar.entries e
     where e.posting_id > %(after)s
       and e.posting_id <= %(upto)s
     group by 1, 2
), finding as (
    select 'posting' as name, posting_id, null as kind, e.entries as expected, p.entries as found
      from (select posting_id, sum(entries) as entries from entry group by 1) e
      full join (select p.posting_id, p.entries
                   from bursar.postings p
                  where p.posting_id > %(after)s
                    and p.posting_id <= %(upto)s) p using (posting_id)
     where e.entries is distinct from p.entries
     union all
    select 'posting_kind', posting_id, kind, e.entries, k.entries
      from entry e
      full join (select k.posting_id, k.kind, k.entries
                   from bursar.posting_kinds k
                  where k.kind = any (%(kinds)s::text[])
                    and k.posting_id > %(after)s
                    and k.posting_id <= %(upto)s) k using (posting_id, kind)
     where e.entries is distinct from k.entries
)
select x.name, json_build_object('posting', x.posting_id, 'kind', x.kind),
       case when x.expected is not null then json_build_object('entries', x.expected) end,
       case when x.found is not null then json_build_object('entries', x.found) end,
       count(*) over ()
  from finding x
 order by x.posting_id, x.kind nulls first
 limit %(room)s;

-- name: check_trial_balance
-- Do the wallets of each asset and the house add up to nothing (L1)?
select 'trial_balance', json_build_object('asset', coalesce(a.code, asset_id::text)),
       json_build_object('in wallets', -coalesce(t.amount, 0)),
       json_build_object('in wallets', coalesce(w.balance, 0)), count(*) over ()
  from (select asset_id, sum(balance) as balance from bursar.wallets group by asset_id) w
  full join (select asset_id, sum(amount) as amount
               from bursar.house_totals group by asset_id) t using (asset_id)
  left join bursar.assets a using (asset_id)
 where coalesce(w.balance, 0) <> -coalesce(t.amount, 0)
 order by a.code
 limit %(room)s;

-- name: asset_codes
-- How assets are named in findings.
select asset_id, code from bursar.assets;

-- name: holder_extent
-- The first and the last holder of a slice, by any of the tables that name one.
select min(holder_id), max(holder_id)
  from (select holder_id from bursar.entries
         where holder_id > %(after)s and holder_id <= %(upto)s
         union all
        select holder_id from bursar.wallets
         where holder_id > %(after)s and holder_id <= %(upto)s) h;
