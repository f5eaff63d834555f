-- The economy file: every text that was handed in (I7, P10).

create table bursar.economy_versions (
    version     integer      not null,
    name        text         not null collate "C",
    text        text         not null,
    sha256      text         not null collate "C",
    state       text         not null collate "C",
    made_at     timestamptz  not null,
    actor       text         not null collate "C",
    reason      text         not null,
    applied_at  timestamptz,
    decided_by  text         collate "C",
    decided_at  timestamptz,
    constraint economy_versions_pkey          primary key (version),
    constraint economy_versions_state_known   check (state in ('applied', 'waiting', 'refused')),
    constraint economy_versions_applied_at    check ((state = 'applied') = (applied_at is not null)),
    constraint economy_versions_second_person check (state <> 'applied' or decided_by <> actor)
);

-- Two texts that wait could not both be what was approved.
create unique index economy_versions_waiting on bursar.economy_versions (state)
    where state = 'waiting';

grant select, insert on bursar.economy_versions to bursar_service;
grant update (state, applied_at, decided_by, decided_at) on bursar.economy_versions
    to bursar_service;
