-- Under which of the provider's rules a session was begun: the hash of issuer, client and rules; null: with a token.
alter table sessions add column rules text collate "C";
