import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ProgressReading } from '../../server/cli/run/output/reading.ts'
import { ProgressReader } from '../../server/cli/run/output/tools.ts'

const BYTES = 600_000

let folder: string
/** Does not say the length. */
const server = Bun.serve({
  port: 0,
  fetch: () =>
    new Response(
      new ReadableStream({
        async pull(controller) {
          controller.enqueue(new Uint8Array(BYTES))
          controller.close()
        },
      }),
    ),
})
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'milepost-tools-'))
  await Bun.write(join(folder, 'data'), new Uint8Array(BYTES))
  await Bun.write(join(folder, 'from/a'), new Uint8Array(BYTES))
  await Bun.write(join(folder, 'bars.py'), "from tqdm import tqdm\nfor n in tqdm(range(20), unit='row'): pass\n")
  await Bun.write(join(folder, 'test_it.py'), 'def test_a(): pass\ndef test_b(): assert False\n')
  await Bun.write(join(folder, 'build.ninja'), 'rule r\n  command = touch $out\nbuild a: r\nbuild b: r\n')
  await Bun.write(join(folder, 'package.json'), '{"name":"app","version":"1.0.0","dependencies":{"one":"file:one"}}')
  await Bun.write(join(folder, 'one/package.json'), '{"name":"one","version":"1.0.0"}')
})
afterAll(() => Promise.all([server.stop(true), rm(folder, { recursive: true })]))

/** Real programs, and what the last of their output says. Those of Debian: `.ci/run` installs them. */
const programs: Record<string, { program?: string; command: string; last: ProgressReading }> = {
  curl: { command: 'curl -o got URL', last: { done: 599_040, total: undefined, unit: 'bytes' } },
  wget: { command: 'wget -O got URL', last: { done: BYTES, total: BYTES, unit: 'bytes', message: 'got' } },
  rsync: {
    command: 'rsync -a --info=progress2 from/ to/',
    last: { done: 100, total: 100, unit: '%', message: '600,000 bytes' },
  },
  pv: { command: 'sh -c "pv -n data >/dev/null"', last: { done: 100, total: 100, unit: '%' } },
  dd: {
    command: 'dd if=/dev/zero of=/dev/null bs=1M count=50 status=progress',
    last: { done: 52_428_800, total: 52_428_800, unit: 'bytes' },
  },
  ninja: {
    command: 'ninja',
    last: { done: 2, total: 2, unit: 'steps', message: expect.stringMatching(/^touch [ab]$/) },
  },
  tqdm: {
    program: '/usr/bin/python3',
    command: '/usr/bin/python3 bars.py',
    last: { done: 20, total: 20, unit: 'row' },
  },
  pytest: {
    program: '/usr/bin/python3',
    command: '/usr/bin/python3 -m pytest -p no:cacheprovider test_it.py',
    last: { done: 2, total: 2, unit: 'tests', failed: 1, succeeded: 1, message: '1 failed, 1 passed' },
  },
  npm: {
    command: 'npm install --offline --no-audit --no-fund',
    last: { done: 1, total: 1, unit: 'packages', message: expect.stringMatching(/^added 1 package/) },
  },
}

describe('ProgressReader understands a real', () => {
  for (const [name, { program = name, command, last }] of Object.entries(programs)) {
    const isMissing = Bun.which(program) === null
    const check = isMissing ? test.skip : test
    check(
      isMissing ? `${name} (it is not installed)` : name,
      async () => {
        const line = command.replace('URL', server.url.href)
        const { PATH, HOME } = process.env
        const child = Bun.spawn(['sh', '-c', `exec ${line}`], {
          cwd: folder,
          env: { PATH, HOME, LC_ALL: 'C.UTF-8', NO_PROXY: '*' },
          stdin: 'ignore',
          stdout: 'pipe',
          stderr: 'pipe',
        })
        const reader = new ProgressReader(line.split(' '))
        const readings: ProgressReading[] = []
        const read = async (stream: ReadableStream<Uint8Array>, source: number) => {
          const decoder = new TextDecoder()
          for await (const bytes of stream) {
            readings.push(...reader.feed(decoder.decode(bytes, { stream: true }), source).readings)
          }
        }
        await Promise.all([read(child.stdout, 1), read(child.stderr, 2), child.exited])
        readings.push(...reader.end().readings)
        expect(readings.findLast(({ done }) => done !== undefined)).toEqual(last)
      },
      20_000,
    )
  }
})
