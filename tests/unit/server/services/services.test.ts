import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { ProblemError } from '../../../../server/errors.ts'
import { noControl, setJobEvents } from '../../../../server/jobs/emitter.ts'
import { createServices } from '../../../../server/services/index.ts'
import type { Samples } from '../../../../server/services/kit/samples.ts'
import type { Work } from '../../../../server/services/kit/service.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { VirtualClock } from '../../../virtual-clock.ts'
import { finish, Recorder } from './recorder.ts'

const samples: Samples = {
  texts: [
    { path: 'book/a.txt', text: 'a '.repeat(1_500) },
    { path: 'book/b.txt', text: 'b '.repeat(35_000) },
    { path: 'book/c.txt', text: 'c' },
  ],
  present: ['book/c.txt'],
  lists: {
    left: { path: 'left.csv', text: 'name\nAda\n' },
    right: { path: 'right.csv', text: 'id,name\n1,ada\n' },
  },
}

let recorder: Recorder
let clock: VirtualClock
beforeEach(() => {
  recorder = new Recorder()
  clock = new VirtualClock()
})
afterEach(() => setJobEvents(undefined))

type Entry = [field: string, value: string | File]

function formOf(...entries: Entry[]): FormData {
  const form = new FormData()
  for (const [field, value] of entries) form.append(field, value)
  return form
}

/** A form as a server reads it. */
async function prepare(name: string, ...entries: Entry[]): Promise<Work> {
  const services = createServices({ samples, clock, random: new SeededRandom(1) })
  const form = await new Response(formOf(...entries)).formData()
  const work = await services[name]?.prepare(form)
  if (!work) throw new Error(`There is no service ${name}`)
  return work
}

async function run(work: Work): Promise<unknown> {
  return finish(work.run('job', noControl), clock)
}

async function refusalOf(name: string, ...entries: Entry[]) {
  try {
    await prepare(name, ...entries)
  } catch (error) {
    if (error instanceof ProblemError) return error.problem
    throw error
  }
  throw new Error('It was not refused')
}

const file = (name: string, text = 'x') => new File([text], name)

/** The fields of the form of a matching. */
const lists = (left: File, right: File): [string, File][] => [
  ['left', left],
  ['right', right],
]

