-- The whole schema, as all migrations together make it. Written by `make schema`; a test compares.

CREATE SCHEMA bursar;

CREATE FUNCTION bursar.now() RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    AS $$ select clock_timestamp() + clock_offset from bursar.economy $$;

CREATE FUNCTION bursar.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    raise exception '% on bursar.% is refused: what is written stays', tg_op, tg_table_name
        using errcode = 'restrict_violation';
end
$$;

CREATE TABLE bursar.access_state (
    singleton boolean DEFAULT true NOT NULL,
    revision uuid NOT NULL,
    CONSTRAINT access_state_is_single CHECK (singleton)
);

CREATE TABLE bursar.acts (
    act_id bigint NOT NULL,
    acted_at timestamp with time zone NOT NULL,
    actor text NOT NULL COLLATE pg_catalog."C",
    act text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    before jsonb,
    after jsonb,
    CONSTRAINT acts_act_form CHECK ((act ~ '^[a-z_]+\.[a-z_]+$'::text))
);

ALTER TABLE bursar.acts ALTER COLUMN act_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bursar.acts_act_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE bursar.api_key_secrets (
    secret_hash bytea NOT NULL,
    key_id bigint NOT NULL,
    works_until timestamp with time zone,
    CONSTRAINT api_key_secrets_form CHECK ((length(secret_hash) = 32))
);

CREATE TABLE bursar.api_keys (
    key_id bigint NOT NULL,
    name text NOT NULL,
    owner text NOT NULL COLLATE pg_catalog."C",
    scopes text[] NOT NULL,
    per_minute integer,
    made_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    CONSTRAINT api_keys_expires_later CHECK ((expires_at > made_at)),
    CONSTRAINT api_keys_rate_positive CHECK ((per_minute > 0)),
    CONSTRAINT api_keys_scopes_known CHECK (((cardinality(scopes) > 0) AND (scopes <@ ARRAY['admin'::text, 'operator'::text, 'viewer'::text, 'ingest'::text, 'partner'::text])))
)
WITH (fillfactor='80');

ALTER TABLE bursar.api_keys ALTER COLUMN key_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bursar.api_keys_key_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE bursar.assets (
    asset_id integer NOT NULL,
    code text NOT NULL COLLATE pg_catalog."C",
    scale smallint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT assets_code_form CHECK ((code ~ '^[a-z][a-z0-9_]{0,31}$'::text)),
    CONSTRAINT assets_scale_form CHECK (((scale >= 0) AND (scale <= 12)))
);

ALTER TABLE bursar.assets ALTER COLUMN asset_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bursar.assets_asset_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE bursar.cursors (
    follower text NOT NULL COLLATE pg_catalog."C",
    epoch integer NOT NULL,
    xid xid8 NOT NULL,
    posting_id bigint NOT NULL,
    moved_at timestamp with time zone NOT NULL
);

CREATE TABLE bursar.deliveries (
    delivery_id bigint NOT NULL,
    notice_id uuid NOT NULL,
    holder_id bigint,
    dispatch_id bigint,
    endpoint_id integer DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    happened_at timestamp with time zone NOT NULL,
    made_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    leased_until timestamp with time zone,
    ended_at timestamp with time zone,
    channel text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    address text DEFAULT ''::text NOT NULL,
    note text DEFAULT ''::text NOT NULL,
    data json NOT NULL,
    line bigint GENERATED ALWAYS AS (COALESCE(dispatch_id, (
CASE address
    WHEN ''::text THEN 0
    ELSE '-1'::integer
END)::bigint)) STORED NOT NULL,
    CONSTRAINT deliveries_channel_known CHECK ((channel = ANY (ARRAY['email'::text, 'webhook'::text]))),
    CONSTRAINT deliveries_ended CHECK (((state = 'waiting'::text) = (ended_at IS NULL))),
    CONSTRAINT deliveries_state_known CHECK ((state = ANY (ARRAY['waiting'::text, 'sent'::text, 'parked'::text, 'dropped'::text]))),
    CONSTRAINT deliveries_to_somebody CHECK (
CASE channel
    WHEN 'webhook'::text THEN ((endpoint_id > 0) AND (address = ''::text))
    ELSE ((endpoint_id = 0) AND ((address = ''::text) = (holder_id IS NOT NULL)))
END)
)
WITH (fillfactor='80');

ALTER TABLE bursar.deliveries ALTER COLUMN delivery_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bursar.deliveries_delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE bursar.delivery_attempts (
    delivery_id bigint NOT NULL,
    number integer NOT NULL,
    began_at timestamp with time zone NOT NULL,
    took_ms integer NOT NULL,
    status integer,
    outcome text NOT NULL COLLATE pg_catalog."C",
    detail text NOT NULL,
    CONSTRAINT delivery_attempts_outcome_known CHECK ((outcome = ANY (ARRAY['sent'::text, 'failed'::text, 'refused'::text, 'bounced'::text, 'dropped'::text])))
);

CREATE TABLE bursar.directory (
    singleton boolean DEFAULT true NOT NULL,
    unique_username boolean DEFAULT false NOT NULL,
    unique_email boolean DEFAULT false NOT NULL,
    CONSTRAINT directory_is_single CHECK (singleton)
);

