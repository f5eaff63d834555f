-- The ledger: assets, wallets, entries, postings, house totals, lots, holds (L1–L13).
--
-- holder_id leads every key that must be unique, so that the tables can be distributed by it.
-- The role bursar_service may read and add entries and postings, and nothing else.

create table bursar.economy (
    singleton          boolean     not null default true,
    epoch              integer     not null default 1,
    system_identifier  bigint      not null default 0,
    sandbox            boolean     not null default false,
    clock_offset       interval    not null default '0',
    constraint economy_pkey             primary key (singleton),
    constraint economy_is_single        check (singleton),
    constraint economy_clock_is_sandbox check (sandbox or clock_offset = '0')
);

insert into bursar.economy default values;

create function bursar.now() returns timestamptz
language sql stable
as $$ select clock_timestamp() + clock_offset from bursar.economy $$;

create table bursar.assets (
    asset_id    integer      not null generated always as identity,
    code        text         not null collate "C",
    scale       smallint     not null,
    created_at  timestamptz  not null default now(),
    constraint assets_pkey       primary key (asset_id),
    constraint assets_code_key   unique (code),
    constraint assets_code_form  check (code ~ '^[a-z][a-z0-9_]{0,31}$'),
    constraint assets_scale_form check (scale between 0 and 12)
);

create table bursar.holder_ids (
    external_id  text    not null collate "C",
    holder_id    bigint  not null generated always as identity,
    constraint holder_ids_pkey   primary key (external_id),
    constraint holder_ids_id_key unique (holder_id),
    constraint holder_ids_form   check (length(external_id) between 1 and 200)
);

-- seq versions everything that a decision reads; nothing that changes is indexed (HOT updates).
create table bursar.wallets (
    holder_id     bigint       not null,
    asset_id      integer      not null,
    open_lots     integer      not null,
    open_holds    integer      not null,
    seq           bigint       not null,
    balance       bigint       not null,
    held          bigint       not null,
    credit_limit  bigint       not null,
    owed          bigint       not null,
    recorded_at   timestamptz  not null,
    head          bytea        not null,
    state         text         not null collate "C",
    constraint wallets_pkey               primary key (holder_id, asset_id),
    constraint wallets_state_known        check (state in ('active', 'frozen', 'closed')),
    constraint wallets_held_not_negative  check (held >= 0),
    constraint wallets_owed_not_negative  check (owed >= 0),
    constraint wallets_limit_not_negative check (credit_limit >= 0)
) with (fillfactor = 70);

create sequence bursar.posting_ids;

-- xid, not posting_id, is the order that a follower may trust.
create table bursar.postings (
    posting_id   bigint       not null,
    epoch        integer      not null,
    xid          xid8         not null default pg_current_xact_id(),
    recorded_at  timestamptz  not null,
    entries      integer      not null,
    actor        text         not null collate "C",
    reason       text         not null,
    constraint postings_pkey primary key (posting_id)
);

create index postings_in_commit_order on bursar.postings (epoch, xid, posting_id);

create table bursar.posting_kinds (
    kind        text     not null collate "C",
    posting_id  bigint   not null,
    entries     integer  not null,
    constraint posting_kinds_pkey primary key (kind, posting_id)
);

create table bursar.entries (
    holder_id      bigint       not null,
    asset_id       integer      not null,
    key_id         smallint     not null,
    seq            bigint       not null,
    posting_id     bigint       not null,
    amount         bigint       not null,
    held_change    bigint       not null,
    balance        bigint       not null,
    effective_at   timestamptz  not null,
    recorded_at    timestamptz  not null,
    checksum       bytea        not null,
    kind           text         not null collate "C",
    reference      text         not null collate "C",
    house_account  text         collate "C",
    source         text         collate "C",
    metadata       json,
    detail         json,
    constraint entries_pkey            primary key (holder_id, asset_id, seq),
    constraint entries_reference_key   unique (holder_id, asset_id, reference),
    constraint entries_balanced_pair   check ((amount = 0) = (house_account is null)),
    constraint entries_effective_first check (effective_at <= recorded_at)
);

-- A wallet of fewer than a thousand entries is read whole; only busier ones pay for these two.
create index entries_busy_kind on bursar.entries (holder_id, asset_id, kind, seq)
    where seq > 1000;
