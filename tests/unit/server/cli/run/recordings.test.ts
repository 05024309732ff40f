import { describe, expect, test } from 'bun:test'
import { Glob } from 'bun'
import type { CommandLine, ProgressReading } from '../../../../../server/cli/run/output/reading.ts'
import { ProgressReader, tools } from '../../../../../server/cli/run/output/tools.ts'

const folder = `${import.meta.dir}/recordings/`
const text = (name: string) => Bun.file(`${folder}${name}.txt`).text()

/** What a recording says, fed in pieces of so many characters. */
async function understand(name: string, command: CommandLine, size: number) {
  const output = await text(name)
  const reader = new ProgressReader(command)
  const readings: ProgressReading[] = []
  const log: string[] = []
  const take = (understood: ReturnType<ProgressReader['feed']>) => {
    readings.push(...understood.readings)
    log.push(...understood.log)
  }
  for (let at = 0; at < output.length; at += size) take(reader.feed(output.slice(at, at + size)))
  take(reader.end())
  return { readings: readings.filter((reading) => Object.keys(reading).length > 0), log }
}

const MB3 = 3_000_000

/**
 * Recorded from the programs of Debian 12 (npm: 11.19), except for those of docker, which are written by its documented format.
 * What each says in the middle and at the end, and how many lines it leaves for the log.
 */
const recordings: Record<string, { command?: string; middle: ProgressReading; last: ProgressReading; log: number }> = {
  curl: {
    middle: { done: 1399808, total: 2999296, unit: 'bytes' },
    last: { done: 2999296, total: 2999296, unit: 'bytes' },
    log: 0,
  },
  'curl-no-length': { middle: { done: 1499136, unit: 'bytes' }, last: { done: 1799168, unit: 'bytes' }, log: 0 },
  'curl-bar': { middle: { done: 50, total: 100, unit: '%' }, last: { done: 100, total: 100, unit: '%' }, log: 0 },
  wget: {
    middle: { done: 1410000, total: MB3, unit: 'bytes', message: 'y2.bin' },
    last: { done: MB3, total: MB3, unit: 'bytes', message: 'y2.bin' },
    log: 5,
  },
  'wget-terminal': {
    middle: { done: 1604321, total: MB3, unit: 'bytes', message: 'y.bin' },
    last: { done: MB3, total: MB3, unit: 'bytes', message: 'y.bin' },
    log: 5,
  },
  'wget-no-length': {
    middle: { done: 908196, unit: 'bytes', message: 'y3.bin' },
    last: { done: 1800000, total: 1800000, unit: 'bytes', message: 'y3.bin' },
    log: 5,
  },
  'rsync-progress2': {
    middle: { done: 50, total: 100, unit: '%', message: '4,500,000 bytes' },
    last: { done: 100, total: 100, unit: '%', message: '9,000,000 bytes' },
    log: 0,
  },
  'rsync-progress': {
    command: 'rsync -a --progress a b',
    middle: { done: 4, total: 7, unit: 'files', message: 'f4.bin' },
    last: { done: 7, total: 7, unit: 'files', message: 'f6.bin' },
    log: 9,
  },
  ffmpeg: {
    middle: { done: 26.72, total: 60, unit: 'seconds' },
    last: { done: 59.88, total: 60, unit: 'seconds' },
    log: 14,
  },
  'ffmpeg-progress': {
    middle: { done: 4.200078, total: 60, unit: 'seconds' },
    last: { done: 59.880078, total: 60, unit: 'seconds' },
    log: 12,
  },
  tqdm: {
    middle: { step: { id: 'Epoch 1', done: 4, total: 8 } },
    last: { done: 5e6, total: 5e6, unit: 'bytes', message: 'Fetch' },
    log: 0,
  },
  'pv-numeric': {
    command: 'sh -c pv -n z | gzip',
    middle: { done: 76, total: 100, unit: '%' },
    last: { done: 100, total: 100, unit: '%' },
    log: 0,
  },
  pv: {
    middle: { done: 76, total: 100, unit: '%', message: '2.93MiB' },
    last: { done: 100, total: 100, unit: '%', message: '3.81MiB' },
    log: 0,
  },
  dd: {
    command: 'dd if=/dev/zero of=/dev/null bs=1M count=30000 status=progress',
    middle: { done: 12293505024, total: 31457280000, unit: 'bytes' },
    last: { done: 31457280000, total: 31457280000, unit: 'bytes' },
    log: 2,
  },
  ninja: {
    middle: { done: 5, total: 9, unit: 'steps', message: 'Making o5' },
    last: { error: 'FAILED: bad' },
    log: 14,
  },
  'ninja-terminal': {
    middle: { done: 2, total: 5, unit: 'steps', message: 'Making o3' },
    last: { done: 5, total: 5, unit: 'steps', message: 'Making o5' },
    log: 1,
  },
  cmake: {
    middle: { done: 80, total: 100, unit: '%', message: 'Building C object CMakeFiles/app.dir/main.c.o' },
    last: { done: 100, total: 100, unit: '%', message: 'Built target app' },
    log: 7,
  },
  'docker-pull': {
    middle: { done: 1, total: 4, unit: 'layers', message: 'library/redis' },
    last: { done: 4, total: 4, unit: 'layers', message: 'library/redis' },
    log: 4,
  },
  'docker-pull-terminal': {
    middle: { done: 1, total: 2, unit: 'layers', message: 'library/redis' },
    last: { done: 2, total: 2, unit: 'layers', message: 'library/redis' },
    log: 3,
  },
  'npm-http': {
    middle: { done: 3, unit: 'packages' },
    last: { done: 4, total: 4, unit: 'packages', message: 'added 4 packages in 5s' },
    log: 9,
  },
  'npm-terminal': {
    middle: { done: 4, total: 4, unit: 'packages', message: 'added 4 packages in 5s' },
    last: { done: 4, total: 4, unit: 'packages', message: 'added 4 packages in 5s' },
    log: 1,
  },
  ...Object.fromEntries(
    [
      ['pytest', 25],
      ['pytest-terminal', 24],
      ['pytest-verbose', 60],
      ['pytest-quiet', 20],
    ].map(([name, log]) => [
      name,
      {
        middle: { error: 'pt/test_a.py::test_n[7] - assert 7 != 7' },
        last: {
          done: 36,
          total: 36,
          unit: 'tests',
          failed: 2,
          succeeded: 34,
          message: '2 failed, 33 passed, 1 skipped',
        },
        log: Number(log),
      },
    ]),
  ),
}