CREATE TABLE bursar.dispatches (
    dispatch_id bigint NOT NULL,
    run_id bigint,
    program_id integer,
    chunk_no integer DEFAULT 0 NOT NULL,
    holder_id bigint DEFAULT 0 NOT NULL,
    looked bigint DEFAULT 0 NOT NULL,
    made bigint DEFAULT 0 NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    period_key text COLLATE pg_catalog."C",
    phase text DEFAULT 'awards'::text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT dispatches_ended CHECK (((state = ANY (ARRAY['canceled'::text, 'finished'::text])) = (ended_at IS NOT NULL))),
    CONSTRAINT dispatches_phase_known CHECK ((phase = ANY (ARRAY['awards'::text, 'exclusions'::text, 'holders'::text]))),
    CONSTRAINT dispatches_state_known CHECK ((state = ANY (ARRAY['running'::text, 'paused'::text, 'canceled'::text, 'finished'::text])))
);

ALTER TABLE bursar.dispatches ALTER COLUMN dispatch_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bursar.dispatches_dispatch_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE bursar.economy (
    singleton boolean DEFAULT true NOT NULL,
    epoch integer DEFAULT 1 NOT NULL,
    system_identifier bigint DEFAULT 0 NOT NULL,
    sandbox boolean DEFAULT false NOT NULL,
    clock_offset interval DEFAULT '00:00:00'::interval NOT NULL,
    CONSTRAINT economy_clock_is_sandbox CHECK ((sandbox OR (clock_offset = '00:00:00'::interval))),
    CONSTRAINT economy_is_single CHECK (singleton)
);

CREATE TABLE bursar.economy_versions (
    version integer NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    text text NOT NULL,
    sha256 text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    made_at timestamp with time zone NOT NULL,
    actor text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    applied_at timestamp with time zone,
    decided_by text COLLATE pg_catalog."C",
    decided_at timestamp with time zone,
    CONSTRAINT economy_versions_applied_at CHECK (((state = 'applied'::text) = (applied_at IS NOT NULL))),
    CONSTRAINT economy_versions_second_person CHECK (((state <> 'applied'::text) OR (decided_by <> actor))),
    CONSTRAINT economy_versions_state_known CHECK ((state = ANY (ARRAY['applied'::text, 'waiting'::text, 'refused'::text])))
);

CREATE TABLE bursar.entries (
    holder_id bigint NOT NULL,
    asset_id integer NOT NULL,
    key_id smallint NOT NULL,
    seq bigint NOT NULL,
    posting_id bigint NOT NULL,
    amount bigint NOT NULL,
    held_change bigint NOT NULL,
    balance bigint NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    checksum bytea NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    reference text NOT NULL COLLATE pg_catalog."C",
    house_account text COLLATE pg_catalog."C",
    source text COLLATE pg_catalog."C",
    metadata json,
    detail json,
    CONSTRAINT entries_balanced_pair CHECK (((amount = 0) = (house_account IS NULL))),
    CONSTRAINT entries_effective_first CHECK ((effective_at <= recorded_at))
);

CREATE TABLE bursar.holder_history (
    holder_id bigint NOT NULL,
    number integer NOT NULL,
    verified boolean NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    subscription_start timestamp with time zone,
    billing_anchor timestamp with time zone,
    status text NOT NULL COLLATE pg_catalog."C",
    tier text NOT NULL COLLATE pg_catalog."C",
    actor text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    CONSTRAINT holder_history_in_order CHECK (((since <= until) AND (until <= recorded_at)))
);

CREATE TABLE bursar.holder_ids (
    external_id text NOT NULL COLLATE pg_catalog."C",
    holder_id bigint NOT NULL,
    CONSTRAINT holder_ids_form CHECK (((length(external_id) >= 1) AND (length(external_id) <= 200)))
);

ALTER TABLE bursar.holder_ids ALTER COLUMN holder_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bursar.holder_ids_holder_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE bursar.holder_names (
    kind text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    holder_id bigint NOT NULL,
    CONSTRAINT holder_names_kind_known CHECK ((kind = ANY (ARRAY['email'::text, 'username'::text])))
);

CREATE TABLE bursar.holders (
    holder_id bigint NOT NULL,
    xid xid8 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    matters_since timestamp with time zone NOT NULL,
    subscription_start timestamp with time zone,
    billing_anchor timestamp with time zone,
    last_login_at timestamp with time zone,
    erased_at timestamp with time zone,
    login_map bigint NOT NULL,
    login_day date,
    epoch integer NOT NULL,
    changes integer NOT NULL,
    verified boolean NOT NULL,
    status text NOT NULL COLLATE pg_catalog."C",
    tier text NOT NULL COLLATE pg_catalog."C",
    username text,
    email text,
    locale text COLLATE pg_catalog."C",
    time_zone text COLLATE pg_catalog."C",
    attributes jsonb NOT NULL,
    CONSTRAINT holders_attributes_object CHECK ((jsonb_typeof(attributes) = 'object'::text)),
    CONSTRAINT holders_login_dated CHECK (((login_map >= 0) AND ((login_day IS NULL) = (login_map = 0)))),
    CONSTRAINT holders_status_form CHECK (((status >= 'a'::text) AND (status < '{'::text) AND (length(status) <= 32) AND (translate(status, 'abcdefghijklmnopqrstuvwxyz0123456789_'::text, ''::text) = ''::text))),
    CONSTRAINT holders_tier_form CHECK (((tier = ''::text) OR ((tier >= 'a'::text) AND (tier < '{'::text) AND (length(tier) <= 32) AND (translate(tier, 'abcdefghijklmnopqrstuvwxyz0123456789_'::text, ''::text) = ''::text))))
)
WITH (fillfactor='85');

