-- Endpoints of webhooks. Their time is the world's: a receiver's clock does not move with a sandbox.

-- name: begin_change
-- One change of endpoints at a time, until its transaction ends; readers go on.
lock table bursar.webhook_endpoints in share row exclusive mode;

-- name: read_now
-- The world's instant.
select clock_timestamp();

-- name: read_endpoints
-- One endpoint, or all; removed ones only where one is asked for with them.
select endpoint_id, url, description, kinds, state, why, made_at, changed_at,
       case when old_until > clock_timestamp() then old_until end, removed_at is not null
  from bursar.webhook_endpoints
 where (%(endpoint_id)s::integer is null or endpoint_id = %(endpoint_id)s)
   and (%(removed)s or removed_at is null)
 order by endpoint_id;

-- name: add_endpoint
-- A new endpoint; its secret is sealed.
insert into bursar.webhook_endpoints
       (url, description, kinds, secret, made_at, changed_at, state)
values (%(url)s, %(description)s, %(kinds)s::text[], %(secret)s, %(now)s, %(now)s, 'on')
returning endpoint_id;

-- name: change_endpoint
-- What an operator may say of an endpoint.
update bursar.webhook_endpoints
   set url = %(url)s, description = %(description)s, kinds = %(kinds)s::text[],
       state = %(state)s, why = %(why)s, changed_at = %(now)s
 where endpoint_id = %(endpoint_id)s;

-- name: read_secret
-- The sealed secret that an endpoint has now.
select secret from bursar.webhook_endpoints where endpoint_id = %(endpoint_id)s;

-- name: replace_secret
-- A new secret; the one before signs until an instant, or is forgotten at once.
update bursar.webhook_endpoints
   set secret = %(secret)s, old_secret = %(old_secret)s, old_until = %(old_until)s,
       changed_at = %(now)s
 where endpoint_id = %(endpoint_id)s;

-- name: read_sealed
-- The sealed secrets of all endpoints, those included that still sign beside a newer one.
select endpoint_id, secret, case when old_until > clock_timestamp() then old_secret end
  from bursar.webhook_endpoints
 where removed_at is null
 order by endpoint_id;

-- name: write_sealed
-- The same secrets under another key; one that signs no more is forgotten.
update bursar.webhook_endpoints
   set secret = %(secret)s, old_secret = %(old_secret)s::bytea,
       old_until = case when %(old_secret)s::bytea is not null then old_until end
 where endpoint_id = %(endpoint_id)s;

-- name: remove_endpoint
-- End an endpoint for good, and forget its secrets.
update bursar.webhook_endpoints
   set removed_at = %(now)s, changed_at = %(now)s, state = 'off', why = 'removed',
       secret = '', old_secret = null, old_until = null
 where endpoint_id = %(endpoint_id)s;

-- name: drop_deliveries
-- Let some of what waits for an endpoint never be sent; answers how many.
with waiting as (
    select delivery_id
      from bursar.deliveries
     where channel = 'webhook' and endpoint_id = %(endpoint_id)s and state = 'waiting'
     order by due_at, delivery_id
     limit %(most)s
       for update
), dropped as (
    update bursar.deliveries d
       set state = 'dropped', note = %(note)s, ended_at = clock_timestamp(), leased_until = null
      from waiting
     where d.delivery_id = waiting.delivery_id
    returning 1
)
select count(*) from dropped;

-- name: read_target
-- What sending to an endpoint needs, and the world's instant; nothing of a removed one.
select endpoint_id, url, state, changed_at, secret,
       case when old_until > clock_timestamp() then old_secret end, clock_timestamp()
  from bursar.webhook_endpoints
 where endpoint_id = %(endpoint_id)s and removed_at is null;

-- name: switch_off
-- Switch an endpoint off that says it is gone, unless somebody has changed it meanwhile.
update bursar.webhook_endpoints
   set state = 'off', why = %(why)s, changed_at = clock_timestamp()
 where endpoint_id = %(endpoint_id)s and changed_at = %(seen)s and state = 'on'
   and removed_at is null
returning 1;
