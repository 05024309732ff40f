import { describe, expect, test } from 'bun:test'
import type { JobFacts } from '../../../../client/connection/job-facts.ts'
import { createFormat } from '../../../../client/text/format.ts'
import { english } from '../../../../client/text/language.ts'
import { describeAge, describeJob, type JobWords } from '../../../../client/text/words.ts'
import type { Job, JobHeader } from '../../../../shared/document/job.ts'
import { newHeader } from '../../../arbitraries.ts'

const format = createFormat(english, { locale: 'en-GB', timeZone: 'UTC' })
const NOW = Date.parse('2026-01-01T14:02:12.000Z')

/** Easier to read in a test than no-break spaces. */
const plain = (text: unknown) => (typeof text === 'string' ? text.replaceAll('\xa0', ' ') : text)
const withSpaces = (words: JobWords) =>
  Object.fromEntries(Object.entries(words).map(([name, text]) => [name, plain(text)]))

/** A job that has run for a while: 42 of 100 files. */
function job(fields: Partial<JobHeader> = {}): JobHeader {
  return newHeader({
    status: 'running',
    progress: { done: 42, total: 100, unit: 'files' },
    startedAt: '2026-01-01T14:00:00.000Z',
    lastEventAt: '2026-01-01T14:02:12.000Z',
    ...fields,
  })
}

/** A job that has ended after 3 min 12 s. */
function ended(status: JobHeader['status'], fields: Partial<JobHeader> = {}): JobHeader {
  return job({ status, endedAt: '2026-01-01T14:03:12.000Z', ...fields })
}

const facts = (fields: Partial<JobFacts> = {}): JobFacts => ({ job: job(), connection: 'live', now: NOW, ...fields })

/** Of a document that has them: 40 of 100 by the first, 2 by the second. */
const steps: Pick<Job, 'steps'> = {
  steps: [
    { id: 'read', index: 0, version: 2, status: 'succeeded', weight: 40 },
    { id: 'write', index: 1, version: 3, status: 'running', weight: 60, done: 1, total: 30 },
  ],
}

type Row = [state: string, facts: JobFacts, words: Partial<JobWords>]

/** The table of how a job looks and speaks, row by row. */
const table: Row[] = [
  [
    'waiting',
    facts({ job: newHeader() }),
    { chip: 'Waiting', tone: 'neutral', line: 'Waiting to start', aside: undefined, percent: undefined },
  ],
  [
    'running, total known',
    facts({ rate: 52.1, timeLeft: 120 }),
    {
      chip: 'Running',
      tone: 'running',
      line: '42 of 100 files · 52 files/s',
      aside: 'about 2 min left',
      percent: 42,
      sentence: '42 of 100 files · 52 files/s — about 2 min left',
    },
  ],
  [
    'running, total unknown',
    facts({ job: job({ progress: { done: 1_204, unit: 'files' } }), rate: 52 }),
    { chip: 'Running', tone: 'running', line: '1,204 files so far', aside: undefined, percent: undefined },
  ],
  [
    'paused',
    facts({ job: job({ status: 'paused' }), timeLeft: 120 }),
    { chip: 'Paused', tone: 'neutral', line: 'Paused at 42 %', aside: undefined },
  ],
  [
    'stalled',
    facts({ job: job({ heartbeatSeconds: 30, lastEventAt: '2026-01-01T13:59:10.000Z' }), timeLeft: 120 }),
    { chip: 'Stalled', tone: 'attention', line: 'No news for 3 min', aside: '42 %' },
  ],
  [
    'reconnecting',
    facts({ connection: 'reconnecting', lastSeen: NOW - 12_000 }),
    {
      chip: 'Running',
      tone: 'running',
      line: 'Reconnecting, last seen 12 s ago',
      aside: '42 %',
      percent: 42,
    },
  ],
  [
    'offline',
    facts({ connection: 'offline', lastSeen: NOW - 12_000 }),
    { chip: 'Running', tone: 'running', line: 'You are offline; as of 14:02', aside: '42 %' },
  ],
  [
    'completed',
    facts({ job: ended('completed', { progress: { done: 100, total: 100, unit: 'files' } }) }),
    { chip: 'Done', tone: 'done', line: '100 files in 3 min 12 s', aside: undefined, action: undefined, percent: 100 },
  ],
  [
    'completed with failures',
    facts({ job: ended('completed', { progress: { done: 100, total: 100, failed: 3, unit: 'files' } }) }),
    { chip: 'Done', tone: 'attention', line: '97 done, 3 failed', action: 'Show', percent: 100 },
  ],
  [
    'failed',
    facts({ job: ended('failed', { message: 'No space left on device' }) }),
    {
      chip: 'Failed',
      tone: 'failed',
      line: 'No space left on device',
      aside: 'at 42 %',
      sentence: 'No space left on device — at 42 %',
    },
  ],
  [
    'cancelling',
    facts({ job: job({ cancelRequested: true }), timeLeft: 120 }),
    { chip: 'Cancelling', tone: 'neutral', line: 'Asked to stop' },
  ],
  [
    'cancelled',
    facts({ job: ended('cancelled', { cancelRequested: true }) }),
    { chip: 'Cancelled', tone: 'neutral', line: 'Cancelled at 42 %' },
  ],
  [
    'not found, not yours',
    facts({ job: undefined, connection: 'not-found' }),
    { chip: undefined, line: "This job does not exist, or it isn't yours." },
  ],
  [
    'not to be shown here',
    facts({ job: undefined, connection: 'origin-refused' }),
    { chip: undefined, line: 'This site may not show this job.' },
  ],
  [
    'token expired',
    facts({ connection: 'expired' }),
    { chip: undefined, line: 'Your access has expired. Reload the page.' },
  ],
]

