-- Emergency mode: a vhost's mode for a while, whatever its policies say. Operational: in no revision, no rollback, no export.

-- One for each vhost; what expired stays until another takes its place. `vhost_id` tells a recreated vhost from its predecessor.
create table mode_overrides (
    vhost_id uuid not null,
    vhost text not null,
    mode text not null,
    until timestamptz not null,
    reason text not null,
    author text not null,
    created_at timestamptz not null,
    constraint mode_overrides_pkey primary key (vhost_id),
    constraint mode_overrides_vhost_id_fkey foreign key (vhost_id) references objects (id) on delete cascade,
    constraint mode_overrides_mode_check check (mode in ('off', 'detect', 'block')),
    constraint mode_overrides_until_check check (until > created_at and until <= created_at + interval '24 hours'),
    constraint mode_overrides_reason_check check (length(reason) between 1 and 500),
    constraint mode_overrides_author_check check (length(author) between 1 and 200)
);
