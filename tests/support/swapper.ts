/**
 * Exchanges pairs of paths with each other, atomically and as fast as it can, until it is ended: `bun swapper.ts A B [C D …]`. Prints a line
 * once it has begun.
 */
import { dlopen, FFIType } from 'bun:ffi'

const AT_FDCWD = -100
const RENAME_EXCHANGE = 2

const { int, cstring, u32 } = FFIType
const { symbols } = dlopen('libc.so.6', { renameat2: { args: [int, cstring, int, cstring, u32], returns: int } })
const paths = process.argv.slice(2).map((path) => Buffer.from(`${path}\0`))

for (let round = 0; ; round++) {
  for (let at = 0; ; at += 2) {
    const [a, b] = [paths[at], paths[at + 1]]
    if (!a || !b) break
    if (symbols.renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) !== 0) throw new Error('Nothing to exchange')
  }
  if (round === 0) console.log('swapping')
}
