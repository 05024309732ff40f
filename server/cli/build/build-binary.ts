/** Builds `dist/milepost` for this platform, and prints its size, start time and memory: `bun server/cli/build/build-binary.ts`. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'bun'

const STARTS = 5

const root = fileURLToPath(new URL('../../../', import.meta.url))
const binary = join(root, 'dist/milepost')

const { success, logs } = await Bun.build({
  // The SQLite writer thread needs its own entry. `WriterThread` knows its path inside a binary.
  entrypoints: [join(root, 'server/cli/main.ts'), join(root, 'server/engines/sqlite/worker.ts')],
  root,
  // By default a binary reads files of the current folder: bunfig.toml can run code, .env can set the secret.
  compile: {
    outfile: binary,
    autoloadBunfig: false,
    autoloadDotenv: false,
    autoloadTsconfig: false,
    autoloadPackageJson: false,
  },
  minify: true,
  format: 'esm',
  bytecode: true,
  define: { 'process.env.NODE_ENV': '"production"' },
})
if (!success) throw new AggregateError(logs, 'The binary could not be built')

const starts = await Array.fromAsync({ length: STARTS }, measureStart)
const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`

console.table({
  file: binary,
  size: megabytes((await stat(binary)).size),
  'size, gzip': megabytes(gzipSync(await readFile(binary)).length),
  'first answer after': `${median(starts.map(({ ms }) => ms)).toFixed(0)} ms`,
  'memory when idle': megabytes(median(starts.map(({ bytes }) => bytes))),
})

/** Time from process start to the first response, and resident memory 500 ms later. */
async function measureStart(): Promise<{ ms: number; bytes: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-binary-'))
  const env = { PORT: '0', MILEPOST_ENGINE: `sqlite:${join(folder, 'jobs.db')}` }
  const begun = performance.now()
  const server = Bun.spawn([binary, 'serve'], { env, stdout: 'pipe' })
  try {
    const { value } = await server.stdout.getReader().read()
    const url = /http:\S+/.exec(new TextDecoder().decode(value))?.[0]
    const { ok } = await fetch(`${url}healthz`)
    if (!ok) throw new Error('The binary does not answer')
    const ms = performance.now() - begun
    await Bun.sleep(500)
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8')
    return { ms, bytes: Number(/VmRSS:\s+([0-9]+)/.exec(status)?.[1]) * 1024 }
  } finally {
    server.kill()
    await server.exited
    await rm(folder, { recursive: true })
  }
}