CREATE TABLE bursar.holds (
    holder_id bigint NOT NULL,
    asset_id integer NOT NULL,
    seq bigint NOT NULL,
    remaining bigint NOT NULL,
    placed_at timestamp with time zone NOT NULL,
    deadline timestamp with time zone,
    reference text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    draws bigint[] NOT NULL,
    CONSTRAINT holds_open_while_remaining CHECK (((state = 'open'::text) = (remaining > 0))),
    CONSTRAINT holds_remaining_not_negative CHECK ((remaining >= 0)),
    CONSTRAINT holds_state_known CHECK ((state = ANY (ARRAY['open'::text, 'captured'::text, 'released'::text, 'lapsed'::text])))
)
WITH (fillfactor='70');

CREATE TABLE bursar.house_totals (
    asset_id integer NOT NULL,
    account text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    day date NOT NULL,
    slot smallint NOT NULL,
    amount numeric NOT NULL,
    entries bigint NOT NULL
)
WITH (fillfactor='70');

CREATE TABLE bursar.inbox_cursors (
    holder_id bigint NOT NULL,
    asset_id integer NOT NULL,
    seq bigint NOT NULL
)
WITH (fillfactor='70');

CREATE TABLE bursar.inboxes (
    holder_id bigint NOT NULL,
    exclusions bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='80');

CREATE TABLE bursar.lots (
    holder_id bigint NOT NULL,
    asset_id integer NOT NULL,
    seq bigint NOT NULL,
    remaining bigint NOT NULL,
    held bigint NOT NULL,
    priority smallint NOT NULL,
    open boolean NOT NULL,
    expires_at timestamp with time zone,
    origin text COLLATE pg_catalog."C",
    CONSTRAINT lots_held_not_negative CHECK ((held >= 0)),
    CONSTRAINT lots_open_while_any CHECK ((open = ((remaining + held) > 0))),
    CONSTRAINT lots_remaining_not_negative CHECK ((remaining >= 0))
)
WITH (fillfactor='70');

CREATE TABLE bursar.mail_bounces (
    address_hash bytea NOT NULL,
    holder_id bigint,
    status integer NOT NULL,
    bounced_at timestamp with time zone NOT NULL,
    detail text NOT NULL,
    CONSTRAINT mail_bounces_form CHECK ((length(address_hash) = 32))
);

