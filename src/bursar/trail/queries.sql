-- The audit trail.

-- name: add_act
-- Write down one act, at the economy's instant.
insert into bursar.acts (acted_at, actor, act, subject, reason, before, after)
values (bursar.now(), %(actor)s, %(act)s, %(subject)s, %(reason)s,
        %(before)s::text::jsonb, %(after)s::text::jsonb);

-- name: read_acts
-- Acts below a number, the newest first.
select act_id, acted_at, actor, act, subject, reason, before::text, after::text
  from bursar.acts
 where act_id < %(below)s
   and (%(actor)s::text is null or actor = %(actor)s)
   and (%(act)s::text is null or act = %(act)s)
   and (%(thing)s::text is null or starts_with(act, %(thing)s))
   and (%(subject)s::text is null or subject = %(subject)s)
   and (%(since)s::timestamptz is null or acted_at >= %(since)s)
   and (%(until)s::timestamptz is null or acted_at < %(until)s)
 order by act_id desc
 limit %(limit)s;
