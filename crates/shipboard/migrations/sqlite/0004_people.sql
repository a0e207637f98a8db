alter table tokens add column name text not null default '';
alter table tokens add column created_by text not null default '';
alter table tokens add column used_at bigint;
alter table hooks add column created_by text not null default '';

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
  id text not null primary key,
  subject text not null,
  name text not null,
  token text,
  grants text not null,
  hash text not null unique,
  former_hash text,
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
  tenant text not null,
  id text not null,
  at bigint not null,
  actor text not null,
  address text,
  action text not null,
  subject text not null,
  detail text not null,
  primary key (tenant, id)
);
create trigger audit_is_not_changed before update on audit
begin select raise(abort, 'the audit log is append-only'); end;
create trigger audit_is_not_removed before delete on audit
begin select raise(abort, 'the audit log is append-only'); end;
