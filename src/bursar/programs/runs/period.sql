-- A period that is run again: what of it stands, and what must not go on.

-- name: paid_before
-- Who of these holders has an award of one of these references that no reversal of a run has taken
-- back.
select distinct e.holder_id
  from bursar.entries e
  join bursar.assets a using (asset_id)
  join bursar.postings p using (posting_id)
  left join bursar.runs r on r.run_id = substring(p.actor from '^run_([0-9]{1,18})$')::bigint
 where a.code = %(asset)s
   and e.holder_id = any (%(holder_ids)s::bigint[])
   and e.reference = any (%(references)s::text[])
   and (r.run_id is null or r.state not in ('reverting', 'reverted'));

-- name: hold_joiners
-- Wait for whoever works on the joiners of a period, and let nobody begin.
select 1
  from bursar.run_chunks c
  join bursar.runs r using (run_id)
 where r.program_id = %(program_id)s and r.period_key = %(period_key)s
   and r.generation = %(generation)s and r.kind = 'joiners'
   for update of c;

-- name: end_joiners
-- Joiners' runs that are under way, or would try somebody again, end where they are.
update bursar.runs r
   set state = 'canceled', finished_at = bursar.now(), note = %(note)s
 where r.program_id = %(program_id)s and r.period_key = %(period_key)s
   and r.generation = %(generation)s and r.kind = 'joiners'
   and (r.state in ('waiting', 'running', 'paused')
        or r.state = 'finished'
       and exists (select from bursar.run_failures f
                    where f.run_id = r.run_id and f.resolved_at is null));

-- name: read_chunks
-- The parts of a run, done or not.
select c.run_id, c.chunk_no, c.first_holder, c.last_holder, c.holder_ids, c.source_chunk
  from bursar.run_chunks c
 where c.run_id = %(run_id)s
 order by c.chunk_no;
