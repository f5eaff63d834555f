-- Streaks of claims.

-- name: lock_streak
-- A holder's streak, held until the transaction ends.
select s.holder_id, s.length, s.last_day, s.frozen
  from bursar.program_streaks s
 where s.program_id = %(program_id)s and s.holder_id = %(holder_id)s
   for update;

-- name: read_streak
-- A holder's streak.
select s.holder_id, s.length, s.last_day, s.frozen
  from bursar.program_streaks s
 where s.program_id = %(program_id)s and s.holder_id = %(holder_id)s;

-- name: lock_streaks
-- The streaks of a range of holders, held until the transaction ends: nobody claims by hand while
-- a day is settled for them.
select s.holder_id, s.length, s.last_day, s.frozen
  from bursar.program_streaks s
 where s.program_id = %(program_id)s and s.holder_id between %(first)s and %(last)s
 order by s.holder_id
   for update;

-- name: write_streaks
-- Streaks as they are after a claim; one that has gone further meanwhile stays.
insert into bursar.program_streaks as s (holder_id, program_id, length, last_day, frozen)
select u.holder_id, %(program_id)s, u.length, u.last_day,
       coalesce((select array_agg(d::date) from unnest(string_to_array(u.frozen, ',')) as d), '{}')
  from unnest(%(holder_ids)s::bigint[], %(lengths)s::integer[], %(last_days)s::date[],
              %(frozen)s::text[]) as u (holder_id, length, last_day, frozen)
    on conflict (holder_id, program_id) do update
   set length = excluded.length, last_day = excluded.last_day, frozen = excluded.frozen
 where s.last_day < excluded.last_day;
