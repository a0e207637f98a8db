-- What was delivered already: a delivery is known by its id at its source, and by the hash of its bytes, since
-- the header that brings the id is not signed. Kept for some days.
create table deliveries (
  tenant text not null,
  source text not null,
  key text not null,
  received_at bigint not null,
  primary key (tenant, source, key)
);
create index deliveries_age on deliveries (received_at);
