-- A second wall between tenants. Each transaction says whose rows it is about (`shipboard.tenant`), and is shown
-- no others and writes no others, whatever its queries ask for. Whoever says nothing is shown nothing. Two words
-- that no tenant can be called: `*` is everybody, what an instance asks for itself; `@` is people, who may be of
-- several tenants.
--
-- Forced, because instances connect as the owner of the tables. A role that is a superuser or has BYPASSRLS walks
-- through all the same.
--
-- The settings are read in subqueries, once a statement. `case` keeps the planner's estimates of rows within a
-- factor of two: of two comparisons with a value it does not know it would believe that next to nothing is left,
-- and choose worse indexes. A setting that was taken back is empty, as the tenant is of the server's own lines in
-- the audit log: `nullif` keeps those from whoever says nothing.
--
-- A table with a tenant that is made after this needs the same three statements; a test fails without them.
do $$
declare
  walled regclass;
begin
  for walled in
    select pg_class.oid from pg_class join pg_attribute on attrelid = pg_class.oid
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')
      and attname = 'tenant' and not attisdropped
    order by pg_class.oid
  loop
    execute format('alter table %s enable row level security', walled);
    execute format('alter table %s force row level security', walled);
    execute format(
      'create policy tenants on %s using (
         case when tenant = (select nullif(current_setting(''shipboard.tenant'', true), '''')) then true
         else (select current_setting(''shipboard.tenant'', true)) = ''*'' end)',
      walled
    );
  end loop;
end
$$;

-- Sessions are people's. What begins and ends them writes whoever's audit log it belongs into, and reads none.
alter table sessions enable row level security;
alter table sessions force row level security;
create policy people on sessions using ((select current_setting('shipboard.tenant', true)) in ('@', '*'));
create policy people on audit for insert with check ((select current_setting('shipboard.tenant', true)) = '@');
