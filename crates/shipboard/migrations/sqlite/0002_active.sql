-- Under way or not, in a column of its own: it changes once in a life, where status and signs of life change
-- all the time and would move the index each time.
alter table deployments add column active boolean not null default false;
update deployments set active = true where status in ('queued', 'waiting', 'running');
drop index deployments_active;
create index deployments_active on deployments (tenant, env) where active;
