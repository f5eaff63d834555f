-- The audit trail: every privileged act, who, what, why, before, after (I2). Append-only.

create table bursar.acts (
    act_id    bigint       not null generated always as identity,
    acted_at  timestamptz  not null,
    actor     text         not null collate "C",
    act       text         not null collate "C",
    subject   text         not null collate "C",
    reason    text         not null,
    before    jsonb,
    after     jsonb,
    constraint acts_pkey     primary key (act_id),
    constraint acts_act_form check (act ~ '^[a-z_]+\.[a-z_]+$')
);

create index acts_subject on bursar.acts (subject, act_id);

create trigger acts_are_append_only
    before update or delete or truncate on bursar.acts
    for each statement execute function bursar.refuse_change();

grant select, insert on bursar.acts to bursar_service;
