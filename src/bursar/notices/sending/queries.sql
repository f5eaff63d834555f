-- The queue of deliveries. Due times and leases are the world's time.

-- name: add_deliveries
-- Rows as they are given; what is there already stays as it is. In the order given, which is the
-- order in which what is due at once is sent.
with given as (
    select g.*, clock_timestamp() as now
      from unnest(%(notice_ids)s::text[], %(channels)s::text[], %(kinds)s::text[],
                  %(happened)s::timestamptz[], %(due)s::timestamptz[], %(holder_ids)s::bigint[],
                  %(endpoint_ids)s::integer[], %(addresses)s::text[], %(dispatch_ids)s::bigint[],
                  %(notes)s::text[], %(data)s::text[])
           with ordinality
           as g (notice_id, channel, kind, happened_at, due_at, holder_id, endpoint_id, address,
                 dispatch_id, note, data, place)
), added as (
    insert into bursar.deliveries
           (notice_id, holder_id, dispatch_id, endpoint_id, happened_at, made_at, due_at, ended_at,
            channel, kind, state, address, note, data)
    select g.notice_id::uuid, nullif(g.holder_id, 0), nullif(g.dispatch_id, 0), g.endpoint_id,
           g.happened_at, g.now, coalesce(g.due_at, g.now),
           case when g.note is not null then g.now end, g.channel, g.kind,
           case when g.note is null then 'waiting' else 'parked' end, g.address,
           coalesce(g.note, ''), g.data::json
      from given g
     order by g.place
        on conflict (notice_id, channel, endpoint_id, address) do nothing
    returning 1
)
select count(*) from added;
