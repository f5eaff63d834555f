-- Addresses that no letter reaches, and the world's instant that letters are dated with.

-- name: look
-- Whether an address is blocked, and now: one journey before each letter.
select exists (select from bursar.mail_bounces where address_hash = %(address_hash)s),
       clock_timestamp();

-- name: keep
-- Block an address; what it last said stands.
insert into bursar.mail_bounces (address_hash, holder_id, status, bounced_at, detail)
values (%(address_hash)s, %(holder_id)s, %(status)s, clock_timestamp(), %(detail)s)
    on conflict (address_hash) do update
   set holder_id = excluded.holder_id, status = excluded.status,
       bounced_at = excluded.bounced_at, detail = excluded.detail;

-- name: read_bounces
-- A page of what is blocked, the newest first; of one holder if one is named.
select address_hash, holder_id, status, bounced_at, detail
  from bursar.mail_bounces
 where (%(holder_id)s::bigint is null or holder_id = %(holder_id)s)
   and (%(before)s::timestamptz is null
        or (bounced_at, address_hash) < (%(before)s, %(before_hash)s))
 order by bounced_at desc, address_hash desc
 limit %(limit)s;

-- name: forget_erased
-- What was blocked for people who have been erased since.
delete from bursar.mail_bounces b
 using bursar.holders h
 where h.holder_id = b.holder_id and h.erased_at is not null
returning b.status;

-- name: clear
-- Unblock what has bounced for a holder, and the holder's address of today.
delete from bursar.mail_bounces
 where holder_id = %(holder_id)s or address_hash = %(address_hash)s
returning status;
