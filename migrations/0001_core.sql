-- The configured state, its history, and what became of it.
--
-- Every constraint has a name: the code maps refusals by it. Migrations are never edited once released; see docs.

-- One row: the newest revision. The writer locks it last before commit, which makes numbers gapless and in commit order; a number or
-- digest that is not what the writer holds in memory means that somebody else wrote.
create table revision_head (
    only_row boolean not null default true,
    number bigint not null,
    digest text not null,
    constraint revision_head_pkey primary key (only_row),
    constraint revision_head_one_row check (only_row),
    constraint revision_head_number_check check (number >= 0),
    constraint revision_head_digest_check check (digest ~ '^[0-9a-f]{64}$')
);
insert into revision_head (number, digest) values (0, repeat('0', 64));

-- Immutable. `previous` says in the database's own words that there is no gap.
create table revisions (
    number bigint not null,
    previous bigint generated always as (nullif(number - 1, 0)) stored,
    created_at timestamptz not null,
    author text not null,
    message text not null,
    digest text not null,
    changes json not null,
    constraint revisions_pkey primary key (number),
    constraint revisions_number_check check (number > 0),
    constraint revisions_previous_fkey foreign key (previous) references revisions (number),
    constraint revisions_digest_check check (digest ~ '^[0-9a-f]{64}$'),
    constraint revisions_author_check check (length(author) between 1 and 200),
    constraint revisions_message_check check (length(message) <= 2000)
);

-- An object from its creation to its deletion; one recreated under the same name is another. Rows stay, so that neither an id nor a
-- number (the object's name inside HAProxy's maps) is ever used again.
create table objects (
    id uuid not null,
    kind text not null,
    name text not null,
    number bigint not null,
    created_at timestamptz not null,
    created_revision bigint not null,
    deleted_revision bigint,
    constraint objects_pkey primary key (id),
    constraint objects_kind_check check (kind in ('vhost', 'policy', 'ip_list')),
    constraint objects_name_check check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    constraint objects_number_check check (number between 1 and 4294967295),
    constraint objects_number_key unique (kind, number),
    constraint objects_created_fkey foreign key (created_revision) references revisions (number),
    constraint objects_deleted_fkey foreign key (deleted_revision) references revisions (number),
    constraint objects_deleted_check check (deleted_revision > created_revision)
);
create unique index objects_live_name_key on objects (kind, name) where deleted_revision is null;

-- What an object was in the revisions `[from_revision, to_revision)`; open while it is so still. `json`, not `jsonb`: it is read back
-- whole, and texts stay as they were.
create table object_versions (
    object_id uuid not null,
    from_revision bigint not null,
    to_revision bigint,
    written_at timestamptz not null,
    spec json not null,
    elements json not null,
    constraint object_versions_pkey primary key (object_id, from_revision),
    constraint object_versions_object_fkey foreign key (object_id) references objects (id),
    constraint object_versions_from_fkey foreign key (from_revision) references revisions (number),
    constraint object_versions_range_check check (to_revision > from_revision)
);
create unique index object_versions_open_key on object_versions (object_id) where to_revision is null;

-- Entries of IP lists, each valid in `[from_revision, to_revision)`.
create table list_entries (
    list_id uuid not null,
    network cidr not null,
    from_revision bigint not null,
    to_revision bigint,
    comment text not null,
    expires_at timestamptz,
    constraint list_entries_pkey primary key (list_id, network, from_revision),
    constraint list_entries_list_fkey foreign key (list_id) references objects (id),
    constraint list_entries_range_check check (to_revision > from_revision)
);
create unique index list_entries_open_key on list_entries (list_id, network) where to_revision is null;

-- Who did what: written in the transaction of the write itself.
create table audit (
    id bigint generated always as identity,
    at timestamptz not null,
    author text not null,
    principal_id uuid,
    action text not null,
    kind text not null,
    name text not null,
    object_id uuid,
    revision bigint,
    request_id text not null,
    address inet,
    before json,
    after json,
    constraint audit_pkey primary key (id),
    constraint audit_action_check check (action in ('create', 'update', 'delete'))
);
create index audit_object_idx on audit (kind, name, id);

-- Bringing revisions to the nodes. `revision` has no foreign key: the empty state, 0, is deployed too.
create table deployments (
    id uuid not null,
    revision bigint not null,
    state text not null,
    lanes text[] not null,
    created_at timestamptz not null,
    ended_at timestamptz,
    attempts integer not null,
    said text not null,
    errors json not null,
    bundle_digest text not null,
    made_with json not null,
    constraint deployments_pkey primary key (id),
    constraint deployments_revision_check check (revision >= 0),
    constraint deployments_state_check
        check (state in ('pending', 'validating', 'applying', 'verifying', 'retrying', 'live', 'refused', 'superseded')),
    constraint deployments_ended_check check ((ended_at is not null) = (state in ('live', 'refused', 'superseded')))
);
create index deployments_open_idx on deployments (id) where ended_at is null;
create index deployments_live_idx on deployments (revision) where state = 'live';
create index deployments_refused_idx on deployments (revision) where state = 'refused';

create table deployment_steps (
    deployment_id uuid not null,
    seq integer not null,
    name text not null,
    started_at timestamptz not null,
    took_us bigint not null,
    ok boolean not null,
    detail text not null,
    constraint deployment_steps_pkey primary key (deployment_id, seq),
    constraint deployment_steps_deployment_fkey foreign key (deployment_id) references deployments (id) on delete cascade
);

-- What the last probe of each vhost showed.
create table proofs (
    vhost text not null,
    state text not null,
    revision bigint not null,
    at timestamptz not null,
    host text not null,
    "row" text not null,
    seen json not null,
    constraint proofs_pkey primary key (vhost),
    constraint proofs_state_check check (state in ('proven', 'unproven', 'unprobed'))
);

-- Tokens by the SHA-256 of their text: the text itself is shown once and never stored.
create table tokens (
    id uuid not null,
    name text not null,
    hash bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    constraint tokens_pkey primary key (id),
    constraint tokens_name_key unique (name),
    constraint tokens_hash_key unique (hash),
    constraint tokens_hash_check check (length(hash) = 32)
);

-- A process that serves hears of a token made or taken away by another at once.
create function tokens_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('guard_proxy_tokens', '');
    return null;
end
$$;
create trigger tokens_changed after insert or update or delete or truncate on tokens for each statement execute function tokens_changed();
