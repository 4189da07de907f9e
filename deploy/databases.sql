-- The three databases of one PostgreSQL server; Prefect's needs the extension pg_trgm, which its first start creates.
CREATE DATABASE prefect;
CREATE DATABASE mlflow;
CREATE DATABASE usage;
