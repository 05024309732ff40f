import { expect, test } from 'bun:test'
import { type Traced, TraceReader, unquote } from './trace.ts'

function read(...lines: string[]): Traced[] {
  const reader = new TraceReader('/data')
  for (const line of lines) reader.take(line)
  return reader.traced
}

test('unquote reads bytes as strace writes them', () => {
  expect([...unquote('a\\0\\01\\1779\\n\\"\\\\\\v\\3770')]).toEqual([97, 0, 1, 127, 57, 10, 34, 92, 11, 255, 48])
})

test('TraceReader reads what a process did to the files of a folder, and leaves out the rest', () => {
  expect(
    read(
      '7 openat(AT_FDCWD</data>, "/data/a", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = 5</data/a>',
      '7 openat(AT_FDCWD</data>, "/data/a", O_RDONLY) = 6</data/a>',
      '7 pwrite64(5</data/a>, "x = \\"1\\"", 7, 4096) = 7',
      '7 pwrite64(9</other/a>, "x", 1, 0) = 1',
      '7 write(4<anon_inode:[eventfd]>, "\\1\\0\\0\\0\\0\\0\\0\\0", 8) = 8',
      '7 ftruncate(5</data/a>, 12) = 0',
      '7 pwrite64(5</data/a>, "x", 1, 0) = -1 EIO (Input/output error)',
      '7 fsync(6</data>) = 0',
      '7 rename("/data/a", "/data/b") = 0',
      '7 unlink("/data/b") = 0',
      '7 pwrite64(5</data/b>(deleted), "x", 1, 0) = 1',
      '7 +++ exited with 0 +++',
    ),
  ).toEqual([
    { kind: 'open', path: '/data/a', truncates: false },
    { kind: 'write', path: '/data/a', offset: 4096, data: new TextEncoder().encode('x = "1"') },
    { kind: 'truncate', path: '/data/a', size: 12 },
    { kind: 'sync', path: '/data', id: 1 },
    { kind: 'synced', id: 1, isDone: true },
    { kind: 'rename', path: '/data/a', to: '/data/b' },
    { kind: 'unlink', path: '/data/b' },
  ])
})

test('TraceReader has a sync begin and end, a write end, and a word said, when they do', () => {
  const traced = read(
    '8 fdatasync(7</data/a> <unfinished ...>',
    '7 pwrite64(5</data/a>, "x", 1, 0 <unfinished ...>',
    '7 <... pwrite64 resumed>) = 1',
    '7 write(1<pipe:[3]>, "{\\"say\\":\\"ended\\",\\"refused\\":0}\\n", 29 <unfinished ...>',
    '8 <... fdatasync resumed>) = -1 EIO (Input/output error) (INJECTED)',
    '7 <... write resumed>) = 29',
  )
  expect(traced.map(({ kind }) => kind)).toEqual(['sync', 'write', 'said', 'synced'])
  expect(traced[2]).toEqual({ kind: 'said', said: { say: 'ended', refused: 0 } })
  expect(traced[3]).toEqual({ kind: 'synced', id: 1, isDone: false })
})

test('TraceReader takes a write in which the process was killed when the file has it', () => {
  const reader = new TraceReader('/data')
  for (const thread of [7, 8]) reader.take(`${thread} pwrite64(5</data/a>, "x", 1, ${thread} <unfinished ...>`)
  reader.take('7 <... pwrite64 resumed>) = ?')
  reader.takeCutOff((_path, offset) => offset === 7)
  expect(reader.traced).toEqual([{ kind: 'write', path: '/data/a', offset: 7, data: new Uint8Array([120]) }])
})

test('TraceReader refuses a call on the folder that it does not understand', () => {
  expect(() => read('7 fallocate(5</data/a>, 0, 0, 100) = 0')).toThrow('not understood')
})
