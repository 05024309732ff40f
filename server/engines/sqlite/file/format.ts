import type { Database } from '../database.ts'

/** Marks a SQLite file as Milepost's: "Mile". */
export const APPLICATION_ID = 0x4d696c65

/** SQL that migrates the previous format to the next one. */
interface Migration {
  /** Tables of documents, in every scope. */
  documents: string
  /** Indexes and tables for many jobs of one owner. */
  lists: string
  /** Indexes across owners, and other tables of a server. */
  everyone?: string
}

/** The first migration starts from an empty database. Never edit a released migration: append another. */
const migrations: Migration[] = [
  {
    documents: `-- Indexed columns, and columns that seldom change. seq is the order of creation.
  -- Untrusted texts are stored as JSON strings: SQL handles NUL and unpaired surrogates badly.
  CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    created_by TEXT NOT NULL,
    kind TEXT NOT NULL,
    parent_id TEXT,
    status TEXT NOT NULL,
    live INTEGER NOT NULL,
    due_at REAL,
    result TEXT,
    metadata TEXT
  ) STRICT;

  -- Changed by every event: small, so that few pages are written. job is jobs.seq; body holds header, marks and key count.
  CREATE TABLE heads (job INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;

  -- Steps, items, errors and logs, in insertion order; name is the id of a step or item.
  CREATE TABLE rows (
    job INTEGER NOT NULL,
    list INTEGER NOT NULL,
    version INTEGER NOT NULL,
    name TEXT,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX rows_by_version ON rows (job, list, version);
  CREATE UNIQUE INDEX rows_by_name ON rows (job, list, name) WHERE name IS NOT NULL;

  -- Idempotency keys in the order of their use; n counts the keys of a job.
  CREATE TABLE keys (
    job INTEGER NOT NULL,
    key TEXT NOT NULL,
    n INTEGER NOT NULL,
    at REAL NOT NULL,
    digest TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX keys_by_job ON keys (job, key);`,
    lists: `
  CREATE INDEX jobs_by_owner ON jobs (owner);
  CREATE INDEX jobs_by_status ON jobs (owner, status);
  CREATE INDEX jobs_by_kind ON jobs (owner, kind);
  CREATE INDEX jobs_by_parent_id ON jobs (parent_id) WHERE parent_id IS NOT NULL;
  CREATE INDEX jobs_live_by_owner ON jobs (owner) WHERE live = 1;
  CREATE INDEX jobs_live_by_creator ON jobs (created_by) WHERE live = 1;
  CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;`,
  },
  {
    documents: '',
    lists: 'CREATE TABLE log (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;',
  },
  {
    documents: '',
    lists: `DROP TABLE log;

  -- Removed jobs whose rows and keys are still to be deleted, slice by slice: deleting all at once would delay other requests.
  CREATE TABLE trash (job INTEGER PRIMARY KEY) STRICT;`,
  },
  {
    documents: `-- Meaning of due_at: 'end', the deadline of a live job; 'expire', its expiry; 'ended', when a job without an expiry ended.
  ALTER TABLE jobs ADD COLUMN due_list TEXT;
  UPDATE jobs SET due_list = CASE live WHEN 1 THEN 'end' ELSE 'expire' END WHERE due_at IS NOT NULL;
  UPDATE jobs SET due_list = 'ended', due_at = (
    SELECT round((julianday(json_extract(body, '$.header.endedAt')) - 2440587.5) * 86400000) FROM heads WHERE job = seq
  ) WHERE live = 0 AND due_at IS NULL;`,
    lists: `
  DROP INDEX jobs_due;
  CREATE INDEX jobs_due ON jobs (due_list, due_at, id) WHERE due_at IS NOT NULL;`,
  },
  {
    documents: '',
    lists: '',
    everyone: `CREATE INDEX jobs_all_live ON jobs (live) WHERE live = 1;
  CREATE INDEX jobs_all_by_status ON jobs (status);
  CREATE INDEX jobs_all_by_kind ON jobs (kind);`,
  },
  {
    documents: '',
    lists: '',
    everyone: `-- Short texts beside the jobs, such as sessions, each a JSON string.
  CREATE TABLE notes (key TEXT PRIMARY KEY, text TEXT NOT NULL, until REAL NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX notes_by_until ON notes (until);`,
  },
  {
    documents: '',
    lists: `-- Stored jobs and blocks (kept.ts) per creator: updated with each commit, never recounted.
  CREATE TABLE kept (creator TEXT PRIMARY KEY, jobs INTEGER NOT NULL, blocks INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO kept SELECT created_by, count(*), sum(max(1, (json_extract(body, '$.marks.bytes') + 4095) / 4096))
    FROM jobs JOIN heads ON heads.job = jobs.seq GROUP BY created_by;`,
  },
  {
    documents: '',
    lists: '',
    everyone: `-- The name of the list of all jobs in a tenant, from the id of a job in it: 'acme::' of 'acme::export-7'.
  ALTER TABLE jobs ADD COLUMN tenant TEXT AS (
    CASE WHEN instr(id, '::') > 0 THEN substr(id, 1, instr(id, '::') + 1) END
  ) VIRTUAL;
  CREATE INDEX jobs_by_tenant ON jobs (tenant) WHERE tenant IS NOT NULL;
  CREATE INDEX jobs_live_by_tenant ON jobs (tenant) WHERE tenant IS NOT NULL AND live = 1;
  CREATE INDEX jobs_tenant_by_status ON jobs (tenant, status) WHERE tenant IS NOT NULL;
  CREATE INDEX jobs_tenant_by_kind ON jobs (tenant, kind) WHERE tenant IS NOT NULL;`,
  },
]

/** Whose documents a database holds: one job, one owner's jobs, or all jobs. */
export type StoreScope = 'one' | 'owner' | 'everyone'

/** The format that this version writes. */
export const FORMAT = migrations.length

/**
 * Migrates a database of an older format, or an empty one (format 0), to the current format. The caller opens the transaction and stores
 * the format number.
 *
 * @param scope decides which indexes are created: none for one job, none across owners for one owner's jobs
 */
export function migrate(db: Pick<Database, 'exec'>, format: number, scope: StoreScope = 'everyone'): void {
  const statements = migrations.slice(format).map(({ documents, lists, everyone = '' }) => {
    if (scope === 'one') return documents
    return scope === 'owner' ? documents + lists : documents + lists + everyone
  })
  // Workers reject an empty SQL text.
  for (const sql of statements) if (sql !== '') db.exec(sql)
}
