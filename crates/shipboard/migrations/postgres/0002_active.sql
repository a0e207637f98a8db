-- Under way or not, in a column of its own: it changes once in a life, where status and signs of life change
-- all the time and would move the index each time.
alter table deployments add column active boolean not null default false;
update deployments set active = true where status in ('queued', 'waiting', 'running');
drop index deployments_active;
create index deployments_active on deployments (tenant, env) where active;

-- Room beside each row for its next version: an update that changes no indexed column then touches no index
-- (HOT), and the page is tidied by whoever reads it next. The head's row changes with every transaction.
alter table envs set (fillfactor = 40);
alter table workflows set (fillfactor = 70);
alter table deployments set (fillfactor = 70);
-- A row of some 2 KB is not worth compressing at each of its changes.
alter table deployments set (toast_tuple_target = 4096);
