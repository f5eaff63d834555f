-- What the doctor looks at; all of it may be read by the service's role.

-- name: read_server
-- Version, whether a standby, the roles, connections in use and to be had, failed page checksums,
-- the age of the oldest transaction number, and the clock.
select current_setting('server_version_num')::integer / 10000, current_setting('server_version'),
       pg_is_in_recovery(), session_user::text, current_user::text,
       (select count(*) from pg_stat_activity where usesysid is not null),
       (select sum(case when name = 'max_connections' then setting::bigint
                        else -setting::bigint end)::bigint
          from pg_settings
         where name in ('max_connections', 'superuser_reserved_connections',
                        'reserved_connections')),
       (select coalesce(sum(checksum_failures), 0)::bigint
          from pg_stat_database where datname = current_database()),
       (select age(datfrozenxid)::bigint from pg_database where datname = current_database()),
       (extract(epoch from clock_timestamp()) * 1000)::bigint;

-- name: read_settings
-- Settings of this session, by name.
select s.name, s.setting
  from pg_settings s
  join unnest(%(names)s::text[]) as wanted (name) using (name);

-- name: read_rights
-- Of the tables that nobody may rewrite: their guard, and whether this session's role or the role
-- that logged in may do it all the same. Whoever owns a table may.
select c.relname::text,
       exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid
                where t.tgrelid = c.oid and p.proname = 'refuse_change'
                  and t.tgenabled in ('O', 'A')),
       has_table_privilege(current_user, c.oid, 'update, delete, truncate')
       or pg_has_role(current_user, c.relowner, 'member'),
       has_table_privilege(session_user, c.oid, 'update, delete, truncate')
       or pg_has_role(session_user, c.relowner, 'member')
  from pg_class c
 where c.relnamespace = to_regnamespace('bursar')
   and c.relname in ('acts', 'entries', 'postings')
 order by 1;

-- name: read_open_transactions
-- Transactions that have written and are open for long, prepared ones too, of any database: they
-- hold back the followers of the journal. Those of other roles are not seen, but `read_held_back`
-- notices them.
select 'process ' || a.pid || ' (' || coalesce(nullif(a.application_name, ''), 'nameless') || ')',
       false, extract(epoch from clock_timestamp() - a.xact_start)::bigint
  from pg_stat_activity a
 where a.backend_xid is not null and a.pid <> pg_backend_pid()
   and a.xact_start < clock_timestamp() - make_interval(secs => %(seconds)s)
 union all
select x.gid, true, extract(epoch from clock_timestamp() - x.prepared)::bigint
  from pg_prepared_xacts x
 order by 3 desc;

-- name: read_invalid_indexes
-- Indexes that were left half made.
select c.relname::text
  from pg_index i
  join pg_class c on c.oid = i.indexrelid
 where c.relnamespace = to_regnamespace('bursar') and not (i.indisvalid and i.indisready)
 order by 1;

-- name: read_neglected_tables
-- Large tables that were never vacuumed or never analyzed since statistics are kept.
select s.relname::text
  from pg_stat_user_tables s
  join pg_class c on c.oid = s.relid
 where s.schemaname = 'bursar'
   and greatest(s.n_live_tup, c.reltuples::bigint) >= %(rows)s
   and (coalesce(s.last_vacuum, s.last_autovacuum) is null
        or coalesce(s.last_analyze, s.last_autoanalyze) is null)
 order by 1;

-- name: read_books
-- Whether there are entries, programs that give, a key that may administer; the sandbox, and by how
-- many seconds its clock is moved. The times of keys are the world's.
select exists (select from bursar.entries),
       (select count(*) from bursar.programs p
         where p.retired_at is null and not p.switched_off),
       exists (select from bursar.api_keys k
                where 'admin' = any (k.scopes) and k.revoked_at is null
                  and (k.expires_at is null or k.expires_at > clock_timestamp())),
       e.sandbox, extract(epoch from e.clock_offset)::bigint
  from bursar.economy e;

-- name: read_held_back
-- How many seconds ago the oldest posting was written that followers may not see yet, because an
-- older transaction is open somewhere.
select extract(epoch from bursar.now() - p.recorded_at)::bigint
  from bursar.postings p
 where p.epoch = (select e.epoch from bursar.economy e)
   and p.xid >= pg_snapshot_xmin(pg_current_snapshot())
 order by p.epoch, p.xid, p.posting_id
 limit 1;

-- name: read_last_check
-- How many hours ago the last check of all the books ended; the most that it, or a check of a part
-- that ended after it, found.
select (extract(epoch from clock_timestamp()
                           - max(v.ended_at) filter (where not v.part)) / 3600)::bigint,
       coalesce(max(v.found), 0)::bigint
  from bursar.verifications v
 where v.ended_at is not null
   and v.verification_id >= coalesce((select max(w.verification_id) from bursar.verifications w
                                       where w.ended_at is not null and not w.part), 0);

-- name: read_workers
-- Workers, and how many seconds ago each gave a sign of life.
select w.worker, extract(epoch from clock_timestamp() - w.seen_at)::bigint
  from bursar.workers w
 order by 2;

-- name: read_open_alerts
-- Matters that nobody has closed, by what they are.
select a.kind, count(*)
  from bursar.operator_alerts a
 where a.resolved_at is null
 group by 1
 order by 1;

-- name: read_behind
-- How many seconds ago the oldest posting was written that a follower has not seen.
select greatest(extract(epoch from bursar.now() - n.recorded_at), 0)::bigint
  from bursar.cursors c
 cross join lateral (
       select p.recorded_at
         from bursar.postings p
        where (p.epoch, p.xid, p.posting_id) > (c.epoch, c.xid, c.posting_id)
        order by p.epoch, p.xid, p.posting_id
        limit 1) as n
 where c.follower = %(follower)s;
