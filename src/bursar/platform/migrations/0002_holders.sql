-- The directory of people: what the app says of its holders, and what it said before (H1–H4).
--
-- The number and the app's own id stay in bursar.holder_ids, the ledger's thin table.

-- Regular expressions would say the forms of words more shortly, and cost a fifth of an import.
create table bursar.holders (
    holder_id           bigint       not null,
    xid                 xid8         not null,
    created_at          timestamptz  not null,
    matters_since       timestamptz  not null,
    subscription_start  timestamptz,
    billing_anchor      timestamptz,
    last_login_at       timestamptz,
    erased_at           timestamptz,
    login_map           bigint       not null,
    login_day           date,
    epoch               integer      not null,
    changes             integer      not null,
    verified            boolean      not null,
    status              text         not null collate "C",
    tier                text         not null collate "C",
    username            text,
    email               text,
    locale              text         collate "C",
    time_zone           text         collate "C",
    attributes          jsonb        not null,
    constraint holders_pkey              primary key (holder_id),
    constraint holders_status_form       check (
        status >= 'a' and status < '{' and length(status) <= 32
        and translate(status, 'abcdefghijklmnopqrstuvwxyz0123456789_', '') = ''),
    constraint holders_tier_form         check (
        tier = '' or (tier >= 'a' and tier < '{' and length(tier) <= 32
        and translate(tier, 'abcdefghijklmnopqrstuvwxyz0123456789_', '') = '')),
    constraint holders_attributes_object check (jsonb_typeof(attributes) = 'object'),
    constraint holders_login_dated       check (login_map >= 0 and (login_day is null) = (login_map = 0))
) with (fillfactor = 85);

-- (epoch, xid) is the order of commits that a reader may trust, as in bursar.postings. Logins do
-- not touch what is indexed.
create index holders_in_change_order on bursar.holders (epoch, xid, holder_id);
create index holders_by_subscription on bursar.holders (subscription_start, holder_id)
    where subscription_start is not null;

-- The state that was in force until an instant, written when something of it changes.
create table bursar.holder_history (
    holder_id           bigint       not null,
    number              integer      not null,
    verified            boolean      not null,
    since               timestamptz  not null,
    until               timestamptz  not null,
    recorded_at         timestamptz  not null,
    subscription_start  timestamptz,
    billing_anchor      timestamptz,
    status              text         not null collate "C",
    tier                text         not null collate "C",
    actor               text         not null collate "C",
    reason              text         not null,
    constraint holder_history_pkey       primary key (holder_id, number),
    constraint holder_history_in_order   check (since <= until and until <= recorded_at)
);

-- Which names only one holder may have. holder_names holds those of a kind while its switch is on.
create table bursar.directory (
    singleton        boolean  not null default true,
    unique_username  boolean  not null default false,
    unique_email     boolean  not null default false,
    constraint directory_pkey      primary key (singleton),
    constraint directory_is_single check (singleton)
);

insert into bursar.directory default values;

create table bursar.holder_names (
    kind       text    not null collate "C",
    name       text    not null collate "C",
    holder_id  bigint  not null,
    constraint holder_names_pkey       primary key (kind, name),
    constraint holder_names_kind_known check (kind in ('email', 'username'))
);

grant select, insert, update on bursar.holders to bursar_service;
grant select, insert on bursar.holder_history to bursar_service;
grant select, update on bursar.directory to bursar_service;
grant select, insert, update, delete on bursar.holder_names to bursar_service;