describe('ProgressReader', () => {
  test('ProgressReader has an expectation for each recording', () => {
    const recorded = [...new Glob('*.txt').scanSync(folder)].map((file) => file.slice(0, -'.txt'.length))
    expect(recorded.sort()).toEqual(Object.keys(recordings).sort())
  })

  test.each(Object.entries(recordings))(
    'ProgressReader understands %s',
    async (name, { command = name, middle, last, log }) => {
      const whole = await understand(name, command.split(' '), Number.POSITIVE_INFINITY)
      expect(whole.readings).toContainEqual(middle)
      expect(whole.readings.at(-1)).toEqual(last)
      expect(whole.log).toHaveLength(log)
    },
  )

  test.each(Object.entries(recordings))(
    'ProgressReader reads %s alike in any pieces',
    async (name, { command = name }) => {
      const whole = await understand(name, command.split(' '), Number.POSITIVE_INFINITY)
      for (const size of [1, 7, 64]) expect(await understand(name, command.split(' '), size)).toEqual(whole)
    },
  )

  test('ProgressReader takes no number of ordinary lines for progress', () => {
    const reader = new ProgressReader(['sh', '-c', 'backup.sh'])
    const lines = [
      'Disk 93% full',
      '2026/11/29 12:00',
      'step 3/4 of the guide',
      '45',
      'downloaded 3/7',
      '[info] 5%',
      '',
    ]
    const { readings, log } = reader.feed(lines.join('\n'))
    expect(readings).toEqual([])
    expect(log).toEqual(lines.slice(0, -1))
  })

  test('ProgressReader reads a percentage or n/m of a line that is drawn over itself', () => {
    const reader = new ProgressReader(['x'])
    const read = (output: string) => reader.feed(output).readings
    expect(read('\r[####    ] 50% (5/10) copying')).toEqual([])
    expect(reader.rest()).toEqual([{ done: 5, total: 10, message: '50% (5/10) copying' }])
    expect(read('\r 1/4 of 90%\r\u001b[K')).toEqual([
      { done: 5, total: 10, message: '50% (5/10) copying' },
      { done: 90, total: 100, unit: '%', message: '1/4 of 90%' },
    ])
    expect(read('300%\r7/3\r\u001b[K')).toEqual([])
  })

  test('ProgressReader keeps the lines of two sources apart', () => {
    const reader = new ProgressReader(['ffmpeg'])
    reader.feed('  Duration: 00:01:00', 2)
    reader.feed('out_time=00:00:3', 1)
    reader.feed('.00, start: 0\n', 2)
    expect(reader.feed('0.000\nprogress=continue\n', 1).readings[0]).toEqual({ done: 30, total: 60, unit: 'seconds' })
  })

  test('the documents have each tool', async () => {
    const docs = await Bun.file('server/docs/shell.md').text()
    for (const { name, understands } of tools) expect(docs).toContain(`| ${name} | ${understands} |`)
  })
})
