-- Users whose digests are of many hashers, each named beside it.

CREATE TABLE members (
    id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    email text NOT NULL,
    digest text NOT NULL,
    hasher text NOT NULL,
    clerk_id text UNIQUE
);
