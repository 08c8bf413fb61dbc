-- The session index: a projection of the sessions' own logs, never the truth. What a turn writes here is two rows:
-- the session's row and its entry in the one secondary index. Add no index without counting that again.

create table sessions (
  tenant text not null,
  id text not null,
  -- The session's head when the row was written. Only a higher one may change the row.
  version integer not null,
  -- Rowid of the session's row in session_search, if it has one. Random once, then kept.
  search_id integer not null,
  -- All below is null in a tombstone, except buried_at, which is null in everything else.
  title text,
  status text,
  agent text,
  model text,
  tags text, -- JSON array of strings
  archived integer,
  parent_id text,
  parent_seq integer,
  created_at integer,
  updated_at integer,
  head integer,
  turns integer,
  last_message text,
  buried_at integer,
  primary key (tenant, id)
) strict, without rowid;

-- Partial, so that no page ever scans a tombstone; archived ones apart, so that no page scans past those it does not show.
create index sessions_by_update on sessions (tenant, archived, updated_at desc, id desc) where buried_at is null;

-- `terms` are ready-made tokens, each with its tenant in front (see search-terms.ts), so the tokenizer has only to split
-- at spaces. No positions and no sizes are kept: nothing asks for phrases or ranks. Its own copy of `terms` is kept, so
-- that an unchanged session is recognised without a write and one session can be tested without a query.
create virtual table session_search using fts5(
  terms,
  session_id unindexed,
  detail = none,
  columnsize = 0,
  tokenize = "ascii tokenchars '-/#^_'"
);

-- An erased session's words leave the full-text index at once, not when its segments are merged some day.
insert into session_search (session_search, rank) values ('secure-delete', 1);

-- API keys, without their secrets: a key proves itself by its signature. Here is who made which, and what was revoked.
create table keys (
  id text not null primary key,
  tenant text not null,
  name text not null,
  scope text not null,
  created_at integer not null,
  revoked_at integer
) strict, without rowid;

create index keys_by_creation on keys (tenant, created_at desc, id desc);
