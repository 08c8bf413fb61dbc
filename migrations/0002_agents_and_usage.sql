-- Agents that tenants define, and what their sessions used.

-- One row for each name that was ever used; `version` is its newest. A deleted name keeps its row, so that an agent made
-- under it again goes on counting: a version never means two definitions.
create table agents (
  tenant text not null,
  name text not null,
  version integer not null,
  created_at integer not null,
  updated_at integer not null,
  deleted_at integer,
  primary key (tenant, name)
) strict, without rowid;

create index agents_by_name on agents (tenant, name) where deleted_at is null;

-- Written once and kept for good: a turn that began with a version ends with it.
create table agent_versions (
  tenant text not null,
  name text not null,
  version integer not null,
  definition text not null, -- JSON, `***` where a secret stands
  secrets text, -- all of them, sealed (see secret-box.ts); null: it has none
  created_at integer not null,
  -- Of the POST that made it, where it came with an Idempotency-Key: the key, and a keyed hash of the body.
  command_key text,
  command_hash text,
  primary key (tenant, name, version)
) strict, without rowid;

create unique index agent_versions_by_command on agent_versions (tenant, command_key) where command_key is not null;

-- What the session has used in all, as of its `version`: what a write adds to `usage_days` is the difference. Null counts
-- as 0. Its turns are in `turns`.
alter table sessions add column input_tokens integer;
alter table sessions add column output_tokens integer;
alter table sessions add column cached_tokens integer;
alter table sessions add column reasoning_tokens integer;
alter table sessions add column active_ms integer;
alter table sessions add column rows_read integer;
alter table sessions add column rows_written integer;

-- What a tenant used on a day (of UTC, since the epoch). Sessions that were erased have their part in it still.
create table usage_days (
  tenant text not null,
  day integer not null,
  turns integer not null default 0,
  input_tokens integer not null default 0,
  output_tokens integer not null default 0,
  cached_tokens integer not null default 0,
  reasoning_tokens integer not null default 0,
  active_ms integer not null default 0,
  rows_read integer not null default 0,
  rows_written integer not null default 0,
  primary key (tenant, day)
) strict, without rowid;

-- The turns of sessions that are older than this table; nothing else of them was kept.
insert into usage_days (tenant, day, turns)
  select tenant, updated_at / 86400000, sum(turns) from sessions where buried_at is null and turns > 0 group by 1, 2;
