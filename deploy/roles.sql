-- The two roles and the database, on a PostgreSQL of your own; for psql, as an administrator:
--   BURSAR_OWNER_PASSWORD=… BURSAR_SERVICE_PASSWORD=… psql -v ON_ERROR_STOP=1 -f deploy/roles.sql
\getenv owner_password BURSAR_OWNER_PASSWORD
\getenv service_password BURSAR_SERVICE_PASSWORD

-- owns the tables: migrates, backs up, restores
create role bursar_owner login password :'owner_password';
-- what the API and the workers are: can change no entry that is written
create role bursar_service login password :'service_password';

create database bursar owner bursar_owner encoding 'UTF8' template template0;
revoke all on database bursar from public;
grant connect on database bursar to bursar_service;
