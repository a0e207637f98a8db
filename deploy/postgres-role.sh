#!/bin/bash
# Run once by the image, when the database is made: the role and the database that Shipboard uses.
psql --set ON_ERROR_STOP=1 --set password="$POSTGRES_PASSWORD" --username postgres <<'SQL'
create role shipboard login password :'password';
create database shipboard owner shipboard;
SQL
