#!/bin/sh
# Runs once, while the volume is still empty. The tables belong to refnet_owner, which only migrate knows; refnet_app, as which
# web and worker connect, may read and write rows and owns nothing, so that row-level security binds it.
set -eu
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\getenv owner_password REFNET_OWNER_PASSWORD
\getenv app_password REFNET_APP_PASSWORD
\getenv database POSTGRES_DB
BEGIN;
CREATE ROLE refnet_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE refnet_app LOGIN PASSWORD :'app_password';
ALTER DATABASE :"database" OWNER TO refnet_owner;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO refnet_app;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO refnet_app;
ALTER DEFAULT PRIVILEGES FOR ROLE refnet_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO refnet_app;
ALTER DEFAULT PRIVILEGES FOR ROLE refnet_owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO refnet_app;
COMMIT;
SQL
