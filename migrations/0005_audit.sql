-- The audit log as a chain: each row has the SHA-256 over its content and the hash of the row before.

-- Other things than writes of objects are in it, too.
alter table audit
    drop constraint audit_action_check,
    add constraint audit_action_check check (action ~ '^[a-z][a-z_.]{0,59}$'),
    -- Hashed as text, so that no way to write an address is another row.
    alter column address type text using host(address),
    -- Ids are given by the one writer: gapless, and in the order of the chain.
    alter column id drop identity,
    add column hash text;

create index audit_author_idx on audit (author, id);
create index audit_at_idx on audit (at, id);
create index audit_action_idx on audit (action, id);

-- One row: the newest row of the log. With it, rows that are missing at the end are missed.
create table audit_head (
    only_row boolean not null default true,
    id bigint not null,
    hash text not null,
    constraint audit_head_pkey primary key (only_row),
    constraint audit_head_one_row check (only_row),
    constraint audit_head_id_check check (id >= 0),
    constraint audit_head_hash_check check (hash ~ '^[0-9a-f]{64}$')
);

-- As src/domain/audit.rs does it: each part with its length before it, -1 for one that is not there.
create function audit_part(part text) returns bytea language sql immutable as $$
    select case when part is null then int8send(-1)
           else int8send(octet_length(convert_to(part, 'UTF8'))) || convert_to(part, 'UTF8') end
$$;

-- Rows that are there already: numbered without gaps, and chained.
do $$
declare
    entry record;
    number bigint := 0;
    last text := repeat('0', 64);
begin
    for entry in select * from audit order by id loop
        number := number + 1;
        last := encode(sha256(
            audit_part(last) || audit_part(number::text) || audit_part(((extract(epoch from entry.at) * 1000000)::bigint)::text)
            || audit_part(entry.author) || audit_part(entry.principal_id::text) || audit_part(entry.action) || audit_part(entry.kind)
            || audit_part(entry.name) || audit_part(entry.object_id::text) || audit_part(entry.revision::text)
            || audit_part(entry.request_id) || audit_part(entry.address) || audit_part(entry.before::text)
            || audit_part(entry.after::text)), 'hex');
        -- A new number is never higher than the old one, so that it is free.
        update audit set id = number, hash = last where id = entry.id;
    end loop;
    insert into audit_head (id, hash) values (number, last);
end
$$;
drop function audit_part(text);

alter table audit
    alter column hash set not null,
    add constraint audit_hash_check check (hash ~ '^[0-9a-f]{64}$'),
    add constraint audit_id_check check (id > 0);

-- What is in the log stays: for every role but one that may take the trigger away (the owner of the table, or a superuser); see docs/audit.md.
create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only: % of % is refused', lower(tg_op), tg_table_name using errcode = 'GP001';
end
$$;
create trigger audit_append_only before update or delete on audit for each row execute function audit_is_append_only();
create trigger audit_no_truncate before truncate on audit for each statement execute function audit_is_append_only();

-- The head only goes forward.
create function audit_head_goes_forward() returns trigger language plpgsql as $$
begin
    if new.id <= old.id then
        raise exception 'the head of the audit log goes forward only' using errcode = 'GP001';
    end if;
    return new;
end
$$;
create trigger audit_head_forward before update on audit_head for each row execute function audit_head_goes_forward();
create trigger audit_head_stays before delete on audit_head for each row execute function audit_is_append_only();
create trigger audit_head_no_truncate before truncate on audit_head for each statement execute function audit_is_append_only();

-- Also where a session plays the replica, which switches ordinary triggers off.
alter table audit enable always trigger audit_append_only;
alter table audit enable always trigger audit_no_truncate;
alter table audit_head enable always trigger audit_head_forward;
alter table audit_head enable always trigger audit_head_stays;
alter table audit_head enable always trigger audit_head_no_truncate;
