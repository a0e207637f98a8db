-- `insert or replace` removes a row without a delete's trigger: no line of the audit log is written twice.
create trigger audit_is_not_replaced before insert on audit
when exists (select 1 from audit where tenant = new.tenant and id = new.id)
begin select raise(abort, 'the audit log is append-only'); end;