describe('describeJob', () => {
  test.each(table)('describeJob of a job that is %s', (_state, given, words) => {
    expect(withSpaces(describeJob(given, format))).toMatchObject(words)
  })

  test.each<Row>([
    ['not known yet', facts({ job: undefined, connection: 'connecting' }), { state: 'connecting', line: 'Connecting' }],
    [
      'not known, on a page whose job arrives in pages',
      facts({ job: undefined, connection: 'live' }),
      { state: 'connecting', line: 'Connecting' },
    ],
    [
      'out of reach from the start',
      facts({ job: undefined, connection: 'reconnecting' }),
      { state: 'unreachable', chip: undefined, tone: 'attention', line: 'The server does not answer. Trying again.' },
    ],
    [
      'not known on a device that is offline',
      facts({ job: undefined, connection: 'offline' }),
      { state: 'unreachable', line: 'You are offline' },
    ],
    ['polled', facts({ connection: 'polling' }), { state: 'running', line: '42 of 100 files' }],
    ['known and connecting again', facts({ connection: 'connecting' }), { state: 'running', line: '42 of 100 files' }],
    [
      'over, on a device that is offline',
      facts({ job: ended('cancelled'), connection: 'offline', lastSeen: NOW }),
      { line: 'Cancelled at 42 %' },
    ],
    [
      'stalled and out of reach: the loss of the line comes first, the chip stays',
      facts({
        job: job({ heartbeatSeconds: 30, lastEventAt: '2026-01-01T13:59:10.000Z' }),
        connection: 'reconnecting',
        lastSeen: NOW - 90_000,
      }),
      { chip: 'Stalled', line: 'Reconnecting, last seen 1 min ago' },
    ],
    [
      'silent for as long as it is out of reach: that is no news of it',
      facts({
        job: job({ heartbeatSeconds: 30, lastEventAt: '2026-01-01T13:59:10.000Z' }),
        connection: 'offline',
        lastSeen: Date.parse('2026-01-01T13:59:20.000Z'),
      }),
      { chip: 'Running', tone: 'running' },
    ],
    [
      'cancelling while paused',
      facts({ job: job({ status: 'paused', cancelRequested: true }) }),
      { chip: 'Cancelling', line: 'Asked to stop' },
    ],
    ['running without a rate', facts(), { line: '42 of 100 files', aside: undefined, sentence: '42 of 100 files' }],
    ['nearly done', facts({ timeLeft: 5 }), { aside: 'a few seconds left' }],
    ['to last long', facts({ timeLeft: 4_500 }), { aside: 'about 1 h 15 min left' }],
    [
      'counted by its items',
      facts({
        job: job({
          progress: { done: 0 },
          itemCounts: { pending: 5, running: 1, succeeded: 2, failed: 1, skipped: 1 },
        }),
      }),
      { line: '4 of 10', percent: 40 },
    ],
    [
      'measured in bytes',
      facts({ job: job({ progress: { done: 112e6, total: 361e6, unit: 'bytes' } }), rate: 3.2e6 }),
      { line: '112 of 361 MB · 3.2 MB/s' },
    ],
    ['paused at nothing known', facts({ job: job({ status: 'paused', progress: { done: 0 } }) }), { line: 'Paused' }],
    [
      'cancelled at nothing known',
      facts({ job: ended('cancelled', { progress: { done: 0 } }) }),
      { line: 'Cancelled' },
    ],
    [
      'failed without a word',
      facts({ job: ended('failed', { progress: { done: 0 } }) }),
      { line: 'Failed without a reason', aside: undefined },
    ],
    [
      'completed with nothing counted',
      facts({ job: ended('completed', { progress: { done: 0 } }) }),
      { line: 'Finished in 3 min 12 s' },
    ],
    [
      'completed though less was counted',
      facts({ job: ended('completed') }),
      { line: '42 of 100 files in 3 min 12 s', percent: 100 },
    ],
    [
      'completed though nothing of its total was counted',
      facts({ job: ended('completed', { progress: { done: 0, total: 5 } }) }),
      { line: 'Finished in 3 min 12 s', percent: 100 },
    ],
    [
      'completed with fewer of its items than there are',
      facts({
        job: ended('completed', {
          progress: { done: 0 },
          itemCounts: { pending: 2, running: 0, succeeded: 3, failed: 0, skipped: 0 },
        }),
      }),
      { state: 'completed', line: '3 of 5 in 3 min 12 s' },
    ],
    [
      'completed with items that failed',
      facts({
        job: ended('completed', {
          progress: { done: 0 },
          itemCounts: { pending: 0, running: 0, succeeded: 90, failed: 3, skipped: 7 },
        }),
      }),
      { state: 'completed-with-failures', line: '97 done, 3 failed' },
    ],
    [
      'completed with failures that its producer counted',
      facts({ job: ended('completed', { progress: { done: 100, succeeded: 95, failed: 3 } }) }),
      { line: '95 done, 3 failed' },
    ],
    [
      'completed with an item that failed, which its producer counted as succeeded',
      facts({
        job: ended('completed', {
          progress: { done: 5, total: 5, succeeded: 5, failed: 0 },
          itemCounts: { pending: 0, running: 0, succeeded: 4, failed: 1, skipped: 0 },
        }),
      }),
      { state: 'completed-with-failures', line: '4 done, 1 failed' },
    ],
    [
      'completed with an item that failed, which its producer did not count at all',
      facts({
        job: ended('completed', {
          progress: { done: 4, succeeded: 4 },
          itemCounts: { pending: 0, running: 0, succeeded: 4, failed: 1, skipped: 0 },
        }),
      }),
      { state: 'completed-with-failures', line: '4 done, 1 failed' },
    ],
    [
      'completed with items that failed, of which its producer counted none',
      facts({
        job: ended('completed', {
          progress: { done: 100, total: 100, failed: 0 },
          itemCounts: { pending: 0, running: 0, succeeded: 97, failed: 3, skipped: 0 },
        }),
      }),
      { state: 'completed-with-failures', line: '97 done, 3 failed', action: 'Show' },
    ],
    [
      'completed with items that failed, measured in bytes',
      facts({
        job: ended('completed', {
          progress: { done: 18_423, total: 18_423, unit: 'bytes' },
          itemCounts: { pending: 0, running: 0, succeeded: 11, failed: 1, skipped: 1 },
        }),
      }),
      { line: '12 done, 1 failed' },
    ],
    [
      'to do nothing',
      facts({ job: job({ progress: { done: 0, total: 0 } }) }),
      { line: '0 so far', percent: undefined },
    ],
    [
      'nearly through, but not',
      facts({ job: job({ progress: { done: 99.9999, total: 100 } }) }),
      { line: '99.9 of 100', percent: 99.9999 },
    ],
    [
      'paused when nearly through',
      facts({ job: job({ status: 'paused', progress: { done: 99.9999, total: 100 } }) }),
      { line: 'Paused at 99 %' },
    ],
    [
      'known by its weighted steps alone',
      facts({
        job: { ...job({ progress: { done: 0 } }), ...steps },
      }),
      { line: '42 %', percent: 42 },
    ],
    [
      'counted without a total beside its weighted steps',
      facts({ job: { ...job({ progress: { done: 7, unit: 'files' } }), ...steps } }),
      { line: '7 files so far', percent: 42 },
    ],
    [
      'completed by a clock that went back',
      facts({
        job: ended('completed', { progress: { done: 100, unit: 'files' }, endedAt: '2026-01-01T13:00:00.000Z' }),
      }),
      { line: '100 files in less than 1 s' },
    ],
  ])('describeJob of a job that is %s', (_state, given, words) => {
    expect(withSpaces(describeJob(given, format))).toMatchObject(words)
  })
})

describe('describeAge', () => {
  test.each<[string, JobHeader, number, string]>([
    ['created', newHeader({ createdAt: '2026-01-01T14:00:00.000Z' }), 0, 'created 2 min ago'],
    ['started', job({ startedAt: '2026-01-01T13:56:00.000Z' }), 0, 'started 6 min ago'],
    ['ended', ended('completed', { startedAt: '2026-01-01T14:03:09.000Z' }), 180_000, '2 min ago, took 3 s'],
    ['just ended', ended('failed', { startedAt: '2026-01-01T14:03:00.000Z' }), 60_500, 'just now, took 12 s'],
    [
      'cancelled before its start',
      newHeader({ endedAt: '2026-01-01T00:00:02.000Z', status: 'cancelled' }),
      0,
      '14 h ago, took 2 s',
    ],
  ])('describeAge of a job that has %s', (_state, header, later, words) => {
    expect(plain(describeAge(header, NOW + later, format))).toBe(words)
  })
})
