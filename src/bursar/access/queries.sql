-- Keys and token secrets. Their time is the world's, not the economy's: a sandbox whose clock is
-- moved ahead must not lose its keys.

-- name: read_revision
-- The revision of what opens doors, and the world's instant; read before what it stands for, so
-- that what is read is never older.
select revision, clock_timestamp() from bursar.access_state;

-- name: read_live_keys
-- Every secret that works, and what it opens.
select secret_hash, key_id, owner, scopes, per_minute, least(expires_at, works_until)
  from bursar.api_keys
  join bursar.api_key_secrets using (key_id)
 where revoked_at is null
   and (expires_at is null or expires_at > clock_timestamp())
   and (works_until is null or works_until > clock_timestamp());

-- name: read_token_secrets
-- The secrets of holder tokens that work.
select kid, secret, signs_from, works_until
  from bursar.token_secrets
 where works_until is null or works_until > clock_timestamp();

-- name: begin_change
-- Draw a new revision: one change at a time, until its transaction ends. Answers the instant.
update bursar.access_state set revision = gen_random_uuid()
returning clock_timestamp();

-- name: add_key
-- A new key.
insert into bursar.api_keys (name, owner, scopes, per_minute, made_at, expires_at)
values (%(name)s, %(owner)s, %(scopes)s::text[], %(per_minute)s, %(now)s, %(expires_at)s)
returning key_id;

-- name: read_keys
-- One key, or all; those that have ended only if everything is wanted.
select key_id, name, owner, scopes, per_minute, made_at, expires_at, revoked_at,
       (select max(works_until)
          from bursar.api_key_secrets s
         where s.key_id = k.key_id and works_until > clock_timestamp()),
       last_used_at
  from bursar.api_keys k
 where (%(key_id)s::bigint is null or key_id = %(key_id)s)
   and (%(everything)s
        or (revoked_at is null and (expires_at is null or expires_at > clock_timestamp())))
 order by key_id;

-- name: end_secrets
-- Let the secrets of a key work until an instant and no longer.
update bursar.api_key_secrets
   set works_until = least(works_until, %(works_until)s)
 where key_id = %(key_id)s;

-- name: drop_secrets
-- Forget those secrets of a key that no longer work.
delete from bursar.api_key_secrets
 where key_id = %(key_id)s and works_until <= %(now)s;

-- name: add_secret
-- The secret of a key, by its hash.
insert into bursar.api_key_secrets (secret_hash, key_id) values (%(secret_hash)s, %(key_id)s);

-- name: revoke_key
-- Mark a key as revoked; its secrets are dropped apart.
update bursar.api_keys set revoked_at = %(now)s where key_id = %(key_id)s;

-- name: note_uses
-- When keys were last used, in the order of their ids so that processes do not cross; an earlier
-- instant never replaces a later one.
with locked as materialized (
    select key_id, at
      from bursar.api_keys
      join unnest(%(key_ids)s::bigint[], %(ats)s::timestamptz[]) used (key_id, at) using (key_id)
     order by key_id
       for no key update of api_keys
)
update bursar.api_keys k
   set last_used_at = greatest(k.last_used_at, locked.at)
  from locked
 where k.key_id = locked.key_id;

-- name: end_token_secrets
-- Let the secrets of tokens work until an instant and no longer.
update bursar.token_secrets set works_until = least(works_until, %(works_until)s);

-- name: drop_token_secrets
-- Forget those that no longer work.
delete from bursar.token_secrets where works_until <= %(now)s;

-- name: add_token_secret
-- A new secret for tokens.
insert into bursar.token_secrets (kid, secret, signs_from)
values (%(kid)s, %(secret)s, %(signs_from)s);