CREATE TABLE bursar.migrations (
    number integer NOT NULL,
    serves_from integer NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    checksum text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE bursar.notice_preferences (
    holder_id bigint NOT NULL,
    revision integer NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    quiet_from time without time zone,
    quiet_until time without time zone,
    choices jsonb NOT NULL,
    CONSTRAINT notice_preferences_form CHECK ((jsonb_typeof(choices) = 'object'::text)),
    CONSTRAINT notice_preferences_quiet CHECK (((quiet_from IS NULL) = (quiet_until IS NULL)))
);

CREATE TABLE bursar.notice_reminders (
    holder_id bigint NOT NULL,
    program_id integer NOT NULL,
    due_at timestamp with time zone NOT NULL
)
WITH (fillfactor='70');

CREATE TABLE bursar.notice_state (
    singleton boolean DEFAULT true NOT NULL,
    settings json DEFAULT '{}'::json NOT NULL,
    started_at timestamp with time zone,
    epoch integer NOT NULL,
    epoch_since timestamp with time zone NOT NULL,
    warned_until timestamp with time zone,
    warned_holder bigint DEFAULT 0 NOT NULL,
    mail_next_at timestamp with time zone NOT NULL,
    CONSTRAINT notice_state_is_single CHECK (singleton)
);

CREATE TABLE bursar.notices (
    holder_id bigint NOT NULL,
    number bigint NOT NULL,
    notice_id uuid NOT NULL,
    happened_at timestamp with time zone NOT NULL,
    made_at timestamp with time zone NOT NULL,
    read_at timestamp with time zone,
    dismissed_at timestamp with time zone,
    kind text NOT NULL COLLATE pg_catalog."C",
    data json NOT NULL
)
WITH (fillfactor='80');

ALTER TABLE bursar.notices ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bursar.notices_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE bursar.operator_alerts (
    alert_id bigint NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL,
    message text NOT NULL,
    times integer DEFAULT 1 NOT NULL,
    raised_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    resolved_by text COLLATE pg_catalog."C"
);

ALTER TABLE bursar.operator_alerts ALTER COLUMN alert_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bursar.operator_alerts_alert_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE bursar.outages (
    outage_id bigint NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    declared_at timestamp with time zone NOT NULL,
    actor text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    CONSTRAINT outages_order CHECK ((starts_at < ends_at))
);

ALTER TABLE bursar.outages ALTER COLUMN outage_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bursar.outages_outage_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE SEQUENCE bursar.posting_ids
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE bursar.posting_kinds (
    kind text NOT NULL COLLATE pg_catalog."C",
    posting_id bigint NOT NULL,
    entries integer NOT NULL
);

CREATE TABLE bursar.postings (
    posting_id bigint NOT NULL,
    epoch integer NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    entries integer NOT NULL,
    actor text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL
);

CREATE TABLE bursar.program_cycles (
    holder_id bigint NOT NULL,
    program_id integer NOT NULL,
    occurrence integer NOT NULL,
    anchor_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    look_at timestamp with time zone NOT NULL,
    last_award_at timestamp with time zone,
    tier text NOT NULL COLLATE pg_catalog."C"
)
WITH (fillfactor='80');

CREATE TABLE bursar.program_days (
    program_id integer NOT NULL,
    day date NOT NULL,
    given bigint NOT NULL
)
WITH (fillfactor='70');

CREATE TABLE bursar.program_overrides (
    holder_id bigint NOT NULL,
    program_id integer NOT NULL,
    amount bigint,
    refresh_day smallint,
    paused boolean NOT NULL,
    set_at timestamp with time zone NOT NULL,
    actor text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    CONSTRAINT program_overrides_amount CHECK ((amount >= 0)),
    CONSTRAINT program_overrides_refresh_day CHECK (((refresh_day >= 1) AND (refresh_day <= 31)))
);

CREATE TABLE bursar.program_streaks (
    holder_id bigint NOT NULL,
    program_id integer NOT NULL,
    length integer NOT NULL,
    last_day date NOT NULL,
    frozen date[] NOT NULL,
    CONSTRAINT program_streaks_length CHECK ((length > 0))
)
WITH (fillfactor='80');

CREATE TABLE bursar.program_versions (
    program_id integer NOT NULL,
    version integer NOT NULL,
    definition json NOT NULL,
    made_at timestamp with time zone NOT NULL,
    actor text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL
);

CREATE TABLE bursar.programs (
    program_id integer NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    paid_until timestamp with time zone,
    news_epoch integer,
    news_xid xid8,
    news_until timestamp with time zone,
    switched_off boolean DEFAULT false NOT NULL,
    switched_at timestamp with time zone,
    switched_by text COLLATE pg_catalog."C",
    switched_why text,
    retired_at timestamp with time zone,
    CONSTRAINT programs_name_form CHECK ((name ~ '^[a-z][a-z0-9_]{0,31}$'::text))
)
WITH (fillfactor='70');

ALTER TABLE bursar.programs ALTER COLUMN program_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bursar.programs_program_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE UNLOGGED TABLE bursar.rates (
    subject bytea NOT NULL,
    second bigint NOT NULL,
    given bytea NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE bursar.reversals (
    holder_id bigint NOT NULL,
    asset_id integer NOT NULL,
    seq bigint NOT NULL,
    reversed bigint NOT NULL,
    CONSTRAINT reversals_positive CHECK ((reversed > 0))
);

CREATE TABLE bursar.run_chunks (
    run_id bigint NOT NULL,
    chunk_no integer NOT NULL,
    first_holder bigint NOT NULL,
    last_holder bigint NOT NULL,
    awarded integer DEFAULT 0 NOT NULL,
    failed integer DEFAULT 0 NOT NULL,
    source_chunk integer,
    amount bigint DEFAULT 0 NOT NULL,
    epoch integer,
    xid xid8,
    done_at timestamp with time zone,
    holder_ids bigint[],
    excluded json
)
WITH (fillfactor='70');

CREATE TABLE bursar.run_exclusions (
    run_id bigint NOT NULL,
    holder_id bigint NOT NULL,
    reason text NOT NULL COLLATE pg_catalog."C",
    period_key text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    chunk_no integer DEFAULT 0 NOT NULL
);

CREATE TABLE bursar.run_failures (
    run_id bigint NOT NULL,
    holder_id bigint NOT NULL,
    attempts integer NOT NULL,
    failed_at timestamp with time zone NOT NULL,
    retry_at timestamp with time zone,
    resolved_at timestamp with time zone,
    code text NOT NULL COLLATE pg_catalog."C",
    message text NOT NULL
)
WITH (fillfactor='80');

CREATE TABLE bursar.runs (
    run_id bigint NOT NULL,
    program_id integer,
    version integer,
    kind text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    asset text NOT NULL COLLATE pg_catalog."C",
    period json NOT NULL,
    period_key text NOT NULL COLLATE pg_catalog."C",
    generation integer NOT NULL,
    as_of timestamp with time zone NOT NULL,
    reference text COLLATE pg_catalog."C",
    amount bigint,
    target_run bigint,
    policy text COLLATE pg_catalog."C",
    dry_run boolean NOT NULL,
    holders bigint NOT NULL,
    estimate json,
    ceiling bigint,
    day_ceiling bigint,
    given bigint DEFAULT 0 NOT NULL,
    started_at timestamp with time zone NOT NULL,
    started_by text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    approved_by text COLLATE pg_catalog."C",
    finished_at timestamp with time zone,
    note text,
    told boolean DEFAULT false NOT NULL,
    CONSTRAINT runs_kind_known CHECK ((kind = ANY (ARRAY['scheduled'::text, 'joiners'::text, 'grant'::text, 'revert'::text]))),
    CONSTRAINT runs_state_known CHECK ((state = ANY (ARRAY['waiting'::text, 'running'::text, 'paused'::text, 'canceled'::text, 'finished'::text, 'reverting'::text, 'reverted'::text, 'skipped'::text]))),
    CONSTRAINT runs_within_ceiling CHECK ((given <= ceiling))
)
WITH (fillfactor='70');

ALTER TABLE bursar.runs ALTER COLUMN run_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bursar.runs_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE bursar.token_secrets (
    kid text NOT NULL COLLATE pg_catalog."C",
    secret bytea NOT NULL,
    signs_from timestamp with time zone NOT NULL,
    works_until timestamp with time zone,
    CONSTRAINT token_secrets_form CHECK ((length(secret) = 32))
);

CREATE TABLE bursar.verifications (
    verification_id bigint NOT NULL,
    began_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    wallets bigint DEFAULT 0 NOT NULL,
    entries bigint DEFAULT 0 NOT NULL,
    unverifiable bigint DEFAULT 0 NOT NULL,
    found bigint DEFAULT 0 NOT NULL,
    part boolean NOT NULL,
    actor text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    checkpoint json,
    CONSTRAINT verifications_order CHECK (((began_at <= seen_at) AND (seen_at <= ended_at)))
);

ALTER TABLE bursar.verifications ALTER COLUMN verification_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bursar.verifications_verification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE bursar.wallets (
    holder_id bigint NOT NULL,
    asset_id integer NOT NULL,
    open_lots integer NOT NULL,
    open_holds integer NOT NULL,
    seq bigint NOT NULL,
    balance bigint NOT NULL,
    held bigint NOT NULL,
    credit_limit bigint NOT NULL,
    owed bigint NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    head bytea NOT NULL,
    state text NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT wallets_held_not_negative CHECK ((held >= 0)),
    CONSTRAINT wallets_limit_not_negative CHECK ((credit_limit >= 0)),
    CONSTRAINT wallets_owed_not_negative CHECK ((owed >= 0)),
    CONSTRAINT wallets_state_known CHECK ((state = ANY (ARRAY['active'::text, 'frozen'::text, 'closed'::text])))
)
WITH (fillfactor='70');

CREATE TABLE bursar.webhook_endpoints (
    endpoint_id integer NOT NULL,
    url text NOT NULL,
    description text NOT NULL,
    kinds text[] NOT NULL,
    secret bytea NOT NULL,
    old_secret bytea,
    old_until timestamp with time zone,
    made_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    removed_at timestamp with time zone,
    state text NOT NULL COLLATE pg_catalog."C",
    why text DEFAULT ''::text NOT NULL,
    CONSTRAINT webhook_endpoints_rotating CHECK (((old_secret IS NULL) = (old_until IS NULL))),
    CONSTRAINT webhook_endpoints_state_known CHECK ((state = ANY (ARRAY['on'::text, 'off'::text])))
);

ALTER TABLE bursar.webhook_endpoints ALTER COLUMN endpoint_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bursar.webhook_endpoints_endpoint_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE bursar.workers (
    worker text NOT NULL COLLATE pg_catalog."C",
    started_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE ONLY bursar.access_state
    ADD CONSTRAINT access_state_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY bursar.acts
    ADD CONSTRAINT acts_pkey PRIMARY KEY (act_id);

ALTER TABLE ONLY bursar.api_key_secrets
    ADD CONSTRAINT api_key_secrets_pkey PRIMARY KEY (secret_hash);

ALTER TABLE ONLY bursar.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (key_id);

ALTER TABLE ONLY bursar.assets
    ADD CONSTRAINT assets_code_key UNIQUE (code);

ALTER TABLE ONLY bursar.assets
    ADD CONSTRAINT assets_pkey PRIMARY KEY (asset_id);

ALTER TABLE ONLY bursar.cursors
    ADD CONSTRAINT cursors_pkey PRIMARY KEY (follower);

ALTER TABLE ONLY bursar.deliveries
    ADD CONSTRAINT deliveries_once UNIQUE (notice_id, channel, endpoint_id, address);

ALTER TABLE ONLY bursar.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (delivery_id);

ALTER TABLE ONLY bursar.delivery_attempts
    ADD CONSTRAINT delivery_attempts_pkey PRIMARY KEY (delivery_id, number);

ALTER TABLE ONLY bursar.directory
    ADD CONSTRAINT directory_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY bursar.dispatches
    ADD CONSTRAINT dispatches_of_period UNIQUE (program_id, period_key);

ALTER TABLE ONLY bursar.dispatches
    ADD CONSTRAINT dispatches_of_run UNIQUE (run_id);

ALTER TABLE ONLY bursar.dispatches
    ADD CONSTRAINT dispatches_pkey PRIMARY KEY (dispatch_id);

ALTER TABLE ONLY bursar.economy
    ADD CONSTRAINT economy_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY bursar.economy_versions
    ADD CONSTRAINT economy_versions_pkey PRIMARY KEY (version);

ALTER TABLE ONLY bursar.entries
    ADD CONSTRAINT entries_pkey PRIMARY KEY (holder_id, asset_id, seq);

ALTER TABLE ONLY bursar.entries
    ADD CONSTRAINT entries_reference_key UNIQUE (holder_id, asset_id, reference);

ALTER TABLE ONLY bursar.holder_history
    ADD CONSTRAINT holder_history_pkey PRIMARY KEY (holder_id, number);

ALTER TABLE ONLY bursar.holder_ids
    ADD CONSTRAINT holder_ids_id_key UNIQUE (holder_id);

ALTER TABLE ONLY bursar.holder_ids
    ADD CONSTRAINT holder_ids_pkey PRIMARY KEY (external_id);

ALTER TABLE ONLY bursar.holder_names
    ADD CONSTRAINT holder_names_pkey PRIMARY KEY (kind, name);

ALTER TABLE ONLY bursar.holders
    ADD CONSTRAINT holders_pkey PRIMARY KEY (holder_id);

ALTER TABLE ONLY bursar.holds
    ADD CONSTRAINT holds_pkey PRIMARY KEY (holder_id, asset_id, reference);

ALTER TABLE ONLY bursar.house_totals
    ADD CONSTRAINT house_totals_pkey PRIMARY KEY (asset_id, account, kind, day, slot);

ALTER TABLE ONLY bursar.inbox_cursors
    ADD CONSTRAINT inbox_cursors_pkey PRIMARY KEY (holder_id, asset_id);

ALTER TABLE ONLY bursar.inboxes
    ADD CONSTRAINT inboxes_pkey PRIMARY KEY (holder_id);

ALTER TABLE ONLY bursar.lots
    ADD CONSTRAINT lots_pkey PRIMARY KEY (holder_id, asset_id, seq);

ALTER TABLE ONLY bursar.mail_bounces
    ADD CONSTRAINT mail_bounces_pkey PRIMARY KEY (address_hash);

ALTER TABLE ONLY bursar.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (number);

ALTER TABLE ONLY bursar.notice_preferences
    ADD CONSTRAINT notice_preferences_pkey PRIMARY KEY (holder_id);

ALTER TABLE ONLY bursar.notice_reminders
    ADD CONSTRAINT notice_reminders_pkey PRIMARY KEY (holder_id, program_id);

ALTER TABLE ONLY bursar.notice_state
    ADD CONSTRAINT notice_state_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY bursar.notices
    ADD CONSTRAINT notices_in_order UNIQUE (holder_id, number);

ALTER TABLE ONLY bursar.notices
    ADD CONSTRAINT notices_pkey PRIMARY KEY (holder_id, notice_id);

ALTER TABLE ONLY bursar.operator_alerts
    ADD CONSTRAINT operator_alerts_pkey PRIMARY KEY (alert_id);

ALTER TABLE ONLY bursar.outages
    ADD CONSTRAINT outages_pkey PRIMARY KEY (outage_id);

ALTER TABLE ONLY bursar.posting_kinds
    ADD CONSTRAINT posting_kinds_pkey PRIMARY KEY (kind, posting_id);

ALTER TABLE ONLY bursar.postings
    ADD CONSTRAINT postings_pkey PRIMARY KEY (posting_id);

ALTER TABLE ONLY bursar.program_cycles
    ADD CONSTRAINT program_cycles_pkey PRIMARY KEY (holder_id, program_id);

ALTER TABLE ONLY bursar.program_days
    ADD CONSTRAINT program_days_pkey PRIMARY KEY (program_id, day);

ALTER TABLE ONLY bursar.program_overrides
    ADD CONSTRAINT program_overrides_pkey PRIMARY KEY (holder_id, program_id);

ALTER TABLE ONLY bursar.program_streaks
    ADD CONSTRAINT program_streaks_pkey PRIMARY KEY (holder_id, program_id);

ALTER TABLE ONLY bursar.program_versions
    ADD CONSTRAINT program_versions_pkey PRIMARY KEY (program_id, version);

ALTER TABLE ONLY bursar.programs
    ADD CONSTRAINT programs_name_key UNIQUE (name);

ALTER TABLE ONLY bursar.programs
    ADD CONSTRAINT programs_pkey PRIMARY KEY (program_id);

ALTER TABLE ONLY bursar.rates
    ADD CONSTRAINT rates_pkey PRIMARY KEY (subject);

ALTER TABLE ONLY bursar.reversals
    ADD CONSTRAINT reversals_pkey PRIMARY KEY (holder_id, asset_id, seq);

ALTER TABLE ONLY bursar.run_chunks
    ADD CONSTRAINT run_chunks_pkey PRIMARY KEY (run_id, chunk_no);

ALTER TABLE ONLY bursar.run_exclusions
    ADD CONSTRAINT run_exclusions_pkey PRIMARY KEY (holder_id, run_id);

ALTER TABLE ONLY bursar.run_failures
    ADD CONSTRAINT run_failures_pkey PRIMARY KEY (holder_id, run_id);

ALTER TABLE ONLY bursar.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (run_id);

ALTER TABLE ONLY bursar.runs
    ADD CONSTRAINT runs_reference_key UNIQUE (reference);

ALTER TABLE ONLY bursar.token_secrets
    ADD CONSTRAINT token_secrets_pkey PRIMARY KEY (kid);

ALTER TABLE ONLY bursar.verifications
    ADD CONSTRAINT verifications_pkey PRIMARY KEY (verification_id);

ALTER TABLE ONLY bursar.wallets
    ADD CONSTRAINT wallets_pkey PRIMARY KEY (holder_id, asset_id);

ALTER TABLE ONLY bursar.webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (endpoint_id);

ALTER TABLE ONLY bursar.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (worker);

CREATE INDEX acts_subject ON bursar.acts USING btree (subject, act_id);

CREATE UNIQUE INDEX api_key_secrets_current ON bursar.api_key_secrets USING btree (key_id) WHERE (works_until IS NULL);

CREATE INDEX deliveries_due ON bursar.deliveries USING btree (channel, endpoint_id, line, due_at) WHERE (state = 'waiting'::text);

CREATE INDEX deliveries_made ON bursar.deliveries USING brin (made_at);

CREATE INDEX deliveries_of_dispatch ON bursar.deliveries USING btree (dispatch_id, state) WHERE (dispatch_id IS NOT NULL);

CREATE INDEX deliveries_of_endpoint ON bursar.deliveries USING btree (endpoint_id, delivery_id) WHERE (endpoint_id > 0);

CREATE INDEX deliveries_of_holder ON bursar.deliveries USING btree (holder_id, delivery_id) WHERE (holder_id IS NOT NULL);

CREATE INDEX deliveries_parked ON bursar.deliveries USING btree (delivery_id) WHERE (state = 'parked'::text);

CREATE INDEX dispatches_open ON bursar.dispatches USING btree (dispatch_id) WHERE (state = ANY (ARRAY['running'::text, 'paused'::text]));

CREATE UNIQUE INDEX economy_versions_waiting ON bursar.economy_versions USING btree (state) WHERE (state = 'waiting'::text);

CREATE INDEX entries_busy_kind ON bursar.entries USING btree (holder_id, asset_id, kind, seq) WHERE (seq > 1000);

CREATE INDEX entries_busy_source ON bursar.entries USING btree (holder_id, asset_id, source, seq) WHERE ((seq > 1000) AND (source IS NOT NULL));

CREATE INDEX entries_dated_back ON bursar.entries USING btree (holder_id, asset_id, effective_at) WHERE (effective_at < recorded_at);

CREATE INDEX entries_posting ON bursar.entries USING btree (posting_id);

CREATE INDEX entries_recorded ON bursar.entries USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');

CREATE INDEX holders_by_subscription ON bursar.holders USING btree (subscription_start, holder_id) WHERE (subscription_start IS NOT NULL);

CREATE INDEX holders_in_change_order ON bursar.holders USING btree (epoch, xid, holder_id);

CREATE INDEX holds_open ON bursar.holds USING btree (holder_id, asset_id) WHERE (state = 'open'::text);

CREATE INDEX holds_to_lapse ON bursar.holds USING btree (deadline) WHERE ((state = 'open'::text) AND (deadline IS NOT NULL));

CREATE INDEX house_totals_by_day ON bursar.house_totals USING btree (day);

CREATE INDEX lots_open ON bursar.lots USING btree (holder_id, asset_id) WHERE open;

CREATE INDEX lots_to_expire ON bursar.lots USING btree (expires_at, holder_id) WHERE (open AND (expires_at IS NOT NULL));

CREATE INDEX mail_bounces_of_holder ON bursar.mail_bounces USING btree (holder_id);

CREATE INDEX notices_made ON bursar.notices USING brin (made_at);

CREATE INDEX notices_shown ON bursar.notices USING btree (holder_id, happened_at, number);

CREATE INDEX notices_unread ON bursar.notices USING btree (holder_id) WHERE ((read_at IS NULL) AND (dismissed_at IS NULL));

CREATE UNIQUE INDEX operator_alerts_open ON bursar.operator_alerts USING btree (kind, subject) WHERE (resolved_at IS NULL);

CREATE INDEX postings_in_commit_order ON bursar.postings USING btree (epoch, xid, posting_id);

CREATE INDEX program_cycles_due ON bursar.program_cycles USING btree (program_id, look_at);

CREATE INDEX program_overrides_paused ON bursar.program_overrides USING btree (program_id) WHERE paused;

CREATE INDEX run_chunks_open ON bursar.run_chunks USING btree (run_id, chunk_no) WHERE (done_at IS NULL);

CREATE INDEX run_exclusions_of_run ON bursar.run_exclusions USING btree (run_id, holder_id);

CREATE INDEX run_failures_by_time ON bursar.run_failures USING btree (failed_at);

CREATE INDEX run_failures_due ON bursar.run_failures USING btree (retry_at) WHERE ((resolved_at IS NULL) AND (retry_at IS NOT NULL));

CREATE INDEX run_failures_of_run ON bursar.run_failures USING btree (run_id, holder_id);

CREATE INDEX run_failures_open ON bursar.run_failures USING btree (run_id) WHERE (resolved_at IS NULL);

CREATE INDEX runs_by_start ON bursar.runs USING btree (started_at);

CREATE INDEX runs_of_program ON bursar.runs USING btree (program_id, run_id);

CREATE INDEX runs_open ON bursar.runs USING btree (run_id) WHERE (state = ANY (ARRAY['waiting'::text, 'running'::text, 'paused'::text]));

CREATE UNIQUE INDEX runs_period_once ON bursar.runs USING btree (program_id, period_key, generation) WHERE ((kind = 'scheduled'::text) AND (NOT dry_run) AND (state <> ALL (ARRAY['canceled'::text, 'skipped'::text, 'reverting'::text, 'reverted'::text])));

CREATE UNIQUE INDEX runs_reverted_once ON bursar.runs USING btree (target_run) WHERE ((kind = 'revert'::text) AND (state <> 'canceled'::text));

CREATE INDEX runs_untold ON bursar.runs USING btree (run_id) WHERE (NOT told);

CREATE TRIGGER acts_are_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON bursar.acts FOR EACH STATEMENT EXECUTE FUNCTION bursar.refuse_change();

CREATE TRIGGER entries_are_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON bursar.entries FOR EACH STATEMENT EXECUTE FUNCTION bursar.refuse_change();

CREATE TRIGGER postings_are_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON bursar.postings FOR EACH STATEMENT EXECUTE FUNCTION bursar.refuse_change();

GRANT USAGE ON SCHEMA bursar TO bursar_service;

GRANT SELECT,UPDATE ON TABLE bursar.access_state TO bursar_service;

GRANT SELECT,INSERT ON TABLE bursar.acts TO bursar_service;

GRANT USAGE ON SEQUENCE bursar.acts_act_id_seq TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.api_key_secrets TO bursar_service;

GRANT SELECT,INSERT ON TABLE bursar.api_keys TO bursar_service;

GRANT UPDATE(revoked_at) ON TABLE bursar.api_keys TO bursar_service;

GRANT UPDATE(last_used_at) ON TABLE bursar.api_keys TO bursar_service;

GRANT USAGE ON SEQUENCE bursar.api_keys_key_id_seq TO bursar_service;

GRANT SELECT,INSERT ON TABLE bursar.assets TO bursar_service;

GRANT USAGE ON SEQUENCE bursar.assets_asset_id_seq TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.cursors TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.deliveries TO bursar_service;

GRANT USAGE ON SEQUENCE bursar.deliveries_delivery_id_seq TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.delivery_attempts TO bursar_service;

GRANT SELECT,UPDATE ON TABLE bursar.directory TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.dispatches TO bursar_service;

GRANT USAGE ON SEQUENCE bursar.dispatches_dispatch_id_seq TO bursar_service;

GRANT SELECT,UPDATE ON TABLE bursar.economy TO bursar_service;

GRANT SELECT,INSERT ON TABLE bursar.economy_versions TO bursar_service;

GRANT UPDATE(state) ON TABLE bursar.economy_versions TO bursar_service;

GRANT UPDATE(applied_at) ON TABLE bursar.economy_versions TO bursar_service;

GRANT UPDATE(decided_by) ON TABLE bursar.economy_versions TO bursar_service;

GRANT UPDATE(decided_at) ON TABLE bursar.economy_versions TO bursar_service;

GRANT SELECT,INSERT ON TABLE bursar.entries TO bursar_service;

GRANT SELECT,INSERT ON TABLE bursar.holder_history TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.holder_ids TO bursar_service;

GRANT USAGE ON SEQUENCE bursar.holder_ids_holder_id_seq TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.holder_names TO bursar_service;

GRANT SELECT,INSERT,UPDATE ON TABLE bursar.holders TO bursar_service;

GRANT SELECT,INSERT,UPDATE ON TABLE bursar.holds TO bursar_service;

GRANT SELECT,INSERT,UPDATE ON TABLE bursar.house_totals TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.inbox_cursors TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.inboxes TO bursar_service;

GRANT SELECT,INSERT,UPDATE ON TABLE bursar.lots TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.mail_bounces TO bursar_service;

GRANT SELECT ON TABLE bursar.migrations TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.notice_preferences TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.notice_reminders TO bursar_service;

GRANT SELECT,UPDATE ON TABLE bursar.notice_state TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.notices TO bursar_service;

GRANT USAGE ON SEQUENCE bursar.notices_number_seq TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.operator_alerts TO bursar_service;

GRANT USAGE ON SEQUENCE bursar.operator_alerts_alert_id_seq TO bursar_service;

GRANT SELECT,INSERT ON TABLE bursar.outages TO bursar_service;

GRANT USAGE ON SEQUENCE bursar.outages_outage_id_seq TO bursar_service;

GRANT USAGE ON SEQUENCE bursar.posting_ids TO bursar_service;

GRANT SELECT,INSERT ON TABLE bursar.posting_kinds TO bursar_service;

GRANT SELECT,INSERT ON TABLE bursar.postings TO bursar_service;

GRANT SELECT,INSERT,UPDATE ON TABLE bursar.program_cycles TO bursar_service;

GRANT SELECT,INSERT,UPDATE ON TABLE bursar.program_days TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.program_overrides TO bursar_service;

GRANT SELECT,INSERT,UPDATE ON TABLE bursar.program_streaks TO bursar_service;

GRANT SELECT,INSERT ON TABLE bursar.program_versions TO bursar_service;

GRANT SELECT,INSERT,UPDATE ON TABLE bursar.programs TO bursar_service;

GRANT USAGE ON SEQUENCE bursar.programs_program_id_seq TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.rates TO bursar_service;

GRANT SELECT,INSERT,UPDATE ON TABLE bursar.reversals TO bursar_service;

GRANT SELECT,INSERT,UPDATE ON TABLE bursar.run_chunks TO bursar_service;

GRANT SELECT,INSERT,DELETE ON TABLE bursar.run_exclusions TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.run_failures TO bursar_service;

GRANT SELECT,INSERT,UPDATE ON TABLE bursar.runs TO bursar_service;

GRANT USAGE ON SEQUENCE bursar.runs_run_id_seq TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.token_secrets TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.verifications TO bursar_service;

GRANT USAGE ON SEQUENCE bursar.verifications_verification_id_seq TO bursar_service;

GRANT SELECT,INSERT,UPDATE ON TABLE bursar.wallets TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.webhook_endpoints TO bursar_service;

GRANT USAGE ON SEQUENCE bursar.webhook_endpoints_endpoint_id_seq TO bursar_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bursar.workers TO bursar_service;