describe('createServices', () => {
  test('createServices makes a sync of two uploaded folders, each without the folder that all its files are in', async () => {
    const work = await prepare(
      'sync',
      ['source', file('photos/a.jpg', 'A')],
      ['source', file('photos/2019/b.jpg', 'B')],
      ['target', file('backup/a.jpg', 'A')],
    )
    expect(work).toMatchObject({ kind: 'sync', title: 'photos → backup' })
    expect(await run(work)).toMatchObject({ files: 2, skipped: 1, copied: 1, extra: 0 })
    expect(recorder.statuses()).toEqual({ 'a.jpg': 'skipped', '2019/b.jpg': 'succeeded' })
  })

  test('createServices makes a sync of files that are in no folder, into an empty tree', async () => {
    const work = await prepare('sync', ['source', file('a.jpg')], ['source', file('b/c.jpg')], ['target', file('', '')])
    expect(work.title).toBe('Upload → Upload (copy)')
    expect(await run(work)).toMatchObject({ files: 2, copied: 2 })
  })

  test('createServices makes an analysis of uploaded texts', async () => {
    const work = await prepare('analysis', ['files', file('a.txt', 'one two')], ['files', file('b.txt', 'two')])
    expect(work).toMatchObject({ kind: 'analysis', title: 'Words of 2 files' })
    expect(await run(work)).toMatchObject({ words: 3, distinct: 2 })
  })

  test('createServices makes a matching of two uploaded lists', async () => {
    const work = await prepare(
      'matching',
      ['left', file('a.csv', 'name\nAda\n')],
      ['right', file('b.csv', 'name\nADA')],
    )
    expect(work).toMatchObject({ kind: 'matching', title: 'a.csv ↔ b.csv' })
    expect(await run(work)).toMatchObject({ linked: 1 })
  })

  test('createServices makes work from its samples', async () => {
    const sync = await prepare('sync', ['sample', 'true'])
    expect([sync.title, sync.metadata]).toEqual(['Books → Backup', undefined])
    expect(await run(sync)).toMatchObject({
      copied: 1,
      skipped: 1,
      failed: 1,
      failures: [{ path: 'book/b.txt', reason: '“Backup” takes no file over 13.7\u00a0kB' }],
    })
    expect(await run(await prepare('analysis', ['sample', 'true']))).toMatchObject({ words: 36_501 })
    expect(await run(await prepare('matching', ['sample', 'true']))).toMatchObject({ linked: 1 })
  })

  for (const [name, ...files] of [
    ['sync', ['source', file('a.txt', 'a'.repeat(900))], ['target', file('b.txt', 'b'.repeat(900))]],
    ['analysis', ['files', file('a.txt', 'a '.repeat(900))], ['files', file('b.txt', 'b '.repeat(90))]],
    ['matching', ['left', file('a.csv', 'name\nAda\nBob\n')], ['right', file('b.csv', 'name\nADA')]],
  ] as [string, ...Entry[]][]) {
    test(`createServices slows the ${name} down to the pace that is asked for, and notes it with the job`, async () => {
      const work = await prepare(name, ...files, ['paceSeconds', '15'])
      expect(work.metadata).toEqual({ paceSeconds: 15 })
      const start = clock.now()
      await run(work)
      // Timers have whole milliseconds.
      expect((clock.now() - start) / 1_000).toBeWithin(15, 15.2)
      expect(
        recorder.of('log').filter(({ message }) => message.endsWith(', slowed down to take 15\u00a0s')).length,
      ).toBe(1)
      const asFastAsItCan = clock.now()
      await run(await prepare(name, ...files))
      expect(clock.now()).toBe(asFastAsItCan)
    })
  }

  test('createServices slows its sample down too', async () => {
    const start = clock.now()
    await run(await prepare('analysis', ['sample', 'true'], ['paceSeconds', '600']))
    expect((clock.now() - start) / 1_000).toBeWithin(600, 605)
  })

  test('createServices refuses the sample of a server that has none', async () => {
    for (const service of Object.values(createServices())) {
      const prepared = Promise.resolve().then(() => service.prepare(formOf(['sample', 'true'])))
      await expect(prepared).rejects.toThrow('sample: is not on this server. Send files of your own.')
    }
  })

  const refusals: [name: string, service: string, entries: Entry[], field: string, detail: string][] = [
    ['no files', 'sync', [], 'source', 'needs a file'],
    ['an empty field of a page', 'analysis', [['files', file('', '')]], 'files', 'needs a file'],
    ['text for a file', 'analysis', [['files', 'a.txt']], 'files', 'must be a file'],
    [
      'an unknown field',
      'sync',
      [['sources', file('a')]],
      'sources',
      'is not a field of this form. It has: source, target, sample, paceSeconds',
    ],
    ['another word for a sample', 'sync', [['sample', 'yes']], 'sample', 'must be "true" or left out'],
    [
      'a sample and files',
      'sync',
      [
        ['sample', 'true'],
        ['source', file('a')],
      ],
      'sample',
      'goes without files: send one or the other',
    ],
    ...['0', '601', '1.5', '-1', 'fast', ''].map((pace): [string, string, Entry[], string, string] => [
      `a pace of “${pace}”`,
      'analysis',
      [
        ['sample', 'true'],
        ['paceSeconds', pace],
      ],
      'paceSeconds',
      'must be one whole number of seconds, from 1 to 600, or left out',
    ]),
    [
      'two paces',
      'analysis',
      [
        ['sample', 'true'],
        ['paceSeconds', '1'],
        ['paceSeconds', '2'],
      ],
      'paceSeconds',
      'must be one whole number of seconds, from 1 to 600, or left out',
    ],
    [
      'two files for one',
      'matching',
      [
        ['left', file('a')],
        ['left', file('b')],
      ],
      'left',
      'takes 1 file at most, and got 2',
    ],
    ['a missing list', 'matching', [['left', file('a', 'name\n')]], 'right', 'needs a file'],
    [
      'a path that leads out',
      'sync',
      [['source', file('a/../../b')]],
      'source',
      '“a/../../b” is not a path within the upload: it has a part “..”',
    ],
    [
      'a path that leads out, on Windows',
      'sync',
      [['source', file('..\\b')]],
      'source',
      '“../b” is not a path within the upload: it has a part “..”',
    ],
    [
      'an absolute path',
      'sync',
      [
        ['target', file('/etc/passwd')],
        ['source', file('a')],
      ],
      'target',
      '“/etc/passwd” is not a path within the upload: it has an empty part',
    ],
    [
      'a path twice',
      'analysis',
      [
        ['files', file('ü')],
        ['files', file('u\u0308')],
      ],
      'files',
      '“ü” is there twice',
    ],
    [
      'a path that is too long',
      'sync',
      [['source', file('ü'.repeat(257))]],
      'source',
      `“${'ü'.repeat(48)}…” is a path of more than 512 bytes`,
    ],
    ['an empty list', 'matching', lists(file('a', ''), file('b', 'name')), 'left', 'It is empty.'],
    ['a list of blank lines', 'matching', lists(file('a', '\n\n'), file('b', 'name')), 'left', 'It is empty.'],
    [
      'a list without names',
      'matching',
      lists(file('a', 'name'), file('b', 'id;Land')),
      'right',
      'There is no column “name”. Columns: id, Land',
    ],
    [
      'a list that is no CSV',
      'matching',
      lists(file('a', '"name'), file('b', 'name')),
      'left',
      'Line 1: a quoted field is never closed.',
    ],
    [
      'a list with too many columns',
      'matching',
      lists(file('a', 'name\na'), file('b', ','.repeat(100_000))),
      'right',
      'Line 1: a row has over 1,000 columns.',
    ],
    [
      'a list that is no text',
      'matching',
      [
        ['left', new File([Uint8Array.of(80, 75, 3, 0)], 'a.xlsx')],
        ['right', file('b', 'name')],
      ],
      'left',
      'It is not text: it holds a NUL.',
    ],
  ]
  for (const [name, service, entries, field, detail] of refusals) {
    test(`createServices refuses ${name}, naming the field`, async () => {
      expect(await refusalOf(service, ...entries)).toMatchObject({ status: 422, errors: [{ field, detail }] })
    })
  }

  test('createServices refuses more files than a field takes', async () => {
    const many = Array.from({ length: 5_001 }, (_, place): Entry => ['files', file(`${place}`)])
    const problem = await refusalOf('analysis', ...many)
    expect(problem.detail).toBe('files: takes 5,000 files at most, and got 5001')
  })
})
