-- What subjects were given in the last minute. Time is the world's.

-- name: add_rates
-- Rows for subjects that have none; by itself and in order, so that nobody waits crosswise.
insert into bursar.rates (subject, second, given)
select subject, 0, %(blank)s
  from unnest(%(subjects)s::bytea[]) subject
 order by subject
    on conflict do nothing;

-- name: lock_rates
-- The rows of subjects, locked in order. Each one's instant (microseconds) is read after its lock
-- was had: whoever had it before was given their part at an earlier one.
with locked as materialized (
    select subject, second, given
      from bursar.rates
     where subject = any(%(subjects)s::bytea[])
     order by subject
       for no key update
)
select subject, second, given, (extract(epoch from clock_timestamp()) * 1000000)::bigint
  from locked;

-- name: write_rates
-- What the locked subjects have been given now.
update bursar.rates r
   set second = n.second, given = n.given
  from unnest(%(subjects)s::bytea[], %(seconds)s::bigint[], %(givens)s::bytea[])
       n (subject, second, given)
 where r.subject = n.subject;

-- name: drop_rates
-- Forget who was given nothing for over two minutes, some at a time and nobody who is being asked.
delete from bursar.rates
 where subject in (select subject
                     from bursar.rates
                    where second < extract(epoch from clock_timestamp()) - 120
                    limit 10000
                      for update skip locked);
