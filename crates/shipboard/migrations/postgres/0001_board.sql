-- The shared dialect of both engines: text, bigint, boolean, blob; times as unix milliseconds; JSON as text.
-- Every table begins with its tenant: no query goes without it.

create table tenants (
  tenant text collate "C" not null primary key,
  name text collate "C" not null,
  created_at bigint not null
);

-- One row an env: its lock, its head and its counts. `clock` is the last receipt, which never goes back.
create table envs (
  tenant text collate "C" not null references tenants (tenant),
  env text collate "C" not null,
  name text collate "C" not null,
  tier text collate "C" not null,
  position bigint not null,
  epoch text collate "C" not null,
  head bigint not null,
  clock bigint not null,
  counts text collate "C" not null,
  primary key (tenant, env)
);

-- `row` is what everybody sees and `state` what is kept beside it, as JSON; the other columns repeat
-- what queries look for. `placed_at` is the deployment's place in its workflow's chain.
create table deployments (
  tenant text collate "C" not null,
  env text collate "C" not null,
  id text collate "C" not null,
  workflow text collate "C" not null,
  source text collate "C" not null,
  external_id text collate "C" not null,
  status text collate "C" not null,
  version text collate "C",
  actor text collate "C",
  sha text collate "C",
  haystack text collate "C" not null,
  created_at bigint not null,
  success_at bigint,
  duration_ms bigint,
  placed_at bigint not null,
  removed boolean not null,
  last_heard_at bigint not null,
  row text collate "C" not null,
  state text collate "C" not null,
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
  tenant text collate "C" not null,
  env text collate "C" not null,
  source text collate "C" not null,
  external_id text collate "C" not null,
  deployment_id text collate "C" not null,
  deleted_at bigint not null,
  primary key (tenant, env, source, external_id)
);
create index tombstones_id on tombstones (tenant, env, deployment_id);

create table reports (
  tenant text collate "C" not null,
  env text collate "C" not null,
  deployment_id text collate "C" not null,
  arrival bigint not null,
  attempt bigint not null,
  digest text collate "C" not null,
  dated boolean not null,
  first_entry bigint not null,
  report text collate "C" not null,
  primary key (tenant, env, deployment_id, arrival)
);
create index reports_digest on reports (tenant, env, deployment_id, digest) where dated;

create table workflows (
  tenant text collate "C" not null,
  env text collate "C" not null,
  id text collate "C" not null,
  latest_at bigint not null,
  row text collate "C" not null,
  primary key (tenant, env, id)
);
create index workflows_latest on workflows (tenant, env, latest_at desc, id);

-- The log. `last_id` is the last event of the same transaction: state exists there only.
create table events (
  tenant text collate "C" not null,
  env text collate "C" not null,
  event_id bigint not null,
  last_id bigint not null,
  ts bigint not null,
  change text collate "C" not null,
  primary key (tenant, env, event_id)
);

create table idempotency_keys (
  tenant text collate "C" not null,
  env text collate "C" not null,
  key text collate "C" not null,
  body text collate "C" not null,
  deployment_id text collate "C" not null,
  created_at bigint not null,
  primary key (tenant, env, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);

create table logs (
  tenant text collate "C" not null,
  env text collate "C" not null,
  deployment_id text collate "C" not null,
  length bigint not null,
  primary key (tenant, env, deployment_id)
);

create table log_chunks (
  tenant text collate "C" not null,
  env text collate "C" not null,
  deployment_id text collate "C" not null,
  start bigint not null,
  length bigint not null,
  bytes bytea not null,
  primary key (tenant, env, deployment_id, start)
);

-- Only hashes of secrets are kept. `envs` is a JSON list of slugs; null: all of the tenant's.
create table tokens (
  id text collate "C" not null primary key,
  tenant text collate "C" not null references tenants (tenant),
  hash text collate "C" not null unique,
  role text collate "C" not null,
  envs text collate "C",
  created_at bigint not null,
  expires_at bigint,
  revoked_at bigint
);

-- A webhook's secret is needed as it is: signatures are computed with it.
create table hooks (
  id text collate "C" not null primary key,
  tenant text collate "C" not null references tenants (tenant),
  source text collate "C" not null,
  secret text collate "C" not null,
  created_at bigint not null,
  revoked_at bigint
);
create index hooks_of_tenant on hooks (tenant, source);
