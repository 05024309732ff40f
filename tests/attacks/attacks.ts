/** An attack that a test makes. */
export interface Attack {
  /** What the attacker does, in a sentence: the name of its test. */
  attack: string
  /** What the attacker gets and what others notice, as the test finds it. */
  gets: string
  others: string
  /** Where its test is, below `tests/`. */
  file: string
  /** How the name of its test begins, if it differs from the attack. */
  test?: string
}

const nothing = 'nothing'
/** The finding of a test that follows another's job during the attack. */
const arrives = 'nothing: each of 20 events arrives meanwhile, in order'

/** The attacks of the suite, by subject. Tests in `attacks/` return what they found, which must equal the text here. */
export const attacks: Readonly<Record<string, readonly Attack[]>> = {
  'Who someone is': [
    {
      attack:
        'Forged tokens: unsigned, signed with another secret, RS256 with an HS256 signature, modified, truncated, expired, not yet valid, without `exp` or with one too far away, of other types; on 22 calls and in URLs',
      gets: '401, 345 of 345 times',
      others: arrives,
      file: 'attacks/tokens.test.ts',
    },
    {
      attack:
        'Watch and publish tokens of the attacker’s own jobs, of an earlier epoch of the job, and for actions that they do not allow',
      gets: '401 or 404, 42 of 42 times',
      others: arrives,
      file: 'attacks/tokens.test.ts',
    },
    {
      attack: 'A form of another site that signs out, or creates a job, with the cookie of a browser that is signed in',
      gets: '403, 6 of 6 times',
      others: 'nothing: they are signed in as before',
      file: 'attacks/front.test.ts',
    },
    {
      attack: 'A page of another site that opens a WebSocket, with the cookie of a browser that is signed in',
      gets: 'no connection',
      others: nothing,
      file: 'conformance/runtime/report.ts',
      test: 'GET /api/report with a cookie is for our own pages',
    },
    {
      attack: 'A cookie that was copied before its owner signed out',
      gets: '401, and its streams end',
      others: nothing,
      file: 'conformance/runtime/sessions.ts',
      test: 'a session that is signed out is over',
    },
    {
      attack: 'Sessions of others: listed, ended',
      gets: '403, 404',
      others: nothing,
      file: 'conformance/runtime/sessions.ts',
      test: 'GET /api/sessions shows an administrator those of anyone',
    },
  ],
  Rights: [
    {
      attack:
        'Another’s job by every call, with an access token: read, followed, reported on, controlled, shared, removed',
      gets: '404, 18 of 18 times, byte for byte that of a job that is not there',
      others: arrives,
      file: 'attacks/jobs.test.ts',
    },
    {
      attack: 'A job’s creation is repeated while it is deleted and another principal creates one with the same id',
      gets: '409 or its own job; 0 of 100 answers show the other’s',
      others: arrives,
      file: 'attacks/jobs.test.ts',
    },
    {
      attack:
        'A producer reports on an id while it is deleted and another principal creates it again, naming its own epoch of the job',
      gets: '404 once it is gone; 0 of 100 events are in the other’s job',
      others: arrives,
      file: 'attacks/jobs.test.ts',
    },
    {
      attack: 'Jobs for others, without jobs:assign',
      gets: '403',
      others: 'nothing: their list is empty',
      file: 'attacks/jobs.test.ts',
    },
    {
      attack: 'The cursor of another’s list',
      gets: '422',
      others: nothing,
      file: 'unit/server/jobs/paging/list-cursors.test.ts',
      test: 'ListCursors opens what it sealed, for the same principal and owner alone',
    },
  ],
  Tenants: [
    {
      attack:
        'A job of another tenant by every call, by its plain and its qualified id: by users and administrators of the attacker’s tenant, and by users of none, with the same names',
      gets: '404, 360 of 360 times, byte for byte that of a job that is not there',
      others: arrives,
      file: 'attacks/tenants.test.ts',
    },
    {
      attack:
        'Lists and streams of all jobs, of owners and of parents, with the names of another tenant, by an administrator; removals of what has ended',
      gets: 'its own jobs alone, in 11 lists and 11 streams',
      others: arrives,
      file: 'attacks/tenants.test.ts',
    },
    {
      attack:
        'Tokens of one tenant in another, where a job has the same id: with another tenant, without one, with an invalid one; names in the form of qualified ones; a sign-in link for a user there',
      gets: '401 or 404, 156 of 156 times; 403 for a link',
      others: arrives,
      file: 'attacks/tenants.test.ts',
    },
    {
      attack: 'Sessions of another tenant: listed, ended, and a cookie with another tenant',
      gets: '401 or 404, 6 of 6 times',
      others: arrives,
      file: 'attacks/tenants.test.ts',
    },
  ],
  'What is sent': [
    {
      attack: 'Scripts, line breaks, terminal escapes and bidirectional characters in every text field',
      gets: 'the text as it was sent, as JSON that no browser takes for a page; 0 of 5 pages and 0 headers have any of it',
      others: 'messages of a stream, one for each event: no text makes another',
      file: 'attacks/text.test.ts',
    },
    {
      attack:
        'Requests of every kind for every call, generated from the description of the API, most of them almost valid: 4,000 in the suite, any number with `npm run test:fuzz`',
      gets: 'the answer to a valid request, or a problem that names the field; no 5xx',
      others: 'nothing: every job is what was acknowledged of it, and what is theirs is in no answer',
      file: 'fuzz/fuzz.test.ts',
      test: 'fuzz: whatever is asked',
    },
    {
      attack: 'Almost valid HTTP: two lengths, bad chunks, pipelined requests, truncated anywhere',
      gets: 'an answer of 4xx, or an end of the connection',
      others: 'nothing: no stream, channel or descriptor is left, and the log has no secret and no control character',
      file: 'fuzz/raw.test.ts',
      test: 'fuzz: whatever bytes',
    },
    {
      attack:
        'Secrets in every place of requests that are refused: tokens, cookies and codes as paths, queries, headers, bodies',
      gets: '401, 403 or 422; 0 of 7 secrets are in the store or the server log',
      others: nothing,
      file: 'attacks/audit.test.ts',
    },
    {
      attack: 'A database file with a changed value',
      gets: 'a problem for what is damaged, 404, 500 or 503; or the server refuses the file',
      others: 'nothing: what is theirs is in no answer',
      file: 'fuzz/stored.test.ts',
      test: 'fuzz: whatever is wrong in a file',
    },
  ],
  'Too much': [
    {
      attack: 'A guest with a publish token declares a body of 10²³ bytes',
      gets: '413',
      others: 'nothing: whoever gave the token publishes as before',
      file: 'unit/server/http/request/rates.test.ts',
      test: 'POST /api/jobs/:id/events counts no more bytes',
    },
    {
      attack: '2,000 requests at once without a token, or with a forged one',
      gets: '401 for the first, then 429',
      others: arrives,
      file: 'attacks/floods.test.ts',
    },
    {
      attack: '300 connections with an incomplete request',
      gets: 'no answer',
      others: arrives,
      file: 'attacks/floods.test.ts',
    },
    {
      attack: '5,000 requests that are refused, to fill the audit',
      gets: '403, 5000 of 5000 times; 10 records, and 10 lines in the log',
      others: arrives,
      file: 'attacks/audit.test.ts',
    },
    {
      attack: 'Incomplete headers of a request, behind the nginx configuration that is shipped',
      gets: 'the connection is closed',
      others: nothing,
      file: 'deploy/nginx.test.ts',
      test: 'nginx cuts off who sends half',
    },
    {
      attack: 'Connections that take all file descriptors of the process',
      gets: 'connections without an answer',
      others: 'new connections wait; streams go on',
      file: 'faults/descriptors.test.ts',
      test: 'a server on bun that is out of descriptors',
    },
    {
      attack: '100 streams that are opened and not read, of a job with events of 8 KiB',
      gets: 'what there is when it reads',
      others: arrives,
      file: 'attacks/floods.test.ts',
    },
    {
      attack: 'Streams of 100 large jobs that are opened and dropped, two at a time without a pause',
      gets: 'what fits in its turns',
      others: arrives,
      file: 'attacks/floods.test.ts',
    },
    {
      attack: 'More streams than a principal may have',
      gets: '429, with Retry-After',
      others: arrives,
      file: 'attacks/floods.test.ts',
    },
    {
      attack: 'An upload that declares, or has, more bytes than the limit',
      gets: '413, 2 of 2 times',
      others: arrives,
      file: 'attacks/floods.test.ts',
    },
    {
      attack: '12 concurrent uploads in chunks that do not end',
      gets: '429, 8 of 8 times; 4 are read on',
      others: arrives,
      file: 'attacks/floods.test.ts',
    },
    {
      attack: 'More concurrent services than a principal may have',
      gets: '429; the upload is not read',
      others: nothing,
      file: 'unit/server/app.test.ts',
      test: 'POST /api/services/:name starts four at once',
    },
  ],
  'Around the server': [
    {
      attack: 'A forged Host, X-Forwarded-Host or Forwarded, where a link with a token is made',
      gets: 'a link without a host, 3 of 3 times',
      others: arrives,
      file: 'attacks/front.test.ts',
    },
    {
      attack: 'Folders are replaced by links while `milepost sync` copies in',
      gets: 'nothing from outside',
      others: 'what was left out is named, and the exit code is 1',
      file: 'faults/sync-swapped.test.ts',
      test: 'sync brings in nothing from outside',
    },
    {
      attack: 'Folders of the target are replaced by links while `milepost sync` writes',
      gets: 'nothing outside',
      others: 'what was left out is named, and the exit code is 1',
      file: 'faults/sync-swapped.test.ts',
      test: 'sync writes nothing outside',
    },
    {
      attack: 'A webhook to a private address: in its URL, in any notation',
      gets: '422 that names the URL',
      others: nothing,
      file: 'conformance/runtime/webhooks.ts',
      test: 'a notify is refused that is not of 1 to 5 URLs to which the server may send',
    },
    {
      attack: 'A webhook to a name that leads to a private address, at first or later',
      gets: 'no connection',
      others: nothing,
      file: 'unit/server/webhooks/webhooks.test.ts',
      test: 'a name that leads to a private address is told nothing',
    },
    {
      attack: 'A receiver of webhooks that redirects to another address',
      gets: 'no request there; the attempt has failed',
      others: nothing,
      file: 'unit/server/entries/pinned-transport.test.ts',
      test: 'post follows no redirect',
    },
    {
      attack: 'A receiver of webhooks that answers byte by byte, or never',
      gets: 'an end of the connection after 15 s',
      others: 'nothing: other hosts do not wait for it',
      file: 'unit/server/webhooks/webhooks.test.ts',
      test: 'a hundred jobs that end at once are all told, four at once to one host, and another host does not wait for a slow one',
    },
    {
      attack: 'A receiver of webhooks that sends a response without end',
      gets: '16 KiB are read',
      others: nothing,
      file: 'unit/server/entries/pinned-transport.test.ts',
      test: 'post reads no more than 16 KiB of a response, and closes the connection',
    },
    {
      attack: 'Undelivered webhooks of another tenant, or without jobs:admin: listed, sent again',
      gets: '403, 404, an empty list',
      others: nothing,
      file: 'conformance/runtime/webhooks.ts',
      test: 'a receiver that answers 410 gets no more; administrators of its tenant see that, and send again',
    },
  ],
}
