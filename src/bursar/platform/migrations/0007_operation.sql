-- Operation: checks of the books, signs of life of the workers, and what may be forgotten (O2).
--
-- Checks and workers are matters of the machine: their times are the world's, so that a sandbox
-- that walks through a year does not check its books 365 times.

-- One check of the books. While ended_at is null it is under way, or, if nothing was heard of it
-- for some minutes, broken off at its checkpoint.
create table bursar.verifications (
    verification_id  bigint       not null generated always as identity,
    began_at         timestamptz  not null,
    seen_at          timestamptz  not null,
    ended_at         timestamptz,
    wallets          bigint       not null default 0,
    entries          bigint       not null default 0,
    unverifiable     bigint       not null default 0,
    found            bigint       not null default 0,
    part             boolean      not null,
    actor            text         not null collate "C",
    reason           text         not null,
    checkpoint       json,
    constraint verifications_pkey  primary key (verification_id),
    constraint verifications_order check (began_at <= seen_at and seen_at <= ended_at)
);

create table bursar.workers (
    worker      text         not null collate "C",
    started_at  timestamptz  not null,
    seen_at     timestamptz  not null,
    constraint workers_pkey primary key (worker)
) with (fillfactor = 50);

-- What is counted for the metrics is found without reading the past.
create index house_totals_by_day on bursar.house_totals (day);
create index runs_by_start on bursar.runs (started_at);
create index runs_of_program on bursar.runs (program_id, run_id);
create index run_failures_open on bursar.run_failures (run_id) where resolved_at is null;
create index program_overrides_paused on bursar.program_overrides (program_id) where paused;

grant usage on all sequences in schema bursar to bursar_service;
grant select, insert, update, delete on bursar.verifications, bursar.workers to bursar_service;
grant delete on bursar.run_failures, bursar.run_exclusions, bursar.operator_alerts
    to bursar_service;
