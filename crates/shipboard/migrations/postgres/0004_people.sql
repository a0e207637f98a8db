alter table tokens add column name text collate "C" not null default '';
alter table tokens add column created_by text collate "C" not null default '';
alter table tokens add column used_at bigint;
alter table hooks add column created_by text collate "C" not null default '';

-- How often credentials have changed: whoever keeps a copy compares, and reads anew. Its row is the lock
-- that lets one change follow the other, so that no reader ever passes over one.
create table credential_changes (
  one boolean not null primary key,
  kept bigint not null,
  sessions bigint not null
);
insert into credential_changes (one, kept, sessions) values (true, 0, 0);

-- Signed-in browsers. `grants` is a JSON list of tenant, role and envs; `token` the token that it was opened
-- with, which it ends with. Only hashes of secrets are kept: the one in use, and the one before it.
create table sessions (
  id text collate "C" not null primary key,
  subject text collate "C" not null,
  name text collate "C" not null,
  token text collate "C",
  grants text collate "C" not null,
  hash text collate "C" not null unique,
  former_hash text collate "C",
  created_at bigint not null,
  rotated_at bigint not null,
  used_at bigint not null,
  expires_at bigint not null,
  revoked_at bigint,
  change bigint not null
);
create index sessions_change on sessions (change);
create index sessions_subject on sessions (subject);

-- Who changed what. Nothing is ever changed or removed here. An empty tenant: the server's own affair.
create table audit (
  tenant text collate "C" not null,
  id text collate "C" not null,
  at bigint not null,
  actor text collate "C" not null,
  address text collate "C",
  action text collate "C" not null,
  subject text collate "C" not null,
  detail text collate "C" not null,
  primary key (tenant, id)
);
create function audit_is_append_only() returns trigger language plpgsql as
$$ begin raise exception 'the audit log is append-only'; end $$;
create trigger audit_is_append_only before update or delete or truncate on audit
for each statement execute function audit_is_append_only();