create index entries_busy_source on bursar.entries (holder_id, asset_id, source, seq)
    where seq > 1000 and source is not null;

-- Only entries dated back are here, so that a balance by effective time need not read the rest.
create index entries_dated_back on bursar.entries (holder_id, asset_id, effective_at)
    where effective_at < recorded_at;

-- The journal and its followers read whole postings; the index grows at its right end only.
create index entries_posting on bursar.entries (posting_id);

-- Entries lie on disk in about the order in which they were recorded: a few bytes for each range
-- of pages suffice to find a day.
create index entries_recorded on bursar.entries using brin (recorded_at)
    with (pages_per_range = 32, autosummarize = on);

create table bursar.house_totals (
    asset_id  integer   not null,
    account   text      not null collate "C",
    kind      text      not null collate "C",
    day       date      not null,
    slot      smallint  not null,
    amount    numeric   not null,
    entries   bigint    not null,
    constraint house_totals_pkey primary key (asset_id, account, kind, day, slot)
) with (fillfactor = 70);

create table bursar.lots (
    holder_id   bigint       not null,
    asset_id    integer      not null,
    seq         bigint       not null,
    remaining   bigint       not null,
    held        bigint       not null,
    priority    smallint     not null,
    open        boolean      not null,
    expires_at  timestamptz,
    origin      text         collate "C",
    constraint lots_pkey                   primary key (holder_id, asset_id, seq),
    constraint lots_remaining_not_negative check (remaining >= 0),
    constraint lots_held_not_negative      check (held >= 0),
    constraint lots_open_while_any         check (open = (remaining + held > 0))
) with (fillfactor = 70);

create index lots_open on bursar.lots (holder_id, asset_id) where open;
create index lots_to_expire on bursar.lots (expires_at) where open and expires_at is not null;

create table bursar.holds (
    holder_id  bigint       not null,
    asset_id   integer      not null,
    seq        bigint       not null,
    remaining  bigint       not null,
    placed_at  timestamptz  not null,
    deadline   timestamptz,
    reference  text         not null collate "C",
    state      text         not null collate "C",
    draws      bigint[]     not null,
    constraint holds_pkey                   primary key (holder_id, asset_id, reference),
    constraint holds_state_known            check (state in ('open', 'captured', 'released', 'lapsed')),
    constraint holds_remaining_not_negative check (remaining >= 0),
    constraint holds_open_while_remaining   check ((state = 'open') = (remaining > 0))
) with (fillfactor = 70);

create index holds_open on bursar.holds (holder_id, asset_id) where state = 'open';
create index holds_to_lapse on bursar.holds (deadline) where state = 'open' and deadline is not null;

create table bursar.reversals (
    holder_id  bigint  not null,
    asset_id   integer not null,
    seq        bigint  not null,
    reversed   bigint  not null,
    constraint reversals_pkey     primary key (holder_id, asset_id, seq),
    constraint reversals_positive check (reversed > 0)
);

create table bursar.cursors (
    follower    text         not null collate "C",
    epoch       integer      not null,
    xid         xid8         not null,
    posting_id  bigint       not null,
    moved_at    timestamptz  not null,
    constraint cursors_pkey primary key (follower)
);

create function bursar.refuse_change() returns trigger
language plpgsql
as $$
begin
    raise exception '% on bursar.% is refused: what is written stays', tg_op, tg_table_name
        using errcode = 'restrict_violation';
end
$$;

create trigger entries_are_append_only
    before update or delete or truncate on bursar.entries
    for each statement execute function bursar.refuse_change();

create trigger postings_are_append_only
    before update or delete or truncate on bursar.postings
    for each statement execute function bursar.refuse_change();

grant usage on schema bursar to bursar_service;
grant usage on all sequences in schema bursar to bursar_service;
grant select, insert on bursar.assets, bursar.entries, bursar.postings, bursar.posting_kinds
    to bursar_service;
grant select, insert, update on bursar.wallets, bursar.house_totals, bursar.lots, bursar.holds,
    bursar.reversals to bursar_service;
grant select, insert, update, delete on bursar.holder_ids, bursar.cursors to bursar_service;
grant select, update on bursar.economy to bursar_service;
