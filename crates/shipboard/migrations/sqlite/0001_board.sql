-- The shared dialect of both engines: text, bigint, boolean, blob; times as unix milliseconds; JSON as text.
-- Every table begins with its tenant: no query goes without it.

create table tenants (
  tenant text not null primary key,
  name text not null,
  created_at bigint not null
);

-- One row an env: its lock, its head and its counts. `clock` is the last receipt, which never goes back.
create table envs (
  tenant text not null references tenants (tenant),
  env text not null,
  name text not null,
  tier text not null,
  position bigint not null,
  epoch text not null,
  head bigint not null,
  clock bigint not null,
  counts text not null,
  primary key (tenant, env)
);

-- `row` is what everybody sees and `state` what is kept beside it, as JSON; the other columns repeat
-- what queries look for. `placed_at` is the deployment's place in its workflow's chain.
create table deployments (
  tenant text not null,
  env text not null,
  id text not null,
  workflow text not null,
  source text not null,
  external_id text not null,
  status text not null,
  version text,
  actor text,
  sha text,
  haystack text not null,
  created_at bigint not null,
  success_at bigint,
  duration_ms bigint,
  placed_at bigint not null,
  removed boolean not null,
  last_heard_at bigint not null,
  row text not null,
  state text not null,
  primary key (tenant, env, id)
);
create unique index deployments_identity on deployments (tenant, env, source, external_id);
create index deployments_newest on deployments (tenant, env, created_at desc, id desc);
create index deployments_of_workflow on deployments (tenant, env, workflow, created_at desc, id desc);
create index deployments_place on deployments (tenant, env, workflow, placed_at);
create index deployments_success on deployments (tenant, env, workflow, success_at) where success_at is not null;
create index deployments_version on deployments (tenant, env, workflow, version, success_at) where success_at is not null;
create index deployments_active on deployments (last_heard_at) where status in ('queued', 'waiting', 'running');

create table tombstones (
  tenant text not null,
  env text not null,
  source text not null,
  external_id text not null,
  deployment_id text not null,
  deleted_at bigint not null,
  primary key (tenant, env, source, external_id)
);
create index tombstones_id on tombstones (tenant, env, deployment_id);

create table reports (
  tenant text not null,
  env text not null,
  deployment_id text not null,
  arrival bigint not null,
  attempt bigint not null,
  digest text not null,
  dated boolean not null,
  first_entry bigint not null,
  report text not null,
  primary key (tenant, env, deployment_id, arrival)
);
create index reports_digest on reports (tenant, env, deployment_id, digest) where dated;

create table workflows (
  tenant text not null,
  env text not null,
  id text not null,
  latest_at bigint not null,
  row text not null,
  primary key (tenant, env, id)
);
create index workflows_latest on workflows (tenant, env, latest_at desc, id);

-- The log. `last_id` is the last event of the same transaction: state exists there only.
create table events (
  tenant text not null,
  env text not null,
  event_id bigint not null,
  last_id bigint not null,
  ts bigint not null,
  change text not null,
  primary key (tenant, env, event_id)
);

create table idempotency_keys (
  tenant text not null,
  env text not null,
  key text not null,
  body text not null,
  deployment_id text not null,
  created_at bigint not null,
  primary key (tenant, env, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);

create table logs (
  tenant text not null,
  env text not null,
  deployment_id text not null,
  length bigint not null,
  primary key (tenant, env, deployment_id)
);

create table log_chunks (
  tenant text not null,
  env text not null,
  deployment_id text not null,
  start bigint not null,
  length bigint not null,
  bytes blob not null,
  primary key (tenant, env, deployment_id, start)
);

-- Only hashes of secrets are kept. `envs` is a JSON list of slugs; null: all of the tenant's.
create table tokens (
  id text not null primary key,
  tenant text not null references tenants (tenant),
  hash text not null unique,
  role text not null,
  envs text,
  created_at bigint not null,
  expires_at bigint,
  revoked_at bigint
);

-- A webhook's secret is needed as it is: signatures are computed with it.
create table hooks (
  id text not null primary key,
  tenant text not null references tenants (tenant),
  source text not null,
  secret text not null,
  created_at bigint not null,
  revoked_at bigint
);
create index hooks_of_tenant on hooks (tenant, source);
