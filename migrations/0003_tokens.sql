-- What tokens may do, from where, and when they were last used. Those that were there before could do everything, and still can.

alter table tokens
    add column rights json not null default '{"roles": [{"role": "admin"}]}',
    -- Networks that it may be used from, as text; empty: any.
    add column networks text[] not null default '{}',
    add column created_by text not null default 'system',
    add column last_used_at timestamptz;

-- That a token was used is written now and then, and is no news for those who hold tokens in memory.
drop trigger tokens_changed on tokens;
create trigger tokens_changed after insert or delete or truncate on tokens for each statement execute function tokens_changed();
create trigger tokens_updated after update of name, hash, expires_at, rights, networks on tokens
    for each statement execute function tokens_changed();
