-- Where each holder of a rolling program stands.

-- name: any_due
-- Is there anybody to look at? The first of the index tells; asked whether one exists, the planner
-- would expect one soon and walk the table.
select coalesce((select min(c.look_at)
                   from bursar.program_cycles c
                  where c.program_id = %(program_id)s) <= %(now)s, false);

-- name: next_look
-- When there is next anybody to look at.
select min(c.look_at) from bursar.program_cycles c where c.program_id = %(program_id)s;

-- name: read_cycles
-- The cycles to look at among a range of holders. The sum keeps the index on look_at out of it:
-- where many are due it would be walked whole for each range.
select c.holder_id, c.occurrence, c.anchor_at, c.due_at, c.last_award_at, c.tier
  from bursar.program_cycles c
 where c.program_id = %(program_id)s
   and c.holder_id between %(first)s and %(last)s
   and c.look_at + interval '0' <= %(as_of)s
 order by c.holder_id;

-- name: read_cycles_of
-- The cycles of these holders, due or not.
select c.holder_id, c.occurrence, c.anchor_at, c.due_at, c.last_award_at, c.tier
  from bursar.program_cycles c
 where c.program_id = %(program_id)s
   and c.holder_id = any (%(holder_ids)s::bigint[])
 order by c.holder_id;

-- name: add_cycles
-- Holders who are new to a program; one who has a cycle keeps it.
insert into bursar.program_cycles (holder_id, program_id, occurrence, anchor_at, due_at, look_at,
                                   tier)
select u.holder_id, %(program_id)s, u.occurrence, u.anchor_at, u.due_at, u.due_at, u.tier
  from unnest(%(holder_ids)s::bigint[], %(occurrences)s::integer[], %(anchors)s::timestamptz[],
              %(dues)s::timestamptz[], %(tiers)s::text[])
       as u (holder_id, occurrence, anchor_at, due_at, tier)
    on conflict (holder_id, program_id) do nothing;

-- name: move_cycles
-- Each cycle moves on only from where it was read.
update bursar.program_cycles c
   set occurrence = u.occurrence, anchor_at = u.anchor_at, due_at = u.due_at, look_at = u.look_at,
       tier = u.tier, last_award_at = coalesce(u.last_award_at, c.last_award_at)
  from unnest(%(holder_ids)s::bigint[], %(read_dues)s::timestamptz[], %(occurrences)s::integer[],
              %(anchors)s::timestamptz[], %(dues)s::timestamptz[], %(looks)s::timestamptz[],
              %(awards)s::timestamptz[], %(tiers)s::text[])
       as u (holder_id, read_due, occurrence, anchor_at, due_at, look_at, last_award_at, tier)
 where c.program_id = %(program_id)s
   and c.holder_id = u.holder_id
   and c.due_at = u.read_due;
