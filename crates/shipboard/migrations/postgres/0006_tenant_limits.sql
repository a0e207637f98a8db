-- A tenant's own limits; null: the server's.
alter table tenants add column keep_deployments_ms bigint;
alter table tenants add column max_streams bigint;
