-- Who may ask: API keys, the secrets that sign holder tokens, rates (I2).

-- A revision is drawn anew at each change of what opens doors. It is no counter: after a restore
-- a counter could reach a number again that other keys had, and a process would not look.
create table bursar.access_state (
    singleton  boolean  not null default true,
    revision   uuid     not null,
    constraint access_state_pkey      primary key (singleton),
    constraint access_state_is_single check (singleton)
);

insert into bursar.access_state (revision) values (gen_random_uuid());

create table bursar.api_keys (
    key_id        bigint       not null generated always as identity,
    name          text         not null,
    owner         text         not null collate "C",
    scopes        text[]       not null,
    per_minute    integer,
    made_at       timestamptz  not null,
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz,
    constraint api_keys_pkey            primary key (key_id),
    constraint api_keys_scopes_known    check (cardinality(scopes) > 0 and scopes
        <@ array['admin', 'operator', 'viewer', 'ingest', 'partner']),
    constraint api_keys_rate_positive   check (per_minute > 0),
    constraint api_keys_expires_later   check (expires_at > made_at)
) with (fillfactor = 80);

-- Only hashes: who steals the table opens no door with it.
create table bursar.api_key_secrets (
    secret_hash  bytea        not null,
    key_id       bigint       not null,
    works_until  timestamptz,
    constraint api_key_secrets_pkey primary key (secret_hash),
    constraint api_key_secrets_form check (length(secret_hash) = 32)
);

-- A key has one secret that does not end.
create unique index api_key_secrets_current on bursar.api_key_secrets (key_id)
    where works_until is null;

create table bursar.token_secrets (
    kid          text         not null collate "C",
    secret       bytea        not null,
    signs_from   timestamptz  not null,
    works_until  timestamptz,
    constraint token_secrets_pkey primary key (kid),
    constraint token_secrets_form check (length(secret) = 32)
);

-- What was asked for in the last minute; lost in a crash, and no harm done. `second` is the last
-- second of the world's clock in which anything was given, `given` the numbers given in it and in
-- the sixty before it, four bytes each.
create unlogged table bursar.rates (
    subject  bytea   not null,
    second   bigint  not null,
    given    bytea   not null,
    constraint rates_pkey primary key (subject)
) with (fillfactor = 50);

grant select, update on bursar.access_state to bursar_service;
grant select, insert on bursar.api_keys to bursar_service;
grant update (revoked_at, last_used_at) on bursar.api_keys to bursar_service;
grant select, insert, update, delete on bursar.api_key_secrets, bursar.token_secrets, bursar.rates
    to bursar_service;
