-- Notices to people, webhooks to machines (N1–N5).
--
-- What is sent is sent by machines: due times, leases and pauses between attempts are the world's
-- time. When something happened is the economy's.

-- What the economy file says of notices; from when facts count; what was sent before a restore.
create table bursar.notice_state (
    singleton     boolean      not null default true,
    settings      json         not null default '{}',
    started_at    timestamptz,
    epoch         integer      not null,
    epoch_since   timestamptz  not null,
    warned_until  timestamptz,
    warned_holder bigint       not null default 0,
    mail_next_at  timestamptz  not null,
    constraint notice_state_pkey      primary key (singleton),
    constraint notice_state_is_single check (singleton)
);

insert into bursar.notice_state (epoch, epoch_since, mail_next_at)
select epoch, now(), now() from bursar.economy;

-- One row serialises what is written into a holder's inbox; exclusions is a fingerprint of those of
-- the holder's exclusions from runs that have been looked at.
create table bursar.inboxes (
    holder_id   bigint   not null,
    exclusions  bigint   not null default 0,
    constraint inboxes_pkey primary key (holder_id)
) with (fillfactor = 80);

-- Up to which entry of a wallet the inbox has been made.
create table bursar.inbox_cursors (
    holder_id  bigint   not null,
    asset_id   integer  not null,
    seq        bigint   not null,
    constraint inbox_cursors_pkey primary key (holder_id, asset_id)
) with (fillfactor = 70);

-- notice_id follows from the holder and the fact, so that one fact is one notice; number is the
-- order in which the holder's inbox has taken them. No personal data in data.
create table bursar.notices (
    holder_id     bigint       not null,
    number        bigint       not null generated always as identity,
    notice_id     uuid         not null,
    happened_at   timestamptz  not null,
    made_at       timestamptz  not null,
    read_at       timestamptz,
    dismissed_at  timestamptz,
    kind          text         not null collate "C",
    data          json         not null,
    constraint notices_pkey     primary key (holder_id, notice_id),
    constraint notices_in_order unique (holder_id, number)
) with (fillfactor = 80);

-- An inbox is shown by when things happened: what is stored ahead of time comes into it before what
-- is made of the books when somebody looks.
create index notices_shown on bursar.notices (holder_id, happened_at, number);
create index notices_unread on bursar.notices (holder_id)
    where read_at is null and dismissed_at is null;
create index notices_made on bursar.notices using brin (made_at);

-- What a holder wishes: choices is {kind: {channel: bool}}; quiet hours in the holder's zone.
create table bursar.notice_preferences (
    holder_id    bigint       not null,
    revision     integer      not null,
    changed_at   timestamptz  not null,
    quiet_from   time,
    quiet_until  time,
    choices      jsonb        not null,
    constraint notice_preferences_pkey  primary key (holder_id),
    constraint notice_preferences_quiet check ((quiet_from is null) = (quiet_until is null)),
    constraint notice_preferences_form  check (jsonb_typeof(choices) = 'object')
);

-- The occurrence of a program of which a holder has last been reminded.
create table bursar.notice_reminders (
    holder_id   bigint       not null,
    program_id  integer      not null,
    due_at      timestamptz  not null,
    constraint notice_reminders_pkey primary key (holder_id, program_id)
) with (fillfactor = 70);

-- The making of many notices at once, in slices: of what a run has given, of whom it has left out,
-- or of a period that is about to begin. Everything up to (chunk_no, holder_id) has been looked at.
create table bursar.dispatches (
    dispatch_id  bigint       not null generated always as identity,
    run_id       bigint,
    program_id   integer,
    chunk_no     integer      not null default 0,
    holder_id    bigint       not null default 0,
    looked       bigint       not null default 0,
    made         bigint       not null default 0,
    started_at   timestamptz  not null,
    ended_at     timestamptz,
    period_key   text         collate "C",
    phase        text         not null collate "C" default 'awards',
    state        text         not null collate "C",
    constraint dispatches_pkey        primary key (dispatch_id),
    constraint dispatches_of_run      unique (run_id),
    constraint dispatches_of_period   unique (program_id, period_key),
    constraint dispatches_phase_known check (phase in ('awards', 'exclusions', 'holders')),
    constraint dispatches_state_known check (state in ('running', 'paused', 'canceled', 'finished')),
    constraint dispatches_ended       check ((state in ('canceled', 'finished')) = (ended_at is not null))
);

create index dispatches_open on bursar.dispatches (dispatch_id)
    where state in ('running', 'paused');

