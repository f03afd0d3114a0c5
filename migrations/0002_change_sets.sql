-- Change sets, plans, and where revisions come from.

-- How a revision came to be, and how many objects it changed. Those before this migration were single writes.
alter table revisions
    add column origin json not null default '{"kind": "write"}',
    add column counts json;
update revisions set counts = json_build_object(
    'created', (select count(*) from json_array_elements(changes) c where c ->> 'change' = 'created'),
    'updated', (select count(*) from json_array_elements(changes) c where c ->> 'change' = 'updated'),
    'deleted', (select count(*) from json_array_elements(changes) c where c ->> 'change' = 'deleted'));
alter table revisions alter column counts set not null, alter column origin drop default;
create index revisions_author_idx on revisions (author, number);
create index revisions_created_at_idx on revisions (created_at, number);
create index revisions_taken_back_idx on revisions (number) where (origin ->> 'kind') = 'take_back';

-- By revision: what of an object's kind it changed.
create index audit_revision_idx on audit (revision);

-- The first revision whose snapshot can still be made: versions that ended before it may have been pruned.
alter table revision_head
    add column first_kept bigint not null default 0,
    add constraint revision_head_first_kept_check check (first_kept between 0 and number);

-- Staged writes. `owner` is the principal who alone sees it; `base` has no foreign key: 0 is the empty state.
create table change_sets (
    id uuid not null,
    state text not null,
    owner text not null,
    author text not null,
    message text not null,
    base bigint not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    revision bigint,
    refusal json,
    constraint change_sets_pkey primary key (id),
    constraint change_sets_state_check check (state in ('open', 'committed', 'discarded', 'refused')),
    constraint change_sets_owner_check check (length(owner) between 1 and 200),
    constraint change_sets_author_check check (length(author) between 1 and 200),
    constraint change_sets_message_check check (length(message) <= 2000),
    constraint change_sets_base_check check (base >= 0),
    constraint change_sets_version_check check (version > 0),
    constraint change_sets_revision_check check (state not in ('committed', 'refused') or revision is not null),
    constraint change_sets_refusal_check check (state <> 'refused' or refusal is not null)
);
create index change_sets_owner_idx on change_sets (owner, id);

-- What is staged of an object: its whole spec, null where it is to go; of an IP list the entries that differ from the base's. `version` is
-- that of the change set when it was staged.
create table change_set_objects (
    change_set_id uuid not null,
    kind text not null,
    name text not null,
    change text not null,
    version bigint not null,
    spec json,
    added json not null,
    removed json not null,
    constraint change_set_objects_pkey primary key (change_set_id, kind, name),
    constraint change_set_objects_change_set_fkey foreign key (change_set_id) references change_sets (id) on delete cascade,
    constraint change_set_objects_kind_check check (kind in ('vhost', 'policy', 'ip_list')),
    constraint change_set_objects_name_check check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    constraint change_set_objects_change_check check (change in ('created', 'updated', 'deleted')),
    constraint change_set_objects_spec_check check ((spec is null) = (change = 'deleted'))
);

-- Plans as they were made, for those who have their links.
create table plans (
    id uuid not null,
    owner text not null,
    created_at timestamptz not null,
    document json not null,
    constraint plans_pkey primary key (id),
    constraint plans_owner_check check (length(owner) between 1 and 200)
);
