-- People, their sessions, and the keys that sign what they carry.

-- `email` is in lower case, as the constraint says: by it one signs in. `epoch` is in every access token: raised, it ends all of before.
-- What is sealed is encrypted with a key that the database has not. A person without a password was invited and has not chosen one.
create table users (
    id uuid not null,
    email text not null,
    title text not null,
    password_hash text,
    roles json not null,
    disabled boolean not null,
    epoch bigint not null,
    totp bytea,
    totp_pending bytea,
    totp_step bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint users_pkey primary key (id),
    constraint users_email_key unique (email),
    constraint users_email_check check (email = lower(email) and length(email) between 3 and 190),
    constraint users_title_check check (length(title) <= 400),
    constraint users_epoch_check check (epoch >= 0)
);

-- A sign-in and what it became. `family` is in the cookie and nowhere else; `secret` is the SHA-256 of what the cookie must have now,
-- `previous` of what it had before `rotated_at`: two tabs may send that one for some seconds.
create table sessions (
    id uuid not null,
    user_id uuid not null,
    family bytea not null,
    secret bytea not null,
    previous bytea,
    rotated_at timestamptz not null,
    user_agent text not null,
    address inet,
    created_at timestamptz not null,
    used_at timestamptz not null,
    expires_at timestamptz not null,
    constraint sessions_pkey primary key (id),
    constraint sessions_user_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint sessions_family_key unique (family),
    constraint sessions_secret_check check (length(secret) = 32 and length(family) = 32)
);
create index sessions_user_idx on sessions (user_id);
create index sessions_expires_idx on sessions (expires_at);

create table recovery_codes (
    user_id uuid not null,
    hash bytea not null,
    constraint recovery_codes_pkey primary key (user_id, hash),
    constraint recovery_codes_user_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint recovery_codes_hash_check check (length(hash) = 32)
);

-- Links by which somebody chooses a password, once. Without a user: whoever has it becomes an administrator. With
-- `reset_totp` the authenticator goes with the old password.
create table setup_links (
    hash bytea not null,
    user_id uuid,
    reset_totp boolean not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    constraint setup_links_pkey primary key (hash),
    constraint setup_links_user_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint setup_links_hash_check check (length(hash) = 32)
);
create unique index setup_links_user_key on setup_links (user_id) nulls not distinct;

-- Keys that sign access tokens: the private part sealed.
create table signing_keys (
    kid text not null,
    public bytea not null,
    sealed bytea not null,
    signs_from timestamptz not null,
    constraint signing_keys_pkey primary key (kid),
    constraint signing_keys_public_check check (length(public) = 32)
);
