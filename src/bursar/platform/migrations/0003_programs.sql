-- Programs: their versions, what holders have of their own, runs and their chunks (P1–P23).

create table bursar.programs (
    program_id    integer      not null generated always as identity,
    name          text         not null collate "C",
    version       integer      not null,
    starts_at     timestamptz  not null,
    paid_until    timestamptz,
    news_epoch    integer,
    news_xid      xid8,
    news_until    timestamptz,
    switched_off  boolean      not null default false,
    switched_at   timestamptz,
    switched_by   text         collate "C",
    switched_why  text,
    retired_at    timestamptz,
    constraint programs_pkey      primary key (program_id),
    constraint programs_name_key  unique (name),
    constraint programs_name_form check (name ~ '^[a-z][a-z0-9_]{0,31}$')
) with (fillfactor = 70);

create table bursar.program_versions (
    program_id  integer      not null,
    version     integer      not null,
    definition  json         not null,
    made_at     timestamptz  not null,
    actor       text         not null collate "C",
    reason      text         not null,
    constraint program_versions_pkey primary key (program_id, version)
);

-- What an operator has set for one holder: another amount, a pause, a day of the month (P3).
create table bursar.program_overrides (
    holder_id    bigint       not null,
    program_id   integer      not null,
    amount       bigint,
    refresh_day  smallint,
    paused       boolean      not null,
    set_at       timestamptz  not null,
    actor        text         not null collate "C",
    reason       text         not null,
    constraint program_overrides_pkey        primary key (holder_id, program_id),
    constraint program_overrides_amount      check (amount >= 0),
    constraint program_overrides_refresh_day check (refresh_day between 1 and 31)
);

-- Where each holder of a rolling program stands. look_at is when there is something to decide: the
-- occurrence itself, or the next try of one that could not be given.
create table bursar.program_cycles (
    holder_id      bigint       not null,
    program_id     integer      not null,
    occurrence     integer      not null,
    anchor_at      timestamptz  not null,
    due_at         timestamptz  not null,
    look_at        timestamptz  not null,
    last_award_at  timestamptz,
    tier           text         not null collate "C",
    constraint program_cycles_pkey primary key (holder_id, program_id)
) with (fillfactor = 80);

create index program_cycles_due on bursar.program_cycles (program_id, look_at);

create table bursar.program_streaks (
    holder_id   bigint   not null,
    program_id  integer  not null,
    length      integer  not null,
    last_day    date     not null,
    frozen      date[]   not null,
    constraint program_streaks_pkey   primary key (holder_id, program_id),
    constraint program_streaks_length check (length > 0)
) with (fillfactor = 80);

create table bursar.runs (
    run_id        bigint       not null generated always as identity,
    program_id    integer,
    version       integer,
    kind          text         not null collate "C",
    state         text         not null collate "C",
    asset         text         not null collate "C",
    period        json         not null,
    period_key    text         not null collate "C",
    generation    integer      not null,
    as_of         timestamptz  not null,
    reference     text         collate "C",
    amount        bigint,
    target_run    bigint,
    policy        text         collate "C",
    dry_run       boolean      not null,
    holders       bigint       not null,
    estimate      json,
    ceiling       bigint,
    day_ceiling   bigint,
    given         bigint       not null default 0,
    started_at    timestamptz  not null,
    started_by    text         not null collate "C",
    reason        text         not null,
    approved_by   text         collate "C",
    finished_at   timestamptz,
    note          text,
    constraint runs_pkey          primary key (run_id),
    constraint runs_reference_key unique (reference),
    constraint runs_kind_known    check (kind in ('scheduled', 'joiners', 'grant', 'revert')),
    constraint runs_state_known   check (state in ('waiting', 'running', 'paused', 'canceled',
                                                   'finished', 'reverting', 'reverted', 'skipped')),
    constraint runs_within_ceiling check (given <= ceiling)
) with (fillfactor = 70);

-- Two who start the same period at once start it once (P5).
create unique index runs_period_once on bursar.runs (program_id, period_key, generation)
    where kind = 'scheduled' and not dry_run
      and state not in ('canceled', 'skipped', 'reverting', 'reverted');
create unique index runs_reverted_once on bursar.runs (target_run)
    where kind = 'revert' and state <> 'canceled';
create index runs_open on bursar.runs (run_id) where state in ('waiting', 'running', 'paused');

-- A part of a run: a range of holders, or those named. It is claimed in the transaction that posts
-- it, and knows that transaction, so that what it gave can be found again.
create table bursar.run_chunks (
    run_id        bigint    not null,
    chunk_no      integer   not null,
    first_holder  bigint    not null,
    last_holder   bigint    not null,
    awarded       integer   not null default 0,
    failed        integer   not null default 0,
    source_chunk  integer,
    amount        bigint    not null default 0,
    epoch         integer,
    xid           xid8,
    done_at       timestamptz,
    holder_ids    bigint[],
    excluded      json,
    constraint run_chunks_pkey primary key (run_id, chunk_no)
) with (fillfactor = 70);

create index run_chunks_open on bursar.run_chunks (run_id, chunk_no) where done_at is null;

create table bursar.run_failures (
    run_id       bigint       not null,
    holder_id    bigint       not null,
    attempts     integer      not null,
    failed_at    timestamptz  not null,
    retry_at     timestamptz,
    resolved_at  timestamptz,
    code         text         not null collate "C",
    message      text         not null,
    constraint run_failures_pkey primary key (holder_id, run_id)
) with (fillfactor = 80);

create index run_failures_of_run on bursar.run_failures (run_id, holder_id);
create index run_failures_by_time on bursar.run_failures (failed_at);
create index run_failures_due on bursar.run_failures (retry_at)
    where resolved_at is null and retry_at is not null;

create table bursar.run_exclusions (
    run_id     bigint  not null,
    holder_id  bigint  not null,
    reason     text    not null collate "C",
    constraint run_exclusions_pkey primary key (holder_id, run_id)
);

create index run_exclusions_of_run on bursar.run_exclusions (run_id, holder_id);

create table bursar.program_days (
    program_id  integer  not null,
    day         date     not null,
    given       bigint   not null,
    constraint program_days_pkey primary key (program_id, day)
) with (fillfactor = 70);

create table bursar.operator_alerts (
    alert_id     bigint       not null generated always as identity,
    kind         text         not null collate "C",
    subject      text         not null,
    message      text         not null,
    times        integer      not null default 1,
    raised_at    timestamptz  not null,
    last_at      timestamptz  not null,
    resolved_at  timestamptz,
    resolved_by  text         collate "C",
    constraint operator_alerts_pkey primary key (alert_id)
);

create unique index operator_alerts_open on bursar.operator_alerts (kind, subject)
    where resolved_at is null;

create table bursar.outages (
    outage_id    bigint       not null generated always as identity,
    starts_at    timestamptz  not null,
    ends_at      timestamptz  not null,
    declared_at  timestamptz  not null,
    actor        text         not null collate "C",
    reason       text         not null,
    constraint outages_pkey  primary key (outage_id),
    constraint outages_order check (starts_at < ends_at)
);

grant usage on all sequences in schema bursar to bursar_service;
grant select, insert, update on bursar.programs, bursar.program_cycles, bursar.program_streaks,
    bursar.runs, bursar.run_chunks, bursar.run_failures, bursar.program_days,
    bursar.operator_alerts to bursar_service;
grant select, insert on bursar.program_versions, bursar.run_exclusions, bursar.outages
    to bursar_service;
grant select, insert, update, delete on bursar.program_overrides to bursar_service;