-- Where machines listen. The secrets are encrypted with a key that is not in the database.
create table bursar.webhook_endpoints (
    endpoint_id  integer      not null generated always as identity,
    url          text         not null,
    description  text         not null,
    kinds        text[]       not null,
    secret       bytea        not null,
    old_secret   bytea,
    old_until    timestamptz,
    made_at      timestamptz  not null,
    changed_at   timestamptz  not null,
    removed_at   timestamptz,
    state        text         not null collate "C",
    why          text         not null default '',
    constraint webhook_endpoints_pkey        primary key (endpoint_id),
    constraint webhook_endpoints_state_known check (state in ('on', 'off')),
    constraint webhook_endpoints_rotating    check ((old_secret is null) = (old_until is null))
);

-- One notice, or for machines several of one run, on its way to one place. To whom an e-mail goes
-- is looked up when it is sent; address is an operator's. The lines of an endpoint, or of the mail,
-- take turns: one for each dispatch, one for operators, one for all else.
create table bursar.deliveries (
    delivery_id   bigint       not null generated always as identity,
    notice_id     uuid         not null,
    holder_id     bigint,
    dispatch_id   bigint,
    endpoint_id   integer      not null default 0,
    attempts      integer      not null default 0,
    tries         integer      not null default 0,
    happened_at   timestamptz  not null,
    made_at       timestamptz  not null,
    due_at        timestamptz  not null,
    leased_until  timestamptz,
    ended_at      timestamptz,
    channel       text         not null collate "C",
    kind          text         not null collate "C",
    state         text         not null collate "C",
    address       text         not null default '',
    note          text         not null default '',
    data          json         not null,
    line          bigint       not null generated always as (
        coalesce(dispatch_id, case address when '' then 0 else -1 end)) stored,
    constraint deliveries_pkey          primary key (delivery_id),
    constraint deliveries_once          unique (notice_id, channel, endpoint_id, address),
    constraint deliveries_channel_known check (channel in ('email', 'webhook')),
    constraint deliveries_state_known
        check (state in ('waiting', 'sent', 'parked', 'dropped')),
    constraint deliveries_to_somebody   check (
        case channel when 'webhook' then endpoint_id > 0 and address = ''
                     else endpoint_id = 0 and (address = '') = (holder_id is not null) end),
    constraint deliveries_ended         check ((state = 'waiting') = (ended_at is null))
) with (fillfactor = 80);

create index deliveries_due on bursar.deliveries (channel, endpoint_id, line, due_at)
    where state = 'waiting';
create index deliveries_of_holder on bursar.deliveries (holder_id, delivery_id)
    where holder_id is not null;
create index deliveries_of_endpoint on bursar.deliveries (endpoint_id, delivery_id)
    where endpoint_id > 0;
create index deliveries_of_dispatch on bursar.deliveries (dispatch_id, state)
    where dispatch_id is not null;
create index deliveries_parked on bursar.deliveries (delivery_id) where state = 'parked';
create index deliveries_made on bursar.deliveries using brin (made_at);

-- Every time that a delivery was tried; status is SMTP's or HTTP's.
create table bursar.delivery_attempts (
    delivery_id  bigint       not null,
    number       integer      not null,
    began_at     timestamptz  not null,
    took_ms      integer      not null,
    status       integer,
    outcome      text         not null collate "C",
    detail       text         not null,
    constraint delivery_attempts_pkey          primary key (delivery_id, number),
    constraint delivery_attempts_outcome_known
        check (outcome in ('sent', 'failed', 'refused', 'bounced', 'dropped'))
);

-- Addresses to which nothing is sent any more, by their hash.
create table bursar.mail_bounces (
    address_hash  bytea        not null,
    holder_id     bigint,
    status        integer      not null,
    bounced_at    timestamptz  not null,
    detail        text         not null,
    constraint mail_bounces_pkey primary key (address_hash),
    constraint mail_bounces_form check (length(address_hash) = 32)
);

create index mail_bounces_of_holder on bursar.mail_bounces (holder_id);

-- For whom a notice can say what was due: of a rolling program each holder has a period of their
-- own. Empty: the run's.
alter table bursar.run_exclusions add column period_key text collate "C" not null default '';

-- By which chunk somebody was left out: a run is told of chunk by chunk. 0: before this migration.
alter table bursar.run_exclusions add column chunk_no integer not null default 0;

-- Runs that have ended and of which nothing has been told yet. Those before this migration are past.
alter table bursar.runs add column told boolean not null default true;
alter table bursar.runs alter column told set default false;
create index runs_untold on bursar.runs (run_id) where not told;

-- Warnings go through lots that expire at one instant by holder.
drop index bursar.lots_to_expire;
create index lots_to_expire on bursar.lots (expires_at, holder_id)
    where open and expires_at is not null;

grant usage on all sequences in schema bursar to bursar_service;
grant select, insert, update, delete on
    bursar.inboxes, bursar.inbox_cursors, bursar.notices, bursar.notice_preferences,
    bursar.notice_reminders, bursar.dispatches, bursar.webhook_endpoints, bursar.deliveries,
    bursar.delivery_attempts, bursar.mail_bounces to bursar_service;
grant select, update on bursar.notice_state to bursar_service;
