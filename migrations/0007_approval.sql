-- Approval: what touches a protected vhost waits for a second person.

-- `approval` is what it waits for and what was decided; `contributors` are the principals, and the people behind tokens, who cannot approve.
-- `rollback_to` is the revision that a rollback which waits goes back to.
alter table change_sets
    add column approval json,
    add column contributors uuid[] not null default '{}',
    add column rollback_to bigint,
    drop constraint change_sets_state_check,
    add constraint change_sets_state_check
        check (state in ('open', 'awaiting_approval', 'approved', 'committed', 'discarded', 'refused')),
    add constraint change_sets_approval_check check (state not in ('awaiting_approval', 'approved') or approval is not null);
create index change_sets_review_idx on change_sets (id) where state in ('awaiting_approval', 'approved');

-- The person behind a token: who made it, or made the token that made it. Null for the machine's own. No foreign key: it outlives them.
alter table tokens add column person_id uuid;
with recursive made (id, name, person_id) as (
    select t.id, t.name, u.id from tokens t join users u on t.created_by = 'user:' || u.email
    union
    select t.id, t.name, m.person_id from tokens t join made m on t.created_by = 'token:' || m.name
)
update tokens t set person_id = m.person_id from made m where m.id = t.id;
